# SPDX-License-Identifier: GPL-2.0-only
"""Choosing tests and storing a plan, and the options that make one."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

import tasks
from harness import paths, pipeline, plan, rootfs, source
from harness.errors import UsageError
from harness.matrix import Base, Clock
from harness.plan import Plan
from harness.selection import Selection
from tests import make


@pytest.fixture
def made(base: Base) -> Plan:
    return make.plan(base)


def test_tests_are_chosen_by_name_and_by_kind() -> None:
    every = [test.name for test in plan.suite().tests]
    assert list(plan.choose("all")) == every
    performance, stress = plan.choose("performance"), plan.choose("stress")
    assert performance
    assert stress
    assert sorted([*performance, *stress]) == sorted(every)
    assert plan.choose(f"{every[1]}, {every[0]},{every[1]}") == (every[0], every[1])


@pytest.mark.parametrize("wanted", ["le_fit_aloc_test", "le_fit_alloc_test,le_fit_aloc_test"])
def test_an_unknown_test_gets_a_hint(wanted: str) -> None:
    with pytest.raises(UsageError, match=r"no test 'le_fit_aloc_test'; did you mean 'le_fit_alloc_test'\?"):
        plan.choose(wanted)


def test_stress_always_runs_under_the_wall_clock(made: Plan) -> None:
    assert made.clocks == (Clock.ICOUNT,)
    assert msgspec.structs.replace(made, tests=plan.choose("stress")).clocks == (Clock.WALL,)
    assert set(msgspec.structs.replace(made, tests=plan.choose("all")).clocks) == {Clock.ICOUNT, Clock.WALL}


def test_a_plan_travels(made: Plan, tmp_path: Path) -> None:
    plan.save(made, tmp_path / "plan.json")
    assert plan.load(tmp_path / "plan.json") == made


def test_a_plan_that_cannot_be_had_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"There is no plan at .*plan\.json .*; run `invoke build` first"):
        plan.load(tmp_path / "plan.json")
    (tmp_path / "plan.json").write_text('{"old": 1}')
    with pytest.raises(UsageError, match=r"plan\.json cannot be read .*; run `invoke build` again"):
        plan.load(tmp_path / "plan.json")


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        (Selection(clock="walk"), "There is no clock 'walk'; known are icount, wall."),
        (Selection(scale="huge"), "There is no scale 'huge'; known are quick, default, published."),
        (Selection(jobs=-1), "--jobs has to be 1 or more, not -1."),
        (Selection(threshold=-5.0), "--threshold has to be 0 or more per cent, not -5.0."),
        (Selection(tests="boot"), "There is no test 'boot'"),
        (Selection(machine="x86_64,vax"), "There is no machine 'vax'"),
        (Selection(kernel="4.17"), "There is no kernel '4.17' in kernel_patches/; did you mean '4.18'?"),
        (Selection(profile="pref"), "There is no profile 'pref'"),
        (Selection(variant="nonsense"), "There is no variant 'nonsense'"),
        (Selection(series="/nowhere"), "There is no series at /nowhere"),
        (Selection(threshold=float("nan")), "--threshold has to be 0 or more per cent, not nan."),
    ],
    ids=lambda value: "" if isinstance(value, Selection) else str(value)[:24],
)
def test_a_wrong_option_is_said_before_anything_is_fetched(
    wanted: Selection, said: str, monkeypatch: pytest.MonkeyPatch, kernel_source: Path
) -> None:
    monkeypatch.setattr(source, "resolve", lambda *_: pytest.fail("the source was fetched first"))
    monkeypatch.setattr(rootfs, "build", lambda *_: pytest.fail("the initramfs was built first"))
    with pytest.raises(UsageError) as caught:
        pipeline.build(wanted)
    assert said in str(caught.value)


def test_every_option_has_a_help_and_every_help_an_option() -> None:
    assert set(tasks._OPTIONS) == set(Selection.__struct_fields__)


@pytest.mark.parametrize("name", ["nowhere", "", "../results", "latest/../nowhere"])
def test_an_unknown_run_is_said_so(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paths, "RESULTS", tmp_path / "results")
    with pytest.raises(UsageError, match=r"There is no run '.*'; name a folder in .*results, or 'latest'"):
        pipeline.find_run(name)


def test_there_is_no_shell_where_no_vm_is_up() -> None:
    with pytest.raises(UsageError, match="No VM of x86_64/stock/perf is up; run `invoke boot` first"):
        pipeline.ssh("x86_64/stock/perf", "")
