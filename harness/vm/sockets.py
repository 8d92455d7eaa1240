# SPDX-License-Identifier: GPL-2.0-only
"""Keeps the sockets of a VM in a short folder of their own: a socket's path has at most 107 bytes, a cache's may have more."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path

from harness import paths
from harness.errors import UsageError
from harness.host import files

QMP = "qmp"
"""socket on which QEMU takes commands"""
CONSOLE = "serial"
"""socket that is connected to the guest's serial line"""
GDB = "gdb"
"""socket of the gdbstub, once a debugger was asked for"""
_LONGEST = 107
"""bytes of a socket's path in sun_path, without the zero byte: see unix(7)"""
_LINK = "sockets"
"""link in a VM's folder to the folder of its sockets"""


def make(folder: Path, roots: Sequence[Path] | None = None) -> None:
    """Make the folder of the sockets of the VM in `folder`, in the first of `roots` that can be used.

    Its name follows from that of the VM's folder, and only this user may open it. Raises UsageError if no root can be used.
    """
    tried = paths.runtime() if roots is None else roots
    for root in tried:
        made = root / f"kernel-patch-rig-{files.digest(os.fsencode(folder))[:16]}"
        if len(os.fsencode(made / CONSOLE)) > _LONGEST:
            continue
        # The link comes first: whoever sweeps after a crash finds the folder by it.
        (folder / _LINK).unlink(missing_ok=True)
        (folder / _LINK).symlink_to(made)
        with contextlib.suppress(OSError):
            made.mkdir(mode=0o700)
            return
    (folder / _LINK).unlink(missing_ok=True)
    raise UsageError(
        f"The sockets of a VM cannot be put in {' or '.join(map(str, dict.fromkeys(tried)))}: the path is too long, or no folder"
        " can be made there; set XDG_RUNTIME_DIR to a folder of yours with a short path."
    )


def of(folder: Path) -> Path:
    """Return the folder of the sockets of the VM in `folder`; that itself for a VM of an earlier version of the rig."""
    try:
        return (folder / _LINK).readlink()
    except OSError:
        return folder
