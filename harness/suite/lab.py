# SPDX-License-Identifier: GPL-2.0-only
"""The VMs of a suite: booted when first needed, booted afresh when one was lost, taken down at the end."""

from __future__ import annotations

import shutil
from pathlib import Path

from harness import rootfs, store, vm
from harness.errors import VmLost
from harness.guest import Guest
from harness.matrix import Clock
from harness.plan import BuiltCell
from harness.qemu_args import Boot
from harness.vm import GuestDied, Vm

_MODULE = "/root/vmalloc_test.ko"


class Station:
    """One VM with an SSH connection, the module in place, and a name for its log."""

    def __init__(self, built: BuiltCell, clock: Clock, machine: Vm, number: int, *, own: bool) -> None:
        """Connect to `machine`, the boot `number` of this cell in this suite; `own` if the suite booted it."""
        self.vm = machine
        self.clock = clock
        self.number = number
        self.own = own
        self.log_name = log_name(built, clock, number)
        self.module = _MODULE
        self.guest = Guest(machine.state.port)
        self.guest.put(built.kernel.module.read_bytes(), _MODULE)

    def close(self, logs: Path, *, stop: bool) -> None:
        """Keep the console's log in the folder `logs`, and end the VM if `stop`."""
        self.guest.close()
        keep_log(self.vm, logs / self.log_name)
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

        Raises GuestDied when the kernel does not come up, VmLost when QEMU does not.
        """
        key = (built.cell.name, clock)
        held = self._stations.get(key)
        if held and held.vm.alive:
            return held
        if held:
            self.lose(built, clock)
        self._make_room(key)
        number = self._boots.get(key, 0)
        self._boots[key] = number + 1
        machine = vm.find(built.cell.name, clock, built.kernel.key) if number == 0 else None
        own = machine is None
        if machine is None:
            try:
                machine = boot(built, clock, keep=self._keep)
            except GuestDied as died:
                store.write(self._logs / log_name(built, clock, number), died.log)
                raise
        try:
            self._stations[key] = Station(built, clock, machine, number, own=own)
        except VmLost:
            if own:
                machine.stop()
            raise
        return self._stations[key]

    def last_log(self, built: BuiltCell, clock: Clock) -> str:
        """Return the name of the log of the latest boot of a cell."""
        return log_name(built, clock, self._boots.get((built.cell.name, clock), 1) - 1)

    def lose(self, built: BuiltCell, clock: Clock) -> None:
        """End a VM that cannot be used any more; the next call of `station` boots it afresh."""
        station = self._stations.pop((built.cell.name, clock), None)
        if station:
            station.close(self._logs, stop=True)

    def close(self) -> None:
        """Keep all logs and end what this lab booted, unless it is to be kept."""
        for station in self._stations.values():
            station.close(self._logs, stop=station.own and not self._keep)
        self._stations.clear()

    def _make_room(self, key: tuple[str, Clock]) -> None:
        """End the lab's own idle VMs: the memory of one per cell is what the plan counts on."""
        for other in [k for k, s in self._stations.items() if k != key and s.own and not self._keep]:
            self._stations.pop(other).close(self._logs, stop=True)


def log_name(built: BuiltCell, clock: Clock, number: int) -> str:
    """Return the name of the file in a run's folder that keeps what a boot's console said."""
    return f"{built.cell.name.replace('/', '-')}-{clock}-{number}.serial.log"


def boot(built: BuiltCell, clock: Clock, *, keep: bool) -> Vm:
    """Boot the VM of a cell under a clock."""
    wanted = Boot(
        machine=built.cell.machine,
        clock=clock,
        kernel=built.kernel.image,
        initramfs=built.rootfs.image,
        accelerator="tcg" if clock is Clock.ICOUNT else built.accelerator,
        port=0,
        address=rootfs.ADDRESS,
    )
    return vm.start(wanted, built.cell.name, built.kernel.key, keep=keep)


def keep_log(machine: Vm, target: Path) -> None:
    """Copy what a VM's console said so far."""
    if machine.console.log.exists():
        shutil.copyfile(machine.console.log, target)
