# SPDX-License-Identifier: GPL-2.0-only
"""A session is left at its first finding, unless all are wanted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.errors import RigError, VmLost
from harness.model.matrix import Base
from harness.suite import first_findings
from harness.suite.execute import Steps
from harness.suite.extract import Observed
from harness.suite.plan import Plan
from harness.suite.vm_pool import Lab
from tests.support import make

TESTS = ("le_fit_alloc_test", "b_fit_alloc_test")


class Bench:
    """Steps that show a finding where they are told to."""

    def __init__(self, *shown: str) -> None:
        self._shown = shown
        self.ran: list[str] = []
        self.steps = Steps(lambda *_: self.seen("boot"), lambda _, __, ___, step: self.seen(step.name), lambda *_: self.seen("end"))

    def seen(self, test: str) -> Observed:
        self.ran.append(test)
        return Observed(findings=(make.finding(test=test),) if test in self._shown else ())


@pytest.fixture
def planned(base: Base) -> Plan:
    return make.plan(base, tests=TESTS, boots=1, scale="quick")


def found_by(planned: Plan, bench: Bench, folder: Path, **other: Any) -> list[str]:
    lab = Lab(folder, keep=False)
    session = planned.sessions[0]
    found = first_findings.findings(lab, planned, session, **{"everything": False, "steps": bench.steps, **other})
    return [finding.test for finding in found]


def test_it_ends_at_the_first_finding(planned: Plan, tmp_path: Path) -> None:
    bench = Bench(*TESTS)
    assert found_by(planned, bench, tmp_path) == [bench.ran[-1]] == [TESTS[0]]
    assert bench.ran == ["boot", TESTS[0]]


def test_it_goes_on_where_all_are_wanted_but_not_without_a_boot(planned: Plan, tmp_path: Path) -> None:
    bench = Bench(TESTS[0], "end")
    found = found_by(planned, bench, tmp_path, everything=True)
    assert (set(found), bench.ran[-1]) == ({TESTS[0], "end"}, "end")
    bench = Bench("boot", TESTS[0])
    assert found_by(planned, bench, tmp_path, everything=True) == bench.ran == ["boot"]


def test_without_a_finding_all_is_run(planned: Plan, tmp_path: Path) -> None:
    bench = Bench()
    assert not found_by(planned, bench, tmp_path)
    assert (bench.ran[0], bench.ran[-1], set(TESTS) <= set(bench.ran)) == ("boot", "end", True)


def test_what_is_given_up_or_lost_has_no_findings(planned: Plan, tmp_path: Path) -> None:
    with pytest.raises(RigError, match="given up"):
        found_by(planned, Bench("boot"), tmp_path, given_up=lambda: True)

    def lost(*_: object) -> Observed:
        raise VmLost("no QEMU")

    with pytest.raises(VmLost, match="no QEMU"):
        found_by(planned, Bench(), tmp_path, steps=Steps(lost, lost, lost))
