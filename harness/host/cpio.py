# SPDX-License-Identifier: GPL-2.0-only
"""Writes a cpio archive in the format newc, as the kernel reads an initramfs.

Its source is the kernel's Documentation/driver-api/early-userspace/buffer-format.rst.
"""

from __future__ import annotations

from collections.abc import Mapping

_FOLDER, _FILE = 0o040755, 0o100755
_ALIGNED = 4
_END = "TRAILER!!!"


def newc(folders: tuple[str, ...], files: Mapping[str, bytes]) -> bytes:
    """Return an archive of folders and files, by path without a slash in front; all belong to root, and files can be run.

    What another archive has may follow it: the kernel unpacks one after the other.
    """
    entries = [(name, _FOLDER, b"") for name in folders] + [(name, _FILE, data) for name, data in files.items()]
    made = b"".join(_entry(number, *entry) for number, entry in enumerate(entries, 1))
    return _padded(made + _entry(0, _END, 0, b""))


def _entry(inode: int, name: str, mode: int, data: bytes) -> bytes:
    path = name.encode() + b"\0"
    fields = (inode, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(path), 0)
    head = b"070701" + "".join(f"{field:08x}" for field in fields).encode()
    return _padded(head + path) + _padded(data)


def _padded(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % _ALIGNED)
