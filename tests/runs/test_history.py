# SPDX-License-Identifier: GPL-2.0-only
"""Runs get into the history by themselves, whatever the history's state, and one of them is the baseline."""

from __future__ import annotations

import os
import shutil
import sqlite3
from pathlib import Path

import pytest

from harness.errors import UsageError
from harness.model.run_folder import Run
from harness.runs import history, history_store
from harness.runs.history_store import History
from tests.support import make

FIRST, SECOND, THIRD = (f"2026010{day}-030405-abcd" for day in (2, 3, 4))


pytestmark = pytest.mark.usefixtures("results")


@pytest.fixture
def stored(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the runs that were written to the history, in their order."""
    names = []
    store = History.store

    def counted(opened: History, run: Run) -> None:
        names.append(run.folder.name)
        store(opened, run)

    monkeypatch.setattr(History, "store", counted)
    return names


def test_a_run_is_made_the_baseline_by_any_of_its_names(results: Path) -> None:
    run = make.stored(results, FIRST)
    (results / "latest").symlink_to(FIRST)
    for name in (FIRST, "latest", str(run.folder)):
        assert history.accept(name) == FIRST
    run.folder.rename(results / "moved")
    assert history.accept(FIRST) == FIRST, "the history knows it without its folder"
    with pytest.raises(UsageError, match="There is no run 'none'"):
        history.accept("none")


def test_a_run_from_elsewhere_can_be_the_baseline(tmp_path: Path) -> None:
    run = make.stored(tmp_path / "sent-by-mail", FIRST, [make.sample()])
    assert history.accept(str(run.folder)) == FIRST
    with history.opened() as opened:
        assert opened.samples(FIRST) == run.samples()


def test_a_run_that_was_finished_since_it_was_stored_can_be_the_baseline(results: Path) -> None:
    run = make.stored(results, FIRST, planned=2)
    with pytest.raises(UsageError, match="1 of 2 results"):
        history.accept(FIRST)
    run.add([make.result(boot=1)])
    assert history.accept(FIRST) == FIRST


def test_a_look_takes_up_what_the_history_lacks(results: Path) -> None:
    make.stored(results, FIRST, [make.sample()])
    unfinished = make.stored(results, SECOND, [make.sample()], finished="")
    (make.stored(results, THIRD).folder / "run.json").write_text("{}")
    seen = history.look()
    assert [row.name for row in seen.runs] == [FIRST, SECOND]
    assert len(seen.unread) == 1
    assert "run.json is damaged" in seen.unread[0]
    assert FIRST in seen.page.read_text()
    unfinished.add([make.sample(test="b_fit_alloc_test")])
    assert {trend.of.test for trend in history.look().trends} == {"le_fit_alloc_test", "b_fit_alloc_test"}
    assert {trend.of.test for trend in history.look("b_fit_alloc_test").trends} == {"b_fit_alloc_test"}


@pytest.mark.parametrize("copy", [SECOND, THIRD], ids=["before the run", "after the run"])
def test_a_copy_of_a_run_does_not_take_its_place(results: Path, copy: str) -> None:
    original = SECOND if copy == THIRD else THIRD
    run = make.stored(results, original, [make.sample(value=100.0)])
    shutil.copytree(run.folder, results / copy)
    Run(results / copy).add([make.sample(value=999.0, repeat=7)])
    for _ in range(2):
        seen = history.look()
        assert [row.name for row in seen.runs] == [original]
        with history.opened() as opened:
            assert opened.samples(original) == run.samples()
    (sentence,) = seen.unread
    assert f"{results / copy} is a copy of {original}" in sentence
    assert "is a copy of" in history.keep(Run(results / copy))


def test_a_look_stores_only_what_has_changed(results: Path, stored: list[str]) -> None:
    make.stored(results, FIRST)
    unfinished = make.stored(results, SECOND, finished="")
    history.look()
    assert stored == [FIRST, SECOND]
    history.look()
    assert stored == [FIRST, SECOND]
    unfinished.add([make.result(boot=1)])
    history.look()
    assert stored == [FIRST, SECOND, SECOND]


def test_tests_that_are_not_compared_are_shown_when_asked_for(results: Path) -> None:
    make.stored(results, FIRST, [make.sample(), make.sample(test="mix_stress_test"), make.sample(test="sweep_churn")])
    assert [trend.of.test for trend in history.look().trends] == ["le_fit_alloc_test"]
    for test in ("mix_stress_test", "sweep_churn"):
        assert [trend.of.test for trend in history.look(test).trends] == [test]


def test_a_run_from_elsewhere_is_not_kept(results: Path, tmp_path: Path) -> None:
    assert history.keep(make.stored(tmp_path / "sent-by-mail", FIRST)) == ""
    assert history.keep(make.stored(results, SECOND)) == ""
    with history.opened() as opened:
        assert [row.name for row in opened.runs()] == [SECOND]


@pytest.mark.parametrize("name", ["history.sqlite", f"{FIRST}/results.jsonl"], ids=["history", "run"])
def test_a_run_that_cannot_be_kept_is_told_of_and_not_lost(results: Path, name: str) -> None:
    run = make.stored(results, FIRST)
    (results / name).write_text("neither a database nor records, and long enough to be looked at as either of them\n" * 20)
    told = history.keep(run)
    named = f"{results / name} is damaged" if name == "history.sqlite" else f"{run.folder} is damaged: results.jsonl:1: "
    assert told.startswith(f"{FIRST} is not in the history: {named}")
    assert run.provenance().run == FIRST


@pytest.mark.parametrize("damage", [b"\xff", b"[1]", b"", None], ids=repr)
def test_one_run_that_cannot_be_read_costs_the_others_nothing(results: Path, damage: bytes | None) -> None:
    make.stored(results, FIRST, [make.sample()])
    odd = make.stored(results, SECOND, [make.sample()]).folder / "run.json"
    odd.unlink()
    if damage is None:
        os.mkfifo(odd)
    else:
        odd.write_bytes(damage)
    seen = history.look()
    assert [row.name for row in seen.runs] == [FIRST]
    (sentence,) = seen.unread
    assert str(odd.parent) in sentence


def test_a_history_of_a_newer_rig_loses_no_run(results: Path) -> None:
    history.opened().__exit__(None, None, None)
    with sqlite3.connect(results / history_store.FILE) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    assert "is from a newer version of the rig" in history.keep(make.stored(results, FIRST))
