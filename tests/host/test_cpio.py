# SPDX-License-Identifier: GPL-2.0-only
"""Archives that cpio itself reads, also with another one behind them."""

from __future__ import annotations

import subprocess
from pathlib import Path

from harness.host import cpio


def unpacked(archive: bytes, into: Path) -> None:
    into.mkdir()
    done = subprocess.run(
        ("cpio", "--extract", "--quiet", "--no-preserve-owner"), cwd=into, input=archive, capture_output=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, b"")


def test_cpio_unpacks_what_was_packed(tmp_path: Path) -> None:
    whole = {"d/a": b"x" * 4097, "d/b.ko": b"", "init": b"#!/bin/sh\n\0\xff"}
    unpacked(cpio.newc(("d",), whole), tmp_path / "out")
    assert {name: (tmp_path / "out" / name).read_bytes() for name in whole} == whole
    assert (tmp_path / "out/d").is_dir()
    assert (tmp_path / "out/init").stat().st_mode & 0o777 == 0o755


def test_another_archive_may_follow() -> None:
    for data in (b"", b"x", b"xy", b"xyz", b"xyzz"):
        assert len(cpio.newc((), {"a": data})) % 4 == 0, "the kernel looks for the next one at a multiple of four"


def test_an_archive_of_nothing_has_its_end(tmp_path: Path) -> None:
    unpacked(cpio.newc((), {}), tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []
