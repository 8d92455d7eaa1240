# SPDX-License-Identifier: GPL-2.0-only
"""Builds the command line of gdb for a kernel that runs under QEMU."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness import paths

BINARY = "gdb-multiarch"
_MODULES = Path(__file__).with_name("gdb_modules.py")


def command(vmlinux: Path, module: Path | None, socket: Path, source: Path, script: Sequence[str] = ()) -> tuple[str, ...]:
    """Return the command that debugs the kernel whose gdbstub listens at the unix socket `socket`.

    `source` is the kernel's tree, and `module` the module with its debug information. gdb reads the module's address
    from the guest's memory, so that this works in a guest that hangs. Without `script` gdb stops the guest and shows a
    prompt; with it gdb runs the commands in it and ends. The guest continues when gdb ends.
    """
    return (
        BINARY,
        "-quiet",
        # A script must not depend on the user's settings.
        *(("-nx", "-batch") if script else ()),
        # No server has these kernels, and in a script nobody can answer gdb's question about it.
        *("-iex", "set debuginfod enabled off"),
        *("-directory", str(source), "-directory", str(paths.TEST_MODULE.parent)),
        *("-ex", f"target remote {socket}"),
        *(("-ex", f"source {_MODULES}", "-ex", f"add-module {module.absolute()}") if module else ()),
        *(word for line in script for word in ("-ex", line)),
        str(vmlinux.absolute()),
    )
