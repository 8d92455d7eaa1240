# SPDX-License-Identifier: GPL-2.0-only
"""Tasks about the VMs that are up: status, ssh, gdb, down."""

from __future__ import annotations

import os
from collections.abc import Sequence

from invoke.context import Context
from invoke.tasks import task

from harness.commands import attach, options
from harness.tasks import shown
from harness.vm import vms

_VM = {"machine": "the VM's machine", "variant": "its variant", "profile": "its profile", "clock": "icount or wall (default: any)"}


@task(
    positional=["machine", "variant"],
    help={**_VM, "command": "run this and return, instead of a shell"},
    auto_shortflags=False,
)
def ssh(_: Context, machine: str, variant: str, profile: str = "perf", clock: str = "", command: str = "") -> None:
    """Open a shell in a VM that is up; one that was kept after a failure comes first."""
    with options.errors():
        words = attach.ssh(f"{machine}/{variant}/{profile}", clock)
    os.execvp(words[0], [*words, *([command] if command else [])])


@task(
    positional=["machine", "variant"],
    iterable=["command"],
    help={**_VM, "command": "have gdb do this and return, instead of a prompt; may be given more than once"},
    auto_shortflags=False,
)
def gdb(_: Context, machine: str, variant: str, command: Sequence[str], profile: str = "perf", clock: str = "") -> None:
    """Debug the kernel of a VM that is up, which stands still meanwhile; one that was kept after a failure comes first."""
    with options.errors():
        words = attach.debug(f"{machine}/{variant}/{profile}", clock, command)
    os.execvp(words[0], words)


@task
def status(_: Context) -> None:
    """Show the VMs that are up."""
    with options.errors():
        vms.sweep()
        shown.show_running()


@task
def down(_: Context) -> None:
    """Take down the VMs that are up."""
    with options.errors():
        swept = vms.sweep()
        up = list(vms.running())
        free = [machine for machine in up if machine.claim()]
        for machine in free:
            machine.stop()
        shown.say(f"{len(free)} taken down, {swept} swept.")
        for machine in up:
            if machine not in free:
                shown.say(f"{machine.state.cell} is in use by a rig, and stays up.")
