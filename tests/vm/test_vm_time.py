# SPDX-License-Identifier: GPL-2.0-only
"""The time of a VM: it waits for a QEMU that is stopped or gets no CPU, and not for ever."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator

import pytest

from harness.errors import VmLost
from harness.host import process
from harness.host.process import CpuTime
from harness.vm.vm_time import Observed, StoodStill, VmTime
from tests.support.times import FakeTime


class Qemu:
    """A process that is stopped, runs or waits as a test says."""

    def __init__(self) -> None:
        self.stopped = False
        self.cpu = CpuTime(0.0, {1: 0.0, 2: 0.0})

    def time(self, of: FakeTime) -> VmTime:
        return VmTime("x86_64/stock/perf", 4711, of, Observed(lambda _: self.stopped, lambda _: self.cpu))


def step(own: VmTime, of: FakeTime, qemu: Qemu, used: float, waited: float) -> float:
    """Let a second pass in which QEMU's busy thread had so many seconds of a CPU and waited so many; return what counts."""
    before = own.ran
    of.ran += 1.0
    qemu.cpu = CpuTime(qemu.cpu.used + used, {1: qemu.cpu.waits[1], 2: qemu.cpu.waits[2] + waited})
    return own.ran - before


def test_time_passes_while_qemu_runs_or_has_nothing_to_do() -> None:
    of, qemu = FakeTime(), Qemu()
    own = qemu.time(of)
    assert step(own, of, qemu, used=1.0, waited=0.0) == 1.0
    assert step(own, of, qemu, used=0.0, waited=0.0) == 1.0, "a guest that sleeps for ever hangs"
    assert (own.lost, own.stood) == (0.0, 0.0)


def test_time_waits_for_a_qemu_that_is_stopped_up_to_a_bound() -> None:
    of, qemu = FakeTime(), Qemu()
    own = qemu.time(of)
    qemu.stopped = True
    for _ in range(60):
        of.ran += 1.0
        assert own.ran == 0.0
    assert own.stood == 60.0
    of.ran += 1.0
    with pytest.raises(
        StoodStill, match=r"x86_64/stock/perf: QEMU \(process 4711\) has not run for 61 s because it is stopped"
    ) as caught:
        own.ran  # noqa: B018
    assert isinstance(caught.value, VmLost)


def test_the_bound_is_for_one_pause_and_grows_with_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    of, qemu = FakeTime(), Qemu()
    own = qemu.time(of)
    for _ in range(3):
        qemu.stopped = True
        of.ran += 50.0
        assert own.ran < 1
        qemu.stopped = False
        of.ran += 0.2
        own.look()
    monkeypatch.setenv("RIG_PATIENCE", "3")
    qemu.stopped = True
    of.ran += 150.0
    assert own.ran < 1


def test_time_that_a_starved_qemu_waits_for_a_cpu_does_not_count() -> None:
    of, qemu = FakeTime(), Qemu()
    own = qemu.time(of)
    assert step(own, of, qemu, used=0.1, waited=0.9) == pytest.approx(0.2)
    assert step(own, of, qemu, used=0.5, waited=0.5) == pytest.approx(1.0), "half a CPU is enough"
    assert step(own, of, qemu, used=2.0, waited=0.9) == pytest.approx(1.0), "its CPUs take turns on those of the host"
    assert own.lost == pytest.approx(0.8)
    assert own.stood == 0.0
    for _ in range(61):
        of.ran += 1.0
        qemu.cpu = CpuTime(qemu.cpu.used, {1: 0.0, 2: qemu.cpu.waits[2] + 1.0})
        own.look()
    with pytest.raises(StoodStill, match="it waits for a CPU"):
        own.ran  # noqa: B018


def test_the_hosts_own_pauses_are_told() -> None:
    of, qemu = FakeTime(), Qemu()
    of.lost = 100.0
    own = qemu.time(of)
    assert own.stood == 0.0, "that was before"
    of.lost = 130.0
    assert own.stood == own.lost == 30.0


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    qemu = subprocess.Popen(("sleep", "60"))
    yield qemu
    qemu.kill()
    qemu.wait()


def test_a_real_process_that_is_stopped_is_seen(sleeper: subprocess.Popen[bytes]) -> None:
    own = VmTime("vm", sleeper.pid)
    assert not process.stopped(sleeper.pid)
    before = own.ran
    time.sleep(0.3)
    assert own.ran - before >= 0.2
    os.kill(sleeper.pid, signal.SIGSTOP)
    time.sleep(0.3)
    assert process.stopped(sleeper.pid)
    before, stood = own.ran, own.stood
    time.sleep(0.5)  # nobody looks here but the thread
    os.kill(sleeper.pid, signal.SIGCONT)
    assert own.ran - before <= 0.3
    assert own.stood - stood >= 0.2


def test_a_process_that_is_gone_is_not_stopped_and_has_no_cpu() -> None:
    gone = 2**22 + 1
    assert not process.stopped(gone)
    assert process.cpu_time(gone) == CpuTime()
    of = FakeTime()
    own = VmTime("vm", gone, of)
    of.ran = 5.0
    assert own.ran == 5.0


def test_a_process_that_computes_uses_a_cpu() -> None:
    before = process.cpu_time(os.getpid())
    end = time.process_time() + 0.2
    while time.process_time() < end:
        pass
    assert process.cpu_time(os.getpid()).used - before.used >= 0.1
