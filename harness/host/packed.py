# SPDX-License-Identifier: GPL-2.0-only
"""Unpacks files that gzip, xz or bzip2 compressed, known by how they begin."""

from __future__ import annotations

import bz2
import gzip
import lzma
import zlib
from typing import BinaryIO, cast

BEGINNING = 6
"""bytes by which a file is known"""
DAMAGED = (OSError, EOFError, zlib.error, lzma.LZMAError)
"""exceptions of a file that is not whole, when it is read"""
ZSTD = (b"\x28\xb5\x2f\xfd", "is compressed by zstd; unpack it with `zstd -d`")
"""beginning of files that nothing here unpacks, and what to say of them"""
_UNPACK = ((b"\x1f\x8b", gzip.open), (b"\xfd7zXZ\0", lzma.open), (b"BZh", bz2.open))


def opened(file: BinaryIO, beginning: bytes) -> BinaryIO | None:
    """Return what unpacks `file`, which begins with `beginning`, as it is read; None if it is not compressed."""
    for known, unpack in _UNPACK:
        if beginning.startswith(known):
            return cast("BinaryIO", unpack(file))
    return None
