# SPDX-License-Identifier: GPL-2.0-only
"""What the host lacks, told by programs, by Python and by a file system."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from harness.errors import RigError, VmLost
from harness.host import shortage


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (VmLost("QEMU was killed."), "QEMU was killed."),
        (RuntimeError("can't start new thread"), "can't start new thread; this user ("),
        (BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN)), "Resource temporarily unavailable; this user ("),
        (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/a/b"), "/a/b cannot be used: No space left on device; see by `df -h`"),
        (OSError(errno.EMFILE, os.strerror(errno.EMFILE)), "Too many open files; raise the limit of open files, `ulimit -n`."),
        (FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), "/a"), ""),
        (RuntimeError("dictionary changed size during iteration"), ""),
        (ValueError("No space left on device"), ""),
    ],
    ids=repr,
)
def test_an_error_of_the_host_is_told_in_a_sentence_and_others_are_not(error: Exception, said: str) -> None:
    assert shortage.said(error).startswith(said)
    assert bool(shortage.said(error)) == bool(said)


def test_a_sentence_has_one_end() -> None:
    assert shortage.said(RigError("It is so.")) == "It is so."
    assert shortage.said(RuntimeError("can't start new thread")).endswith("or raise it.")


@pytest.mark.parametrize(
    ("free", "files", "free_files", "said"),
    [
        (2 << 20, 3_085_510, 2_951_861, "(2 MiB and 2,951,861 files are left): make room"),
        (5 << 30, 1000, 3, "(5 GiB and 3 files are left): make room"),
        (2 << 20, 0, 0, "(2 MiB are left): make room"),
        (5 << 30, 0, 0, ""),
        (5 << 30, 1000, 900, ""),
    ],
)
def test_a_file_system_is_full_without_bytes_or_without_files(
    monkeypatch: pytest.MonkeyPatch, free: int, files: int, free_files: int, said: str
) -> None:
    state = SimpleNamespace(f_bavail=free >> 12, f_frsize=1 << 12, f_files=files, f_favail=free_files)
    monkeypatch.setattr(os, "statvfs", lambda _: state)
    told = shortage.full(Path("/cache"))
    assert (said in told) if said else not told
