# SPDX-License-Identifier: GPL-2.0-only
"""Following a test to its end, and what is made of an end that is not a good one; guests that are not there."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.errors import VmLost
from harness.host.deadline import OwnTime
from harness.host.process import CpuTime
from harness.model import trouble
from harness.model.trouble import Cpu, Frame, Severity
from harness.suite import execute, guest_script, watch
from harness.suite.watch import Bad, Patience, Watched
from harness.vm.console import Console
from harness.vm.vm_time import Observed, StoodStill, VmTime
from harness.vm.vms import GuestDied
from tests.support.times import FakeTime, RealTime

WARNED = "[    1.0] vmap allocation for size 8192 failed: use vmalloc=<size> to increase size\n"
DIED = "[    1.0] kernel BUG at mm/vmalloc.c:512!\n[    1.1] Kernel panic - not syncing: Fatal exception\n"


class Command:
    """A command in the guest that prints what it is told to, and ends when it is told to."""

    def __init__(self, *, done: bool, code: int, said: str, flooded: bool = False) -> None:
        self.done, self.code, self.flooded, self._said = done, code, flooded, said

    def output(self) -> str:
        return self._said


@pytest.fixture
def station(tmp_path: Path) -> Any:
    """A VM with a console, whose guest does what a test tells it."""
    (tmp_path / "serial.log").touch()
    machine = SimpleNamespace(
        folder=tmp_path,
        console=Console(tmp_path / "serial.log"),
        alive=True,
        running=True,
        status=lambda: "running",
        pace=1.0,
        time=RealTime(),
        ended=lambda what: f"{what}: killed",
    )
    guest = SimpleNamespace(start=lambda *_: Command(done=True, code=0, said="all well"), answers=lambda _: False)
    return SimpleNamespace(vm=machine, guest=guest, symbols=tmp_path / "System.map")


def watched(station: Any) -> Watched:
    """Return what there is to see of a test with little patience."""
    told = trouble.Testimony(heard=True, output="sysrq: told")
    little = Patience(test=0.3, silence=0.15, settle=0.1)
    return watch.watch(station, ("x",), 1.0, harmless=False, patience=little, question=lambda *_, **__: told)


def say(station: Any, text: str) -> None:
    with station.vm.console.log.open("a") as log:
        log.write(text)


def test_a_good_end(station: Any) -> None:
    say(station, f"{guest_script.END}\n")
    seen = watched(station)
    assert (seen.bad, seen.output) == (None, "all well")


def test_silence_is_a_hang_of_which_the_guest_is_asked(station: Any) -> None:
    station.guest.start = lambda *_: Command(done=False, code=0, said="")
    bad = watched(station).bad
    assert bad is not None
    assert bad.kind == "hang"
    assert bad.title == "the console said nothing for 0 s; SSH does not answer, its console hears SysRq"
    assert bad.testimony.output == "sysrq: told"


def test_a_test_that_goes_on_and_on_is_a_hang(station: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    station.guest.start = lambda *_: Command(done=False, code=0, said="")
    monkeypatch.setattr(time, "sleep", lambda _: say(station, "still here\n"))
    bad = watched(station).bad
    assert bad is not None
    assert bad.title.startswith("the test was not over after 0 s; ")


def test_an_end_that_the_console_does_not_show_is_a_hang(station: Any) -> None:
    bad = watched(station).bad
    assert bad is not None
    assert bad.title.startswith("the console said nothing for 0 s at the end of the test; ")


def test_a_vm_that_ends_is_no_hang(station: Any) -> None:
    station.vm.alive = False
    assert watched(station).bad == Bad("died", "the VM ended in the middle of the test: killed")


def test_the_last_line_says_why_a_module_could_not_be_loaded(station: Any) -> None:
    station.guest.start = lambda *_: Command(done=True, code=1, said="MemTotal: 3\nslab\ninsmod: can't insert\n")
    assert watched(station).bad == Bad("load-failed", "insmod: can't insert")


def test_a_guest_that_prints_without_end_over_ssh_is_given_up_and_that_is_said(station: Any) -> None:
    station.guest.start = lambda *_: Command(done=True, code=-1, said="", flooded=True)
    bad = watched(station).bad
    assert bad is not None
    assert bad.kind == "died"
    assert bad.title.startswith("the test had printed 64 MiB over SSH, which is the limit; ")


@pytest.mark.parametrize("share", [0.4, 0.6])
def test_a_guest_that_hardly_ran_does_not_hang(station: Any, share: float) -> None:
    """Its QEMU was without a CPU for a share of the time."""

    class Starved:
        began = time.monotonic()
        stood = 0.0
        lost = property(lambda self: share * (time.monotonic() - self.began))
        ran = property(lambda self: (1 - share) * (time.monotonic() - self.began))

    station.vm.time = Starved()
    station.guest.start = lambda *_: Command(done=False, code=0, said="")
    if share > 0.5:
        with pytest.raises(VmLost, match="the console said nothing for 0 s, but for 0 s, most of the time, the host stood still"):
            watched(station)
    else:
        bad = watched(station).bad
        assert bad is not None
        assert bad.kind == "hang"


def test_a_pause_of_the_host_is_no_hang(station: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    station.vm.time = OwnTime(lambda: now)
    command = Command(done=False, code=0, said="all well")
    station.guest.start = lambda *_: command

    def sleep(_: float) -> None:
        nonlocal now
        now += 30.0 if not now else 0.01
        if now > 30.05:
            say(station, f"{guest_script.END}\n")
            command.done = True

    monkeypatch.setattr(time, "sleep", sleep)
    told = trouble.Testimony(heard=True)
    usual = Patience(test=6.0, silence=3.0, settle=0.5)
    assert watch.watch(station, ("x",), 1.0, harmless=False, patience=usual, question=lambda *_, **__: told).bad is None


def test_a_qemu_that_stays_stopped_is_the_rigs_failure(station: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    now = FakeTime()
    station.vm.time = VmTime("vm", 4711, now, Observed(lambda _: True, lambda _: CpuTime()))
    station.guest.start = lambda *_: Command(done=False, code=0, said="")

    def sleep(_: float) -> None:
        now.ran += 1.0

    monkeypatch.setattr(time, "sleep", sleep)
    with pytest.raises(StoodStill, match="it is stopped"):
        watched(station)


def test_a_guest_that_does_not_start_a_command_because_qemu_is_stopped_has_not_died(station: Any) -> None:
    def start(*_: str) -> None:
        raise StoodStill("it is stopped")

    station.guest.start = start
    with pytest.raises(StoodStill):
        watched(station)


@pytest.mark.parametrize("alive", [True, False])
def test_a_guest_that_somebody_has_stopped_neither_hangs_nor_died(station: Any, alive: bool) -> None:
    station.guest.start = lambda *_: Command(done=False, code=0, said="")
    station.vm.alive, station.vm.status = alive, lambda: "paused"
    with pytest.raises(VmLost, match=r"stopped this VM's guest .*'paused'") as caught:
        watched(station)
    assert not isinstance(caught.value, GuestDied)


def test_a_console_that_is_gone_or_has_no_room_is_the_rigs_failure(station: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    station.guest.start = lambda *_: Command(done=False, code=0, said="")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=100))
    with pytest.raises(VmLost, match="is full; make room") as caught:
        watched(station)
    assert not isinstance(caught.value, GuestDied)
    station.vm.console.log.unlink()
    with pytest.raises(VmLost, match="is gone; leave the cache alone"):
        watched(station)


def test_a_report_that_ends_the_kernel_explains_the_end() -> None:
    (found,) = execute.autopsy(DIED, 10, Bad("died", "the VM ended"))
    assert (found.kind, found.first, found.severity) == ("bug", 10, Severity.FATAL)


def test_a_report_that_does_not_is_not_all_there_is() -> None:
    warned, hung = execute.autopsy(WARNED, 10, Bad("hang", "the test was not over after 60 s"))
    assert (warned.kind, warned.severity) == ("vmap-exhausted", Severity.WARNING)
    assert (hung.kind, hung.severity) == ("hang", Severity.FATAL)
    assert "vmap allocation" in hung.text


def cpu(*functions: str) -> Cpu:
    return Cpu("RIP=0", tuple(Frame(name, 1, 2 if not name.startswith("0x") else 0) for name in functions))


@pytest.mark.parametrize(
    ("cpus", "function"),
    [
        ((cpu("native_safe_halt", "default_idle"), cpu("alloc_vmap_area", "vmalloc")), "alloc_vmap_area"),
        ((cpu("0xffffffffa0000000", "do_one_initcall"),), ""),
        ((cpu("cpu_do_idle"),), ""),
        ((), ""),
    ],
    ids=["busy", "in a module", "idle", "nothing known"],
)
def test_a_hang_is_blamed_on_what_a_cpu_is_busy_with(cpus: tuple[Cpu, ...], function: str) -> None:
    (hung,) = execute.autopsy("", 1, Bad("hang", "it hung", trouble.Testimony(heard=False, cpus=cpus)))
    assert hung.function == function
