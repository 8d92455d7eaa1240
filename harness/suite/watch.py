# SPDX-License-Identifier: GPL-2.0-only
"""Follows one command in a guest to its end. If the guest dies or hangs it collects evidence."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable

import msgspec

from harness.errors import VmLost
from harness.host import deadline
from harness.host.deadline import POLL, Deadline
from harness.model.trouble import OwnKind, Testimony
from harness.suite import guest_script
from harness.suite.vm_pool import Station
from harness.vm import hang, ssh
from harness.vm.ssh import Command
from harness.vm.vm_time import StoodStill, hardly_ran

_ROOM = 1 << 20
"""free bytes that the console's file system needs; QEMU does not report a full one"""
_STOPPED = ("paused", "debug")
"""states of a QEMU that was told to stop its guest, as by QMP or gdb; it never comes to them by itself"""
_ANSWER = 5.0
"""seconds that a guest which hangs has to answer SSH"""


class Patience(msgspec.Struct, frozen=True):
    """Seconds of host time, at the usual pace, that a guest has."""

    test: float = 60.0
    """for a test at scale quick, after which it counts as hung"""
    silence: float = 30.0
    """in which it does if the console says nothing"""
    settle: float = 5.0
    """that the console may take to show what SSH has shown"""


_PATIENCE = Patience()


class Bad(msgspec.Struct, frozen=True):
    """An end that is not a good one."""

    kind: OwnKind
    title: str
    testimony: Testimony = Testimony(heard=False)
    """of a guest that was up but of no use"""


class Watched(msgspec.Struct, frozen=True):
    """The log and the output of a command that was watched."""

    log: str
    """of the console, in the meantime"""
    output: str = ""
    """of the command, if it ended well"""
    bad: Bad | None = None


def watch(
    station: Station,
    words: tuple[str, ...],
    factor: float,
    *,
    harmless: bool,
    patience: Patience = _PATIENCE,
    question: Callable[..., Testimony] = hang.question,
) -> Watched:
    """Run a command and follow the console until both have ended; it may take `factor` times as long as at scale quick.

    The console is followed rather than SSH, because traffic to the guest would cost instructions in the middle of a
    measurement. A guest that hangs is asked what it does by `question`; `harmless` if it has to stay as it is.
    Its seconds are those in which the host and QEMU could run. Raises VmLost when the VM's folder is gone, or QEMU stood
    still for too long.
    """
    watching = _Watching(station, lambda: question(station.vm, station.symbols, harmless=harmless))
    try:
        command = station.guest.start(*words)
    except StoodStill:
        raise
    except VmLost as lost:
        return watching.bad("died", str(lost))
    pace = station.vm.pace
    scaled = factor * pace * deadline.patience()
    return watching.until_late(command, patience.test * scaled, patience.silence * scaled) or watching.settled(
        command, patience.settle * pace
    )


class _Watching:
    """The console of a guest while a command runs in it."""

    def __init__(self, station: Station, ask: Callable[[], Testimony]) -> None:
        self._station, self._vm, self._console = station, station.vm, station.vm.console
        self._ask = ask
        self._log = ""

    def until_late(self, command: Command, whole: float, silence: float) -> Watched | None:
        """Follow the console until the command or the VM has ended; return what hangs if that takes too many seconds."""
        late, silent = self._deadline(whole), self._deadline(silence)
        while not command.done and self._vm.alive:
            new = self._console.read()
            self._log += new
            silent = self._deadline(silence) if new else silent
            if late.over:
                return self._hangs(late, f"the test was not over after {whole:.0f} s")
            if silent.over:
                return self._hangs(silent, _silence(silence))
            self._check()
            time.sleep(POLL)
        return None

    def settled(self, command: Command, seconds: float) -> Watched:
        """Return how the command ended, once the console shows its end, for which it has `seconds`."""
        code = command.code if command.done and self._vm.alive else -1
        settle = self._deadline(seconds)
        while self._vm.alive and not settle.over and (code < 0 or (code == 0 and guest_script.END not in self._log)):
            self._log += self._console.read()
            time.sleep(POLL / 4)
        self._log += self._console.read() if self._vm.alive else self._console.rest()
        if code > 0:
            last = (command.output().strip().splitlines() or ["the module could not be loaded"])[-1]
            return Watched(self._log, bad=Bad("load-failed", last))
        if code == 0 and guest_script.END in self._log:
            return Watched(self._log, command.output())
        if not self._vm.alive:
            return self._ended("the VM ended in the middle of the test")
        if code < 0:
            end = f"the test had printed {ssh.FLOODED}" if command.flooded else "its SSH broke off in the middle of the test"
            return self.bad("died", end)
        return self._hangs(settle, f"{_silence(seconds)} at the end of the test")

    def _hangs(self, over: Deadline, title: str) -> Watched:
        """Return the end of a guest that let a deadline pass; VmLost if it hardly ran meanwhile."""
        if seconds := over.doubt:
            raise VmLost(f"{self._vm.folder}: {title}, but {hardly_ran(seconds)}")
        return self.bad("hang", title)

    def bad(self, kind: OwnKind, title: str) -> Watched:
        """Return the end of a command in a guest that is up but of no use, with the guest's testimony."""
        self._log += self._console.rest()
        self._check()
        self._check_status()
        if not self._vm.alive:
            return self._ended(title)
        answers = self._station.guest.answers(_ANSWER * self._vm.pace)
        testimony = self._ask()
        said = "answers" if answers else "does not answer"
        title += f"; SSH {said}, its console {'hears' if testimony.heard else 'does not hear'} SysRq"
        return Watched(self._log, bad=Bad(kind, title, testimony))

    def _deadline(self, seconds: float) -> Deadline:
        return Deadline(seconds, self._vm.time)

    def _ended(self, title: str) -> Watched:
        self._check_status()
        return Watched(self._log, bad=Bad("died", self._vm.ended(title)))

    def _check(self) -> None:
        folder = self._vm.folder
        if not self._console.log.exists():
            raise VmLost(f"{folder}, where the VM's console was written to, is gone; leave the cache alone while the rig runs.")
        if shutil.disk_usage(folder).free < _ROOM:
            raise VmLost(f"The file system of {folder}, where the VM's console is written to, is full; make room.")

    def _check_status(self) -> None:
        """Raise VmLost if QEMU has been told to stop its guest, which then can do nothing."""
        try:
            status = self._vm.status() if self._vm.running else ""
        except VmLost:
            return
        if status in _STOPPED:
            raise VmLost(
                f"{self._vm.folder}: somebody has stopped this VM's guest by QMP or gdb (its state is '{status}'), which says"
                " nothing of its kernel; test it again, and leave its VM alone."
            )


def _silence(seconds: float) -> str:
    return f"the console said nothing for {seconds:.0f} s"
