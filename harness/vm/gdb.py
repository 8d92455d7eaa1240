# SPDX-License-Identifier: GPL-2.0-only
"""The command line of gdb for a kernel that runs under QEMU, as a function of what is to be debugged."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness import paths

BINARY = "gdb-multiarch"
_MODULES = Path(__file__).with_name("gdb_modules.py")


def command(vmlinux: Path, module: Path | None, socket: Path, source: Path, script: Sequence[str] = ()) -> tuple[str, ...]:
    """Return the command that debugs the kernel whose gdbstub listens at the unix socket `socket`.

    `source` is the kernel's tree, and `module` the module with its debug information: where the guest has it
    loaded gdb reads from the guest's memory, so that nothing needs to answer there. gdb leaves its user at a prompt
    with the guest stopped, or with `script` does the commands in it and ends; either way the guest goes on afterwards.
    """
    return (
        BINARY,
        "-quiet",
        # The user's own settings are none of a script's.
        *(("-nx", "-batch") if script else ()),
        # Nothing of these kernels is on any server; the question whether to ask one has no reader in a script.
        *("-iex", "set debuginfod enabled off"),
        *("-directory", str(source), "-directory", str(paths.TEST_MODULE.parent)),
        *("-ex", f"target remote {socket}"),
        *(("-ex", f"source {_MODULES}", "-ex", f"add-module {module.absolute()}") if module else ()),
        *(word for line in script for word in ("-ex", line)),
        str(vmlinux.absolute()),
    )
