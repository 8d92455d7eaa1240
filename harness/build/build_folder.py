# SPDX-License-Identifier: GPL-2.0-only
"""Keeps a build folder fit for make, which trusts each file that is newer than its sources."""

from __future__ import annotations

import os
import shutil
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.host import files
from harness.host.shell import Line

LOG = "build.log"
BUILDING = "rig-building"
"""file in a build folder while it is built in; if it is still there, the build was killed"""
_SKEW = 5.0
"""seconds by which the clock may go back before a build starts from scratch"""
_ELF, _ARCHIVES = b"\x7fELF", (b"!<arch>\n", b"!<thin>\n")
_LINKED = ("vmlinux", ".tmp_vmlinux1", ".tmp_vmlinux2")
_OBJECTS = (".o", ".ko", ".so")
_NEVER_EMPTY = (*_OBJECTS, ".a", ".cmd", ".h", *_LINKED)
_STAMP = ".checked-"
"""begin of the names of empty files by which Kbuild of 6.12 notes that it has checked a header"""
_CONFIGURATION = "include/config"
"""folder in which Kbuild has an empty file for each symbol that is set"""
_HEADER = 64
"""bytes of a 64-bit ELF file's header; that of a 32-bit one is shorter"""
_TABLE = {1: ("I", 32, 46), 2: ("Q", 40, 58)}
"""by an ELF file's class, as in elf.h: the format and place of e_shoff, and the place of e_shentsize and e_shnum"""


@contextmanager
def building(folder: Path, say: Line) -> Iterator[None]:
    """Mark `folder` while it is built in; what the last build left is removed first if it cannot be trusted."""
    mark = folder / BUILDING
    reason = distrust(folder)
    folder.mkdir(exist_ok=True)
    files.write(mark, "")
    if reason:
        say(f"{reason}; building from scratch")
        for path in folder.iterdir():
            if path != mark:  # it has to stay until all else is gone
                shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    try:
        yield
    finally:
        mark.unlink(missing_ok=True)


def distrust(folder: Path) -> str:
    """Return the reason why the files of the last build cannot be used; empty if they can.

    Make compares times only: if the clock was set back, the old objects would count as newer than any source. It also
    takes a file for complete that was being written when its compiler was killed, or that is empty since a power loss.
    """
    log = folder / LOG
    if log.exists() and log.stat().st_mtime > time.time() + _SKEW:
        return "the clock was set back"
    if (folder / BUILDING).exists():
        return "the last build was killed"
    damaged = next(_damaged(folder), None)
    return f"{damaged.relative_to(folder)} is damaged" if damaged else ""


def _damaged(folder: Path) -> Iterator[Path]:
    """Yield files that are empty or not complete; ELF files end with the table of their sections."""
    for place, folders, names in os.walk(folder):
        if Path(place) == folder / _CONFIGURATION:
            folders.clear()
            continue
        for name in names:
            path = Path(place, name)
            if not name.endswith(_NEVER_EMPTY) or name.startswith(_STAMP) or path.is_symlink():
                continue
            if not _fits(path):
                yield path


def _fits(file: Path) -> bool:
    """Return True if `file` has content that fits its name."""
    size = file.stat().st_size
    if not size or not (file.name.endswith((*_OBJECTS, ".a")) or file.name in _LINKED):
        return size > 0
    with file.open("rb") as opened:
        header = opened.read(_HEADER)
    if file.suffix == ".a":
        return header.startswith(_ARCHIVES)
    if not header.startswith(_ELF) or len(header) < _HEADER or header[4] not in _TABLE:
        return False
    kind, offset_at, count_at = _TABLE[header[4]]
    order = "<" if header[5] == 1 else ">"
    (offset,) = struct.unpack_from(order + kind, header, offset_at)
    each, count = struct.unpack_from(order + "HH", header, count_at)
    return int(offset) + int(each) * int(count) <= size
