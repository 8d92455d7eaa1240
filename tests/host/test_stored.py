# SPDX-License-Identifier: GPL-2.0-only
"""Files that something else has damaged or replaced are an error of a known kind, and never waited for."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from harness.host import stored


class Kept(msgspec.Struct):
    name: str
    number: int = 0


def test_a_value_is_read_back(tmp_path: Path) -> None:
    (tmp_path / "kept.json").write_bytes(msgspec.json.encode(Kept("a", 5)))
    assert stored.decode(stored.content(tmp_path / "kept.json"), Kept) == Kept("a", 5)


@given(st.one_of(st.binary(max_size=60), st.binary(max_size=9).map(lambda data: b'{"name":"' + data + b'"}')))
@example(b'{"name":"\xff"}')
@example(b'{"x":' + b"[" * 5000)
@example(b'{"name":"\\ud800"}')
@example(b'{"name":"","number":1' + b"0" * 5000 + b"}")
def test_no_bytes_are_too_strange(data: bytes) -> None:
    with contextlib.suppress(msgspec.DecodeError):
        assert msgspec.json.encode(stored.decode(data, Kept))


def test_a_pipe_and_a_folder_are_no_files(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name in ("pipe", "."):
        with pytest.raises(OSError, match="it is not a regular file"):
            stored.content(tmp_path / name)
    with pytest.raises(FileNotFoundError):
        stored.content(tmp_path / "missing")
