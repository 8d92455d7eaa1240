# SPDX-License-Identifier: GPL-2.0-only
"""Old rigs on a worker's host are removed, but none that a process is in, that is new, or that is no rig."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from harness import paths
from harness.cluster import installed
from harness.errors import RigError

Rig = Callable[[str], Path]
HOUR = 3600.0


@pytest.fixture
def old(cache: Path) -> Rig:
    """Makes a rig that was installed an hour ago."""

    def made(name: str) -> Path:
        folder = installed.folder() / name
        (folder / ".venv/bin").mkdir(parents=True)
        (folder / "bootstrap").touch()
        os.utime(folder, (time.time() - HOUR,) * 2)
        return folder

    return made


@pytest.fixture
def within() -> Iterator[Callable[[Path], None]]:
    """Starts a process that has a folder as its own."""
    started: list[subprocess.Popen[bytes]] = []
    yield lambda folder: started.append(subprocess.Popen(("sleep", "60"), cwd=folder))
    for process in started:
        process.kill()
        process.wait()


def left() -> list[str]:
    return sorted(file.name for file in installed.folder().iterdir())


def test_rigs_that_nobody_uses_are_removed_and_that_in_which_a_worker_runs_stays(old: Rig, within: Callable[[Path], None]) -> None:
    for name in ("1" * 16, "2" * 16, ".new.Ab3dE6"):
        old(name)
    within(old("3" * 16))
    within(old("4" * 16) / ".venv/bin")
    assert installed.remove_unused() == 3
    assert left() == ["3" * 16, "4" * 16]
    assert installed.remove_unused() == 0


def test_a_rig_that_was_installed_or_asked_for_lately_stays(old: Rig) -> None:
    os.utime(old("1" * 16))
    assert installed.remove_unused() == 0
    assert left() == ["1" * 16]


def test_the_rig_itself_stays(old: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paths, "PROJECT", old("1" * 16))
    assert installed.remove_unused() == 0


def test_what_is_no_rig_stays_and_a_removal_that_was_cut_short_is_finished(old: Rig, tmp_path: Path) -> None:
    for name in ("mine", "1" * 15, ".removing-" + "5" * 16):
        old(name)
    (installed.folder() / ("6" * 16)).symlink_to(tmp_path)
    assert installed.remove_unused() == 0
    assert left() == ["1" * 15, "6" * 16, "mine"]
    assert tmp_path.is_dir()


def test_without_any_there_is_nothing_to_do(cache: Path) -> None:
    assert installed.remove_unused() == 0


def test_one_that_cannot_be_removed_is_said(old: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    old("1" * 16)

    def rename(*_: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(Path, "rename", rename)
    with pytest.raises(RigError, match=r"1{16} cannot be removed: Read-only file system; remove it by hand\.$"):
        installed.remove_unused()
