# SPDX-License-Identifier: GPL-2.0-only
"""Attaches to a VM that is up: a shell in it, or a debugger."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from harness import paths
from harness.build import git, kbuild
from harness.errors import UsageError
from harness.host import toml
from harness.model.clock import Clock
from harness.suite import plan
from harness.vm import gdb, sockets, vms
from harness.vm import ssh as guest


def ssh(cell: str, clock: str) -> tuple[str, ...]:
    """Return the command that opens a shell in the VM of `cell`, under any clock if none is given.

    Raises UsageError if there is none up.
    """
    machine = _up(cell, clock)
    return guest.command(machine.state.port, machine.folder)


def debug(cell: str, clock: str, script: Sequence[str]) -> tuple[str, ...]:
    """Open a VM of `cell` to a debugger, and return the command that debugs it, or does `script` and ends.

    Raises UsageError if there is none up, or the kernel that it runs is no longer in the cache.
    """
    machine = _up(cell, clock)
    image = Path(machine.state.command[machine.state.command.index("-kernel") + 1])
    made = plan.load(paths.cache() / "plan.json")
    built = next((built for built in made.cells if built.kernel.image == image), None)
    if built is None:
        raise UsageError(
            f"The VM of {cell} runs a kernel that is not the last one built; run `invoke build` with the options of that VM first."
        )
    tree = kbuild.tree_of(made.base, built.cell.variant)
    if built.kernel.commit:  # another kernel may have been built in its tree since
        with git.held(tree, built.kernel.commit, lambda _: None):
            pass
    for file in (built.kernel.vmlinux, built.kernel.debug_module):
        os.utime(file)  # or gdb would warn of sources that are newer, because they were checked out again since
    socket = machine.sockets / sockets.GDB
    machine.monitor(f"gdbserver unix:{socket},server=on,wait=off")
    return gdb.command(built.kernel.vmlinux, built.kernel.debug_module, socket, tree, script)


def _up(cell: str, clock: str) -> vms.Vm:
    """Return the VM of `cell` that is up, one that was kept after a failure before any other."""
    if clock not in ("", *Clock):
        raise UsageError(f"There is no clock '{clock}'; known are {', '.join(Clock)}.")
    running = list(vms.running())
    of_cell = [machine for machine in running if machine.state.cell == cell]
    if matching := [machine for machine in of_cell if clock in ("", machine.state.clock)]:
        return max(matching, key=lambda machine: bool(machine.state.kept))
    if of_cell:
        other = of_cell[0].state.clock
        raise UsageError(f"No VM of {cell} is up under {clock}, but one is under {other}; say --clock {other}, or leave it out.")
    up = sorted({machine.state.cell for machine in running})
    raise UsageError(f"No VM of {cell} is up; {toml.closest(cell, up) if up else 'run `invoke boot` first.'}")
