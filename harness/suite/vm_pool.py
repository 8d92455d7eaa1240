# SPDX-License-Identifier: GPL-2.0-only
"""The VMs of a suite: booted when first needed, booted afresh when one was lost, taken down at the end."""

from __future__ import annotations

import gzip
import itertools
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec

from harness.build import rootfs
from harness.build.built import BuiltCell
from harness.errors import Mismatch, VmLost
from harness.host import files
from harness.host.deadline import POLL, Deadline, Timed
from harness.model.clock import Clock
from harness.model.records import Booted
from harness.model.run_folder import COMPRESSED
from harness.suite import proof
from harness.suite.plan import Session
from harness.vm import blocks, core, hang, launch, vms
from harness.vm.blocks import Dump
from harness.vm.qemu_args import Boot
from harness.vm.ssh import Guest
from harness.vm.vm_time import StoodStill
from harness.vm.vms import GuestDied, Vm

MODULE = "/vmalloc_test.ko"
_SECOND = "/vmalloc_second.ko"
"""place at which the module looks for the one that it loads"""
CLOCK = ("cat", "/sys/devices/system/clocksource/clocksource0/current_clocksource")
"""command by which a guest says what it takes the time from"""
_LAST_WORDS = 1.0
"""seconds in which a kernel that panics has ended its VM"""


class Hosting(msgspec.Struct, frozen=True):
    """Functions that find, start and prove the VMs of a lab; tests hand in their own."""

    start: Callable[..., Vm] = launch.start
    find: Callable[..., Vm | None] = vms.find
    make_way: Callable[[str, Clock], None] = vms.make_way
    running: Callable[[], Iterator[Vm]] = vms.running
    connect: Callable[[int, float, Timed], Guest] = Guest
    """to a VM's port, at its pace, with deadlines in its time"""
    prove: Callable[[Guest, Session, Vm, Boot, str], Booted] = proof.prove
    """asks a guest what it runs, and raises Mismatch if that is not what was built for it"""


_HOSTING = Hosting()


def put_modules(guest: Guest, built: BuiltCell) -> None:
    """Write the module, and the one that a test of the rig's own loads, in a guest."""
    for file, place in modules(built):
        guest.put(file.read_bytes(), place)


def modules(built: BuiltCell) -> tuple[tuple[Path, str], ...]:
    """Return the module, and the one that a test of the rig's own loads, each with its place in a guest."""
    own = () if built.kernel.foreign else ((built.kernel.second_module, _SECOND),)
    return (built.kernel.module, MODULE), *own


class Pause(NamedTuple):
    """Seconds in which the host or QEMU stood still."""

    here: float
    """in this step of a session"""
    lately: float
    """in this one and the one before: a guest may report the stall that its clock shows only in the next"""
    starved: float = 0.0
    """in both together, those in which QEMU had no CPU as well, if they are most of the time; else 0"""


class Station:
    """One VM with an SSH connection, the module in place, proof of what it runs, and a name for its log."""

    def __init__(self, session: Session, machine: Vm, boot: Boot, log: Path, hosting: Hosting) -> None:
        """Connect to `machine`, which was to be booted as `boot`, and have it proved; its console's log will be kept as `log`.

        Raises Mismatch if it runs something else, VmLost when it does not answer.
        """
        self.vm = machine
        self.log_name = log.name
        self._log = log
        self.symbols = session.built.kernel.folder / "System.map"
        """of its kernel"""
        self.guest = hosting.connect(machine.state.port, machine.pace, machine.time)
        put_modules(self.guest, session.built)
        self.clocksource = self.guest.run(*CLOCK).strip()
        self.booted = hosting.prove(self.guest, session, machine, boot, MODULE)
        self._stood = self._stood_before = 0.0
        self._since = self._since_before = Deadline(0.0, machine.time)

    def dumps(self) -> list[Dump]:
        """Return what QEMU's plugin told since this was last asked: nothing without the plugin.

        Raises VmLost if that cannot be read.
        """
        return blocks.taken(self.vm.folder / blocks.FOLDER)

    def stood_still(self) -> Pause:
        """Return how long the host or QEMU stood still since this was last asked, and since the time before that."""
        total = self.vm.time.stood
        pause = Pause(total - self._stood, total - self._stood_before, self._since_before.doubt)
        self._stood_before, self._stood = self._stood, total
        self._since_before, self._since = self._since, Deadline(0.0, self.vm.time)
        return pause

    def keep(self) -> None:
        """Save the console's log so far: it is evidence if the rig is killed."""
        if self.vm.console.log.exists():
            files.write(self._log, self.vm.console.log.read_bytes())

    def turn(self, log: Path) -> None:
        """Begin the next part of the console's log, to be kept as `log`, and compress the one before it.

        Lines count from 1 in each part. Raises VmLost if QEMU does not answer.
        """
        with self.vm.standing_still():
            files.write(self._log.with_name(f"{self._log.name}{COMPRESSED}"), gzip.compress(self.vm.console.taken(), mtime=0))
            self.vm.console.forget()
        self._log.unlink(missing_ok=True)
        self._log, self.log_name = log, log.name

    def close(self, *, stop: bool) -> None:
        """Keep the console's log, and end the VM if `stop`."""
        self.guest.close()
        try:
            self.keep()
        finally:
            if stop:
                self.vm.stop()
            else:
                self.vm.release()


class Lab:
    """Gives each test the VM of its session."""

    def __init__(self, logs: Path, *, keep: bool, pauses: bool = False, hosting: Hosting = _HOSTING) -> None:
        """Keep consoles' logs in `logs`; with `keep` leave up the first VM of every cell and clock.

        With `pauses` a VM whose guest ends can still be left for a person to look at. `hosting` has the VMs.
        """
        self._logs = logs
        self._keep = keep
        self._pauses = pauses
        self._stations: dict[str, Station] = {}
        self._log_names: dict[str, str] = {}
        self._hosting = hosting
        self._booted: list[Booted] = []
        self._refused: dict[str, Mismatch] = {}

    def station(self, session: Session) -> Station:
        """Return the VM of `session`, booting it if it is not up.

        Raises GuestDied when the kernel does not come up, or ended since it was last used;
        VmLost when QEMU does not start, or was killed; Mismatch, again and again, if it runs another kernel than was built for it.
        """
        key = session.name
        if key in self._refused:
            raise self._refused[key]
        held = self._stations.get(key)
        if held and held.vm.alive:
            return held
        if held:
            first, log = held.vm.console.line, held.vm.console.rest()
            try:
                end = held.vm.ended(f"{session.built.cell.name}: the VM ended between two tests")
            finally:
                self.lose(session)
            raise GuestDied(f"{end}.", log, first)
        self._make_room()
        fresh = key not in self._log_names
        self._log_names[key] = self._free_name(key)
        files.write(self._logs / self._log_names[key], "")
        try:
            station = self._stations[key] = self._connect(session, may_find=fresh and session.boot == 0)
        except Mismatch as mismatch:
            self._refused[key] = mismatch
            raise
        self._booted.append(station.booted)
        if "jiffies" in station.clocksource:
            self.lose(session)
            raise VmLost(
                f"{session.name}: the guest could not measure its CPU's clock and counts ticks of milliseconds instead"
                f" ({station.clocksource}); the host is too busy, so try again when it is not."
            )
        return station

    def booted(self) -> tuple[Booted, ...]:
        """Return the boots that proved what they run since this was last asked."""
        booted, self._booted = tuple(self._booted), []
        return booted

    def current(self, session: Session) -> Station | None:
        """Return the VM of a session if it was used and not lost."""
        return self._stations.get(session.name)

    def turn(self, session: Session, most: int) -> None:
        """Begin the next part of a console's log if this one has `most` bytes: QEMU ends with a log that is too long.

        Raises VmLost if QEMU does not answer. If it has ended, the next call of `station` reports that.
        """
        station = self._stations.get(session.name)
        if not station or station.vm.console.size < most:
            return
        name = self._free_name(session.name)
        files.write(self._logs / name, "")
        try:
            station.turn(self._logs / name)
        except VmLost:
            (self._logs / name).unlink()
            if station.vm.running:
                raise
            return
        self._log_names[session.name] = name

    def last_log(self, session: Session) -> str:
        """Return the name of the log of the latest VM of a session."""
        return self._log_names.get(session.name, f"{session.name}.serial.log")

    def lose(self, session: Session) -> None:
        """End a VM that cannot be used any more; the next call of `station` boots it afresh."""
        station = self._stations.pop(session.name, None)
        if station:
            station.close(stop=True)

    def leave(self, session: Session, test: str, how: str) -> str:
        """Leave the VM, or its memory, to a person after `test` has failed; return a description of it.

        `how` is ``keep``, which leaves the VM itself, one of each cell; or ``core``, a file with its memory.
        The next call of `station` boots a fresh VM.
        """
        station = self._stations.pop(session.name)
        cell, state = session.built.cell, station.vm.state
        if not station.vm.running:
            left = "nothing: its QEMU has ended"
        elif how == "core":
            file = self._logs / station.log_name.replace(".serial.log", ".core")
            left = core.dump(station.vm, file, session.size << 20, session.built.kernel)
        elif any(up.state.kept and up.state.cell == cell.name for up in self._hosting.running()):
            left = f"nothing: a VM of {cell.name} has been kept already"
        else:
            station.vm.keep(test)
            station.close(stop=False)
            words = f"{cell.machine.name} {cell.variant.name} --profile {cell.profile} --clock {state.clock}"
            return f"the VM itself: `invoke gdb {words}`, or `invoke ssh {words}` if it still answers; then `invoke down`"
        station.close(stop=True)
        return left

    def close(self) -> None:
        """Keep all logs, and end the VMs that were not left up on purpose."""
        for station in self._stations.values():
            station.close(stop=bool(station.vm.state.owner))
        self._stations.clear()

    def _free_name(self, key: str) -> str:
        """Return a name for a log that is no earlier VM's, of this process or of one that was interrupted."""
        tries = (f"{key}{f'.{n}' if n else ''}.serial.log" for n in itertools.count())
        taken = {file.name.removesuffix(COMPRESSED) for file in self._logs.iterdir()} if self._logs.exists() else set()
        return next(name for name in tries if name not in taken)

    def _connect(self, session: Session, *, may_find: bool) -> Station:
        name = self._log_names[session.name]
        wanted = booting(session.built, session.clock, memory=session.memory, pauses=self._pauses, watched=session.watched)
        cell = session.built.cell.name
        machine = up = self._hosting.find(cell, wanted, unused=session.timed) if may_find else None
        keep = self._keep and session.boot == 0
        if keep and not up:
            self._hosting.make_way(cell, session.clock)
        try:
            machine = machine or self._hosting.start(wanted, cell, keep=keep, ask=self._asking(session))
            station = Station(session, machine, wanted, self._logs / name, self._hosting)
            machine.use()
            return station
        except Mismatch:
            machine.stop()  # type: ignore[union-attr] # only a guest that is up can be another than it should be
            if not up:
                raise
            return self._connect(session, may_find=False)  # what was left up was of another build; a fresh one is right
        except GuestDied as died:
            files.write(self._logs / name, died.log)
            raise
        except BaseException as error:
            try:
                if machine and isinstance(error, VmLost) and not isinstance(error, StoodStill):
                    raise self._dead(session, machine, error) from error
                raise
            finally:
                if machine:
                    machine.stop()

    def _dead(self, session: Session, machine: Vm, lost: VmLost) -> GuestDied:
        """Return the death of a guest of which SSH was `lost`, with its log and its testimony; VmLost if QEMU was killed."""
        _settle(machine)
        log = machine.console.log.read_bytes().decode(errors="replace")
        files.write(self._logs / self._log_names[session.name], log)
        if not machine.alive:
            return GuestDied(machine.ended(str(lost)), log)
        dead = GuestDied(str(lost), log)
        dead.testimony = self._asking(session)(machine)
        return dead

    def _asking(self, session: Session) -> launch.Ask:
        symbols = session.built.kernel.folder / "System.map"
        return lambda machine: hang.question(machine, symbols, harmless=False)

    def _make_room(self) -> None:
        """End the VMs that are not in use: the memory of one for each worker is what the plan counts on."""
        for key in [key for key, station in self._stations.items() if station.vm.state.owner]:
            self._stations.pop(key).close(stop=True)


def booting(built: BuiltCell, clock: Clock, *, memory: int = 0, pauses: bool, watched: bool = False) -> Boot:
    """Return the settings to boot the VM of a cell with, under a clock and with `memory` MiB, or the machine's own if 0.

    With `pauses` QEMU stays up when the guest has ended, so that a person can look at it; if `watched` it has its plugin.
    """
    return Boot(
        machine=built.cell.machine,
        clock=clock,
        kernel=built.kernel.image,
        initramfs=built.rootfs.image,
        accelerator="tcg" if clock is Clock.ICOUNT else built.accelerator,
        port=0,
        address=rootfs.ADDRESS,
        profile=built.cell.profile,
        memory=memory,
        pauses=pauses,
        plugin=built.plugin if watched else None,
        symbols=built.kernel.folder / "System.map" if watched else None,
    )


def _settle(machine: Vm) -> None:
    """Give a kernel whose SSH broke off the time to say why."""
    last = Deadline(_LAST_WORDS, machine.time)
    while machine.alive and not last.over:
        time.sleep(POLL)
