# SPDX-License-Identifier: GPL-2.0-only
"""The VMs of a suite: booted when first needed, booted afresh when one was lost, taken down at the end."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

from harness import rootfs, store, vm
from harness.clock import POLL, Deadline
from harness.errors import VmLost
from harness.guest import Guest
from harness.matrix import Clock
from harness.plan import BuiltCell
from harness.qemu_args import Boot
from harness.vm import GuestDied, Vm

MODULE = "/vmalloc_test.ko"
_LAST_WORDS = 1.0
"""seconds in which a kernel that panics has ended its VM"""


class Station:
    """One VM with an SSH connection, the module in place, and a name for its log."""

    def __init__(self, built: BuiltCell, clock: Clock, machine: Vm, number: int) -> None:
        """Connect to `machine`, the boot `number` of this cell in this suite."""
        self.vm = machine
        self.clock = clock
        self.number = number
        self.log_name = log_name(built, clock, number)
        self.guest = Guest(machine.state.port)
        self.guest.put(built.kernel.module.read_bytes(), MODULE)

    def close(self, logs: Path, *, stop: bool) -> None:
        """Keep the console's log in the folder `logs`, and end the VM if `stop`."""
        self.guest.close()
        _keep_log(self.vm, logs / self.log_name)
        if stop:
            self.vm.stop()


class Lab:
    """Gives each test the VM of its cell and clock."""

    def __init__(self, logs: Path, *, keep: bool) -> None:
        """Keep consoles' logs in `logs`; with `keep` leave up what this lab boots."""
        self._logs = logs
        self._keep = keep
        self._stations: dict[tuple[str, Clock], Station] = {}
        self._boots: dict[tuple[str, Clock], int] = {}

    def station(self, built: BuiltCell, clock: Clock) -> Station:
        """Return the VM of `built` under `clock`, booting it if it is not up.

        Raises GuestDied when the kernel does not come up, or ended since it was last used;
        VmLost when QEMU does not start.
        """
        key = (built.cell.name, clock)
        held = self._stations.get(key)
        if held and held.vm.alive:
            return held
        if held:
            first, said = held.vm.console.line, held.vm.console.rest()
            self.lose(built, clock)
            raise GuestDied(f"{built.cell.name}: the VM ended between two tests.", said, first)
        self._make_room()
        number = self._boots.get(key, 0)
        self._boots[key] = number + 1
        self._stations[key] = self._connect(built, clock, number)
        return self._stations[key]

    def current(self, built: BuiltCell, clock: Clock) -> Station | None:
        """Return the VM of a cell if it was used and not lost."""
        return self._stations.get((built.cell.name, clock))

    def last_log(self, built: BuiltCell, clock: Clock) -> str:
        """Return the name of the log of the latest boot of a cell."""
        return log_name(built, clock, self._boots.get((built.cell.name, clock), 1) - 1)

    def lose(self, built: BuiltCell, clock: Clock) -> None:
        """End a VM that cannot be used any more; the next call of `station` boots it afresh."""
        station = self._stations.pop((built.cell.name, clock), None)
        if station:
            station.close(self._logs, stop=True)

    def close(self) -> None:
        """Keep all logs, and end the VMs that were not left up on purpose."""
        for station in self._stations.values():
            station.close(self._logs, stop=bool(station.vm.state.owner))
        self._stations.clear()

    def _connect(self, built: BuiltCell, clock: Clock, number: int) -> Station:
        log = self._logs / log_name(built, clock, number)
        wanted = booting(built, clock)
        machine = vm.find(built.cell.name, wanted) if number == 0 else None
        try:
            machine = machine or vm.start(wanted, built.cell.name, keep=self._keep)
            return Station(built, clock, machine, number)
        except GuestDied as died:
            store.write(log, died.log)
            raise
        except VmLost as lost:
            if machine is None:
                raise
            _settle(machine)
            said = machine.console.log.read_bytes().decode(errors="replace")
            store.write(log, said)
            machine.stop()
            raise GuestDied(str(lost), said) from lost

    def _make_room(self) -> None:
        """End the VMs that are not in use: the memory of one for each worker is what the plan counts on."""
        for key in [key for key, station in self._stations.items() if station.vm.state.owner]:
            self._stations.pop(key).close(self._logs, stop=True)


def log_name(built: BuiltCell, clock: Clock, number: int) -> str:
    """Return the name of the file in a run's folder that keeps what a boot's console said."""
    return f"{built.cell.name.replace('/', '-')}-{clock}-{number}.serial.log"


def booting(built: BuiltCell, clock: Clock) -> Boot:
    """Return what the VM of a cell under a clock is booted with."""
    return Boot(
        machine=built.cell.machine,
        clock=clock,
        kernel=built.kernel.image,
        initramfs=built.rootfs.image,
        accelerator="tcg" if clock is Clock.ICOUNT else built.accelerator,
        port=0,
        address=rootfs.ADDRESS,
    )


def _keep_log(machine: Vm, target: Path) -> None:
    if machine.console.log.exists():
        shutil.copyfile(machine.console.log, target)


def _settle(machine: Vm) -> None:
    """Give a kernel whose SSH broke off the time to say why."""
    deadline = Deadline(_LAST_WORDS)
    while machine.alive and not deadline.over:
        time.sleep(POLL)
