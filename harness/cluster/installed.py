# SPDX-License-Identifier: GPL-2.0-only
"""Rigs that other hosts installed on this one, a folder for each state of the files; removes those that nobody uses any more."""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path

from harness import paths
from harness.cluster import daemons
from harness.host import files

_FRESH = 1800.0
"""seconds in which a rig stays that was installed, or asked for: another host may be about to start a worker of it"""
_RIG = re.compile(r"[0-9a-f]{16}|\.new\.\w{6}")
"""name of a rig's folder, or of one whose installation was cut short"""


def folder() -> Path:
    """Return the folder of the rigs."""
    return daemons.folder() / "rigs"


def remove_unused() -> int:
    """Remove the rigs that no process is in and that were not installed lately; return their number.

    A worker, and each process below it, is in the folder of its rig. Raises RigError if one cannot be removed.
    """
    if not folder().is_dir():
        return 0
    files.finish_removals(folder())
    busy = {paths.PROJECT, *_in_use()}
    unused = [rig for rig in _rigs() if rig not in busy and rig.stat().st_mtime < time.time() - _FRESH]
    for rig in unused:
        files.remove(rig)
    return len(unused)


def _rigs() -> Iterator[Path]:
    """Yield the rigs of this user, whose processes can be seen."""
    for found in sorted(folder().iterdir()):
        if _RIG.fullmatch(found.name) and found.is_dir() and found.lstat().st_uid == os.getuid():
            yield found


def _in_use() -> Iterator[Path]:
    """Yield the rigs that processes have as their folder."""
    place = folder().resolve()
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it has ended meanwhile, or is another user's
            where = (process / "cwd").readlink()
            if where.is_relative_to(place) and where != place:
                yield folder() / where.relative_to(place).parts[0]
