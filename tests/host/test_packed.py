# SPDX-License-Identifier: GPL-2.0-only
"""Files that are compressed: known by how they begin, and read whole or not at all."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
from collections.abc import Callable

import pytest

from harness.host import packed

TEXT = b"text\n" * 1000


@pytest.mark.parametrize("pack", [gzip.compress, lzma.compress, bz2.compress])
def test_what_is_compressed_is_unpacked(pack: Callable[[bytes], bytes]) -> None:
    data = pack(TEXT)
    unpacking = packed.opened(io.BytesIO(data), data[: packed.BEGINNING])
    assert unpacking
    assert unpacking.read() == TEXT


@pytest.mark.parametrize("pack", [gzip.compress, lzma.compress, bz2.compress])
def test_what_is_cut_off_or_changed_is_damaged(pack: Callable[[bytes], bytes]) -> None:
    data = pack(TEXT)
    middle = len(data) // 2
    for broken in (data[:-5], data[:middle], data[:middle] + bytes(8) + data[middle + 8 :]):
        unpacking = packed.opened(io.BytesIO(broken), broken)
        assert unpacking
        with pytest.raises(packed.DAMAGED):
            unpacking.read()


@pytest.mark.parametrize("data", [b"", b"\x1f", b"BZ", b"text", packed.ZSTD[0]])
def test_any_other_file_is_not_unpacked(data: bytes) -> None:
    assert packed.opened(io.BytesIO(data), data) is None
