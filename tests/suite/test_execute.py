# SPDX-License-Identifier: GPL-2.0-only
"""One test in a VM whose host stood still meanwhile: what the guest shows then is not held against its kernel."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from harness.errors import VmLost
from harness.model.clock import Clock
from harness.model.matrix import Base
from harness.suite import execute, guest_script
from harness.suite.plan import Plan
from harness.suite.vm_pool import Pause
from harness.vm.console import Console
from harness.vm.vm_time import StoodStill
from tests.support import make
from tests.support.times import RealTime

STALL = "[   40.1] watchdog: BUG: soft lockup - CPU#0 stuck for 31s! [insmod/812]\n"
OTHER = "[   40.1] BUG: sleeping function called from invalid context at mm/vmalloc.c:1\n"
SAMPLE = """\
[    1.0] vmalloc_test: KTAP version 1
[    1.0] vmalloc_test: 1..1
[    1.0] vmalloc_test: # sample test=le_fit_alloc_test repeat=0 thread=0 cpu=0 ops=1000 ns=5000
[    1.0] vmalloc_test: ok 1 le_fit_alloc_test
"""


class Command:
    """A command that has ended well."""

    done, code, flooded = True, 0, False

    def output(self) -> str:
        return SAMPLE


class FakeLab:
    """Has one station, whose guest says something on its console, and which stood still for some seconds."""

    def __init__(
        self,
        folder: Path,
        says: str,
        stood: float,
        start: Any = lambda *_: Command(),
        before: float = 0.0,
        starved: float = 0.0,
    ) -> None:
        self.lost = False
        log = folder / "serial.log"
        log.touch()
        machine = SimpleNamespace(
            folder=folder, console=Console(log), alive=True, running=False, pace=1.0, time=RealTime(), ended=lambda what: what
        )

        def begun(*words: str) -> Any:
            log.write_text(f"{says}{guest_script.END}\n")
            return start(*words)

        self._station: Any = SimpleNamespace(
            vm=machine,
            guest=SimpleNamespace(start=begun, answers=lambda _: False),
            symbols=folder / "System.map",
            log_name="log",
            stood_still=lambda: Pause(stood, stood + before, starved),
            dumps=list,
            keep=lambda: None,
        )

    def station(self, _: object) -> Any:
        return self._station

    def current(self, _: object) -> Any:
        return self._station

    def lose(self, _: object) -> None:
        self.lost = True


def run(lab: FakeLab, planned: Plan, clock: Clock) -> Any:
    session = msgspec.structs.replace(planned.sessions[0], clock=clock)
    return execute.run(lab, planned, session, session.steps[0])  # type: ignore[arg-type]


@pytest.fixture
def timed(base: Base) -> Plan:
    return make.plan(base, clock=Clock.WALL)


@pytest.fixture
def stress(base: Base) -> Plan:
    return make.plan(base, tests=("align_shift_alloc_test",))


def test_times_that_a_pause_made_longer_are_the_rigs_failure(tmp_path: Path, timed: Plan) -> None:
    lab = FakeLab(tmp_path, "", stood=30.0)
    with pytest.raises(VmLost, match=r"stood still for 30 s .* its times are too long"):
        run(lab, timed, Clock.WALL)
    assert lab.lost, "the next test has a fresh VM"


def test_instructions_are_not_more_for_a_pause(tmp_path: Path, base: Base) -> None:
    lab = FakeLab(tmp_path, "", stood=30.0)
    assert run(lab, make.plan(base), Clock.ICOUNT).samples
    assert not lab.lost


def test_times_without_a_pause_count(tmp_path: Path, timed: Plan) -> None:
    assert run(FakeLab(tmp_path, "", stood=0.2), timed, Clock.WALL).samples


@pytest.mark.parametrize("clock", list(Clock))
def test_a_stall_after_a_pause_is_not_the_kernels(tmp_path: Path, stress: Plan, clock: Clock) -> None:
    """Under icount the clock goes on while the guest's CPU is idle."""
    lab = FakeLab(tmp_path, STALL, stood=30.0)
    with pytest.raises(VmLost, match=r"stood still for 30 s .* reported 'watchdog: BUG: soft lockup.*test it again"):
        run(lab, stress, clock)
    assert lab.lost


def test_a_stall_that_is_told_a_step_after_the_pause_is_not_the_kernels(tmp_path: Path, stress: Plan) -> None:
    with pytest.raises(VmLost, match="stood still for 30 s"):
        run(FakeLab(tmp_path, STALL, stood=0.0, before=30.0), stress, Clock.ICOUNT)


def test_times_of_a_step_after_the_pause_count(tmp_path: Path, timed: Plan) -> None:
    assert run(FakeLab(tmp_path, "", stood=0.0, before=30.0), timed, Clock.WALL).samples


def test_a_stall_of_a_guest_that_had_no_cpu_is_not_its_kernels(tmp_path: Path, stress: Plan) -> None:
    with pytest.raises(VmLost, match=r"QEMU had no CPU for 40 s .* reported 'watchdog: BUG: soft lockup"):
        run(FakeLab(tmp_path, STALL, stood=0.0, starved=40.0), stress, Clock.WALL)
    (finding,) = run(FakeLab(tmp_path, STALL, stood=0.0, starved=40.0), stress, Clock.ICOUNT).findings
    assert finding.trouble.kind == "soft-lockup", "under icount the clock waits for QEMU"


@pytest.mark.parametrize(("says", "stood", "kind"), [(STALL, 0.0, "soft-lockup"), (OTHER, 30.0, "atomic")])
def test_everything_else_is(tmp_path: Path, stress: Plan, says: str, stood: float, kind: str) -> None:
    lab = FakeLab(tmp_path, says, stood)
    assert kind in [finding.trouble.kind for finding in run(lab, stress, Clock.WALL).findings]
    assert not lab.lost


@pytest.mark.parametrize("phase", [execute.boot, execute.end])
def test_a_stall_in_a_boot_or_between_tests_is_not_either(tmp_path: Path, stress: Plan, phase: Any) -> None:
    lab = FakeLab(tmp_path, "", stood=30.0)
    (tmp_path / "serial.log").write_text(STALL)
    with pytest.raises(VmLost, match="stood still"):
        phase(lab, stress, stress.sessions[0])
    assert lab.lost


def test_a_vm_whose_qemu_stays_stopped_is_ended(tmp_path: Path, stress: Plan) -> None:
    def start(*_: str) -> None:
        raise StoodStill("it is stopped")

    lab = FakeLab(tmp_path, "", 0.0, start)
    with pytest.raises(StoodStill):
        run(lab, stress, Clock.WALL)
    assert lab.lost
