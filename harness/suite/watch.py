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
from harness.model.trouble import Testimony
from harness.suite import guest_script
from harness.suite.vm_pool import Station
from harness.vm import hang

_ROOM = 1 << 20
"""free bytes that the console's file system needs; QEMU does not report a full one"""
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

    kind: str
    """``died``, ``hang`` or ``load-failed``"""
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
    Raises VmLost when the VM's folder is gone.
    """
    console, pace = station.vm.console, station.vm.pace
    scaled = factor * pace * deadline.patience()
    whole, silence, settling = patience.test * scaled, patience.silence * scaled, patience.settle * pace
    late, silent = Deadline(whole), Deadline(silence)
    log = ""

    def bad(said: str, kind: str, what: str) -> Watched:
        return _bad(station, said, kind, what, lambda: question(station.vm, station.symbols, harmless=harmless))

    try:
        command = station.guest.start(*words)
    except VmLost as lost:
        return bad(console.rest(), "died", str(lost))
    while not command.done and station.vm.alive:
        new = console.read()
        log += new
        silent = Deadline(silence) if new else silent
        if late.over or silent.over:
            what = f"the test was not over after {whole:.0f} s"
            return bad(log + console.rest(), "hang", what if late.over else _silence(silence))
        _check(station)
        time.sleep(POLL)
    code = command.code if command.done and station.vm.alive else -1
    settle = Deadline(settling)
    while station.vm.alive and not settle.over and (code < 0 or (code == 0 and guest_script.END not in log)):
        log += console.read()
        time.sleep(POLL / 4)
    log += console.read() if station.vm.alive else console.rest()
    if code > 0:
        last = (command.said().strip().splitlines() or ["the module could not be loaded"])[-1]
        return Watched(log, bad=Bad("load-failed", last))
    if code == 0 and guest_script.END in log:
        return Watched(log, command.said())
    if not station.vm.alive:
        return Watched(log, bad=Bad("died", station.vm.ended("the VM ended in the middle of the test")))
    what = "its SSH broke off in the middle of the test" if code < 0 else f"{_silence(settling)} at the end of the test"
    return bad(log, "died" if code < 0 else "hang", what)


def _silence(seconds: float) -> str:
    return f"the console said nothing for {seconds:.0f} s"


def _check(station: Station) -> None:
    if not station.vm.console.log.exists():
        raise VmLost(
            f"{station.vm.folder}, where the VM's console was written to, is gone; leave the cache alone while the rig runs."
        )
    if shutil.disk_usage(station.vm.folder).free < _ROOM:
        raise VmLost(f"The file system of {station.vm.folder}, where the VM's console is written to, is full; make room.")


def _bad(station: Station, log: str, kind: str, what: str, ask: Callable[[], Testimony]) -> Watched:
    """Return the end of a command in a guest that is up but of no use, with the guest's testimony."""
    _check(station)
    if not station.vm.alive:
        return Watched(log, bad=Bad("died", station.vm.ended(what)))
    answers = station.guest.answers(_ANSWER * station.vm.pace)
    told = ask()
    heard = f"SSH {'answers' if answers else 'does not answer'}, its console {'hears' if told.heard else 'does not hear'} SysRq"
    return Watched(log, bad=Bad(kind, f"{what}; {heard}", told))
