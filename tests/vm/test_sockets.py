# SPDX-License-Identifier: GPL-2.0-only
"""The folder of a VM's sockets: short, private, found again, and not left behind."""

from __future__ import annotations

import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness import paths
from harness.errors import UsageError
from harness.vm import sockets


@pytest.fixture
def short() -> Iterator[Path]:
    """A folder with a short path."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


@pytest.fixture
def deep(tmp_path: Path) -> Path:
    """A VM's folder whose path is too long for a socket."""
    folder = tmp_path / ("deep-" * 20) / "cache" / "vms" / "vm-1"
    folder.mkdir(parents=True)
    return folder


def test_a_socket_can_be_made_for_a_vm_whose_folder_has_a_long_path(deep: Path) -> None:
    with socket.socket(socket.AF_UNIX) as one, pytest.raises(OSError, match="too long"):
        one.bind(str(deep / sockets.CONSOLE))
    sockets.make(deep)
    made = sockets.of(deep)
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(str(made / sockets.CONSOLE))
    assert made.stat().st_mode & 0o777 == 0o700
    (made / sockets.CONSOLE).unlink()
    made.rmdir()


def test_two_vms_have_two_folders(deep: Path, short: Path) -> None:
    other = deep.with_name("vm-2")
    other.mkdir()
    for folder in (deep, other):
        sockets.make(folder, [short])
    assert sockets.of(deep) != sockets.of(other)
    assert sockets.of(deep).parent == sockets.of(other).parent == short


def test_a_root_that_cannot_be_used_is_passed_over(deep: Path, short: Path) -> None:
    long = short / ("x" * 100)
    long.mkdir()
    sockets.make(deep, [short / "missing", long, short])
    assert sockets.of(deep).parent == short


def test_what_is_there_already_may_be_somebody_elses(deep: Path, short: Path) -> None:
    first, second = short / "1", short / "2"
    first.mkdir()
    second.mkdir()
    sockets.make(deep, [first])
    sockets.make(deep, [first, second])
    assert sockets.of(deep).parent == second


def test_no_root_at_all_is_said_with_what_to_do(deep: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=rf"cannot be put in {tmp_path}/missing: .* set XDG_RUNTIME_DIR"):
        sockets.make(deep, [tmp_path / "missing"])
    assert sockets.of(deep) == deep
    assert list(deep.iterdir()) == []


@pytest.mark.parametrize(("own", "first"), [("/run/user/1", "/run/user/1"), ("", None), ("relative", None)])
def test_the_users_runtime_folder_comes_first(monkeypatch: pytest.MonkeyPatch, own: str, first: str | None) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", own)
    roots = [str(root) for root in paths.runtime()]
    assert (roots[0] if first else None) == first
    assert roots[-1] == "/tmp"
    assert all(root.startswith("/") for root in roots)
