# SPDX-License-Identifier: GPL-2.0-only
"""Old nights make room, and nothing but old nights does."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from harness.errors import RigError
from harness.runs import retention
from harness.runs.retention import LOG, Limits
from tests.support import make

DAYS = [f"202601{day:02}-030405-abcd" for day in range(1, 7)]
NO_LIMIT = 1 << 40


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """Six nights with a log of 100,000 bytes each."""
    folder = tmp_path / "results"
    for name in DAYS:
        (make.stored(folder, name).folder / LOG).write_bytes(b"x" * 100_000)
    return folder


def left(results: Path) -> list[str]:
    return sorted(path.name for path in results.iterdir())


def removed(results: Path, runs: int, size: int = NO_LIMIT, stored: Sequence[str] = DAYS) -> list[str]:
    return [old.run for old in retention.prune(results, Limits(runs, size), stored)]


def test_nothing_goes_within_the_limits(results: Path) -> None:
    assert removed(results, 6) == []
    assert left(results) == DAYS


def test_the_oldest_go_by_count(results: Path) -> None:
    assert removed(results, 4) == DAYS[:2]
    assert left(results) == DAYS[2:]


def test_the_oldest_go_by_size_which_is_told(results: Path) -> None:
    gone = retention.prune(results, Limits(runs=100, size=350_000), DAYS)
    assert [old.run for old in gone] == DAYS[:3]
    assert all(100_000 < old.size < 102_000 for old in gone)
    assert left(results) == DAYS[3:]


@pytest.mark.parametrize("limits", [(0, NO_LIMIT), (100, 0), (0, 0)])
def test_the_newest_always_stays(results: Path, limits: tuple[int, int]) -> None:
    assert removed(results, *limits) == DAYS[:-1]
    assert left(results) == DAYS[-1:]


def test_what_is_not_stored_and_the_latest_stay_and_count(results: Path) -> None:
    (results / "latest").symlink_to(DAYS[1])
    assert removed(results, 3, stored=DAYS[1:]) == DAYS[2:5]
    assert left(results) == [DAYS[0], DAYS[1], DAYS[5], "latest"]


def test_what_no_night_made_stays_and_does_not_count(results: Path) -> None:
    for name in DAYS[:2]:
        (results / name / LOG).unlink()
    assert removed(results, 4) == []
    assert removed(results, 3) == [DAYS[2]]
    assert left(results) == [*DAYS[:2], *DAYS[3:]]


def test_what_is_no_run_is_not_touched_and_not_counted(results: Path) -> None:
    others = ["20250101-030405-abcd", "README.md", "history.sqlite", "my-notes", "20250101-030405-abcd.bak", "20250101-030405-ABCD"]
    (results / others[0]).mkdir()
    for name in others[1:3]:
        (results / name).write_text("kept")
    for name in others[3:]:
        shutil.copytree(results / DAYS[0], results / name)
    assert removed(results, 6) == []
    assert removed(results, 1) == DAYS[:-1]
    assert left(results) == sorted([*others, DAYS[-1]])


def test_links_are_not_followed(results: Path, tmp_path: Path) -> None:
    elsewhere = make.stored(tmp_path / "elsewhere", DAYS[0]).folder
    shutil.rmtree(results / DAYS[0])
    (results / DAYS[0]).symlink_to(elsewhere)
    (results / DAYS[1] / "link").symlink_to(elsewhere, target_is_directory=True)
    gone = retention.prune(results, Limits(1, NO_LIMIT), DAYS)
    assert [old.run for old in gone] == DAYS[1:-1]
    assert gone[0].size < 102_000
    assert (results / DAYS[0]).is_symlink()
    assert (elsewhere / "run.json").exists()


def test_a_removal_that_was_cut_short_is_finished(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(_: Path) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(shutil, "rmtree", killed)
        with pytest.raises(KeyboardInterrupt):
            retention.prune(results, Limits(5, NO_LIMIT), DAYS)
    assert len(retention.folders(results)) == 5, "what is half removed is no run any more"
    assert removed(results, 6) == []
    assert left(results) == DAYS[1:]


def test_what_cannot_be_removed_is_named(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(shutil, "rmtree", refused)
    with pytest.raises(RigError, match=rf"{DAYS[0]} .*Operation not permitted"):
        retention.prune(results, Limits(5, NO_LIMIT), DAYS)


def test_no_results_are_no_error(tmp_path: Path) -> None:
    assert retention.prune(tmp_path / "none", Limits(), DAYS) == []
