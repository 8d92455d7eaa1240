# SPDX-License-Identifier: GPL-2.0-only
"""What a night keeps and removes: old runs, the cache, and the history."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NoReturn

import msgspec
import pytest

from harness import paths
from harness.errors import RigError
from harness.model.run_folder import Run
from harness.runs import history as archive
from harness.runs.history_store import History
from harness.runs.retention import Limits
from harness.stats.outcome import ExitCode
from tests.support import make
from tests.support.night import LAST_NIGHT, TONIGHT, Night, baseline, earlier, measured

OLD = [f"202512{day}-030405-abcd" for day in (28, 29, 30)]


def folders() -> list[str]:
    return sorted(path.name for path in paths.RESULTS.iterdir() if path.is_dir())


def test_old_nights_go_but_for_the_baseline_and_stay_in_the_history(night: Night) -> None:
    baseline(measured(100.0))
    for name in OLD:
        earlier(name, measured(100.0))
    night.run(runs=2)
    assert folders() == [LAST_NIGHT, TONIGHT]
    assert re.search(r"3 old nights removed, .* KiB; the history keeps samples and findings$", night.log, re.M)
    with archive.opened() as history:
        assert history.samples(OLD[0]) == measured(100.0)


def test_what_somebody_ran_by_hand_stays_and_makes_no_night_go(night: Night) -> None:
    for name in OLD:
        make.stored(paths.RESULTS, name, measured(100.0))
    earlier(LAST_NIGHT)
    night.run(runs=2)
    assert folders() == [*OLD, LAST_NIGHT, TONIGHT]
    assert "old night" not in night.log


def test_what_the_history_has_not_stays(night: Night) -> None:
    """Its folder is the only place where its records are, also when it is from another version of the rig."""
    (earlier(OLD[0]).folder / "samples.jsonl").write_text('{"of": "another version"}\n')
    (earlier(OLD[1]).folder / "run.json").write_text("{}")
    earlier(OLD[2])
    night.run(runs=1)
    assert folders() == [*OLD[:2], TONIGHT]
    assert "1 old night removed" in night.log
    assert night.log.count("not in the history: ") == 2


def test_the_verdict_is_said_before_anything_is_removed(night: Night, summary: Path) -> None:
    def refused(_: Limits) -> NoReturn:
        raise RigError("The old run cannot be removed: Operation not permitted.")

    night.parts = msgspec.structs.replace(night.parts, make_room=refused)
    assert night.run(runs=1) == ExitCode.GOOD
    heading = f"Nightly run {TONIGHT}: nothing unexpected, no regression (exit code 0)"
    told = re.sub(r"^\S+ ", "", night.log, flags=re.M).splitlines()
    assert told[-3:] == [
        heading,
        "Note: old nights were not removed: The old run cannot be removed: Operation not permitted.",
        "2 folders of the cache removed, 6 MiB, not used for the longest time",
    ]
    assert summary.read_text().startswith(f"earlier\n## {heading}\n")


def test_the_cache_is_held_to_its_size(night: Night) -> None:
    night.run(cache=7 << 30)
    night.run()
    assert night.kept == [7 << 30, 30 << 30]

    def refused(_: int) -> NoReturn:
        raise RigError("/cache/kernels/1 cannot be removed: Operation not permitted; remove it by hand.")

    night.parts = msgspec.structs.replace(night.parts, prune=refused)
    assert night.run() == ExitCode.GOOD
    assert "Note: the cache was not made smaller: /cache/kernels/1 cannot be removed" in night.log


def test_a_run_that_cannot_be_read_is_told_of_and_no_reason_to_fail(night: Night) -> None:
    (make.stored(paths.RESULTS, LAST_NIGHT).folder / "results.jsonl").write_text("nonsense\n")
    assert night.run() == ExitCode.GOOD
    assert re.search(r"not in the history: .*is damaged: results\.jsonl:1: ", night.log)


def test_a_night_is_stored_once(night: Night, monkeypatch: pytest.MonkeyPatch) -> None:
    stored = []
    store = History.store

    def counted(history: History, run: Run) -> None:
        stored.append(run.folder.name)
        store(history, run)

    monkeypatch.setattr(History, "store", counted)
    night.run()
    assert stored == [TONIGHT]


def test_a_night_that_was_not_stored_is_taken_up(night: Night) -> None:
    night.keep = lambda _: "The history was busy."
    assert night.run() == ExitCode.GOOD
    with archive.opened() as history:
        assert history.samples(TONIGHT) == night.samples


def test_a_history_that_cannot_be_used_ends_the_night_before_it_begins(night: Night) -> None:
    paths.RESULTS.mkdir()
    (paths.RESULTS / "history.sqlite").write_text("not a database, but long enough to have been one once upon a time " * 20)
    with pytest.raises(RigError, match=r"history\.sqlite is damaged"):
        night.run()
    assert not night.seen
