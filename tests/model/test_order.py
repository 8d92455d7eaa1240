# SPDX-License-Identifier: GPL-2.0-only
"""Tables keep the order in which machines, variants and tests were asked for."""

from __future__ import annotations

import msgspec

from harness.model import catalog
from harness.model.clock import Clock
from harness.model.order import asked
from harness.model.records import Provenance
from tests.support import content, make

RUN = make.provenance(
    machines={"x86_64": "", "aarch64": ""},
    patches={"stock": (), "b": (), "a": (), "a@1": ()},
    cells={"x86_64/b/latency": "1", "x86_64/b/perf": "2"},
    tests=("ne_fit_alloc_test", "le_fit_alloc_test"),
)


def test_records_stand_as_they_were_asked_for() -> None:
    wanted = [
        make.sample(machine=machine, profile=profile, variant=variant, test=test)
        for machine in RUN.machines
        for profile in ("latency", "perf")
        for variant in ("b", "a", "a@1")
        for test in RUN.tests
    ]
    assert list(asked(RUN).arranged(sorted(wanted, key=repr))) == wanted


def test_what_was_not_asked_for_comes_last_and_equals_stay_as_they_are() -> None:
    samples = [make.sample(value, variant=variant) for variant in ("z", "a@1") for value in (2.0, 1.0)]
    assert [(s.variant, s.value) for s in asked(RUN).arranged(samples)] == [("a@1", 2.0), ("a@1", 1.0), ("z", 2.0), ("z", 1.0)]
    assert asked(RUN).by_variant(["z", "y@2", "y@1", "a", "b"]) == ["b", "a", "y@1", "y@2", "z"]


def test_clocks_stay_apart_and_a_workload_is_a_test() -> None:
    mixed = [make.sample(test=test, clock=clock) for test in RUN.tests for clock in (Clock.WALL, Clock.ICOUNT)]
    assert [s.clock for s in asked(RUN).arranged(mixed)] == [Clock.ICOUNT] * 2 + [Clock.WALL] * 2
    run = msgspec.structs.replace(RUN, tests=("sweep_b", "sweep_a"))
    points = [content.point(1, 1.0, workload=workload) for workload in ("sweep_a", "sweep_b")]
    assert [point.workload for point in asked(run).arranged(points)] == ["sweep_b", "sweep_a"]


def test_a_run_that_did_not_note_its_tests_has_those_of_the_module() -> None:
    old = msgspec.json.decode(msgspec.json.encode(RUN))
    del old["tests"]
    assert asked(msgspec.convert(old, Provenance)).tests == tuple(test.name for test in catalog.suite().tests)
