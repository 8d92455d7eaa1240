# SPDX-License-Identifier: GPL-2.0-only
"""The history's file: full, damaged, of another version, and written by many at once."""

from __future__ import annotations

import multiprocessing
import sqlite3
from collections.abc import Sequence
from pathlib import Path

import pytest

from harness.errors import RigError, UsageError
from harness.model.run_folder import Run
from harness.runs import history_store
from harness.runs.history_store import History
from harness.runs.sqlite import Database, Migration
from tests.support import make

FIRST, SECOND = "20260102-030405-abcd", "20260103-030405-ef01"
SAMPLES = [make.sample(900.0, warmup=True), make.sample(100.0), make.sample(50.0, variant="mine", thread=3)]


@pytest.fixture
def results(tmp_path: Path) -> Path:
    return tmp_path / "results"


@pytest.fixture
def file(results: Path) -> Path:
    return results / "history.sqlite"


def test_a_full_disk_keeps_what_was_there(file: Path, results: Path) -> None:
    with History(file) as history:
        history.store(make.stored(results, FIRST, SAMPLES))
        connection = history.database.connection
        connection.execute(f"PRAGMA max_page_count = {connection.execute('PRAGMA page_count').fetchone()[0]}")
        many = [make.sample(float(number), repeat=number) for number in range(5000)]
        with pytest.raises(RigError, match=r"history\.sqlite .*disk is full"):
            history.store(make.stored(results, SECOND, many))
        assert [row.name for row in history.runs()] == [FIRST]
    with History(file) as history:
        assert history.samples(FIRST) == SAMPLES


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "in-the-way").write_text("")
    with pytest.raises(RigError, match=r"The folder .*in-the-way cannot be made"):
        History(tmp_path / "in-the-way/history.sqlite")
    (tmp_path / "folder.sqlite").mkdir()
    with pytest.raises(RigError, match=r"folder\.sqlite .*unable to open"):
        History(tmp_path / "folder.sqlite")


def filled(file: Path, results: Path) -> None:
    with History(file) as history:
        history.store(make.stored(results, FIRST, [make.sample(float(n), repeat=n) for n in range(2000)]))


def test_a_file_of_a_newer_rig_is_refused_and_left_alone(file: Path, results: Path) -> None:
    filled(file, results)
    with sqlite3.connect(file) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    before = file.read_bytes()
    with pytest.raises(
        UsageError,
        match=rf"schema is 99, .*{len(history_store.STEPS)}\)",
    ):
        History(file)
    assert file.read_bytes() == before


def read(file: Path) -> None:
    with History(file) as history:
        history.runs()
        history.trend()
        history.samples(FIRST)


@pytest.mark.parametrize("place", [0, 4096, 4096 * 14], ids=["header", "runs", "samples"])
def test_a_damaged_file_is_named_and_left_alone(file: Path, results: Path, place: int) -> None:
    filled(file, results)
    data = bytearray(file.read_bytes())
    data[place : place + 2000] = b"\xff" * 2000
    file.write_bytes(data)
    with pytest.raises(RigError, match=r"history\.sqlite is damaged"):
        read(file)
    assert file.read_bytes() == data


def test_a_file_that_was_cut_off_is_named(file: Path, results: Path) -> None:
    filled(file, results)
    read(file)
    file.write_bytes(file.read_bytes()[: 4096 * 4])
    with pytest.raises(RigError, match="is damaged"):
        read(file)


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE runs SET provenance = json_set(provenance, '$.tools', 5)",
        "UPDATE findings SET record = '{'",
        "UPDATE results SET record = CAST(x'ff' AS TEXT)",
        "UPDATE subjects SET clock = 'sundial'",
        "UPDATE subjects SET test = CAST(x'ff' AS TEXT)",
        "UPDATE samples SET value = 'much'",
        "UPDATE samples SET boot = 'first'",
        "UPDATE samples SET value = 9e999",
        "UPDATE samples SET value = -1",
    ],
)
def test_a_damaged_row_is_told_of_in_a_sentence(file: Path, results: Path, damage: str) -> None:
    run = make.stored(results, FIRST, SAMPLES)
    run.add([make.finding()])
    with History(file) as history:
        history.store(run)
    with sqlite3.connect(file) as connection:
        connection.execute(damage)
    connection.close()
    with History(file) as history, pytest.raises(RigError, match=r"history\.sqlite is damaged \(.*\); move it away and call again"):
        history.runs(), history.trend()


def test_an_empty_file_becomes_a_history(file: Path) -> None:
    file.parent.mkdir()
    file.touch()
    with History(file) as history:
        assert history.runs() == []


NEXT = ("ALTER TABLE runs ADD COLUMN note TEXT NOT NULL DEFAULT ''", "UPDATE runs SET note = 'from ' || version")
OLD = (("CREATE TABLE runs (id INTEGER PRIMARY KEY, version TEXT)",),)


def old(file: Path) -> None:
    """Leave a file of version 1 with a run in it."""
    opened = Database(file, OLD)
    with opened.writing() as connection:
        connection.execute("INSERT INTO runs VALUES (7, '4.18')")
    opened.close()


def version_and_rows(file: Path, steps: Sequence[Migration]) -> tuple[int, list[tuple[object, ...]]]:
    opened = Database(file, steps)
    try:
        with opened.reading() as connection:
            rows = [tuple(row) for row in connection.execute("SELECT * FROM runs")]
            return connection.execute("PRAGMA user_version").fetchone()[0], rows
    finally:
        opened.close()


def test_an_older_file_is_taken_forward_with_its_data(file: Path) -> None:
    old(file)
    assert version_and_rows(file, (*OLD, NEXT)) == (2, [(7, "4.18", "from 4.18")])
    with pytest.raises(UsageError, match="from a newer version"):
        Database(file, OLD)


def test_a_step_that_fails_leaves_the_version_before_it(file: Path) -> None:
    old(file)
    with pytest.raises(RigError, match="no such table: nowhere"):
        Database(file, (*OLD, NEXT, ("DELETE FROM runs", "DELETE FROM nowhere")))
    assert version_and_rows(file, (*OLD, NEXT)) == (2, [(7, "4.18", "from 4.18")])


def test_a_writer_that_never_ends_is_told_of(file: Path, results: Path) -> None:
    filled(file, results)
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    waiting = Database(file, history_store.STEPS, patience=0.05)
    with pytest.raises(RigError, match="in use by another process"), waiting.writing():
        pass
    other.close()
    with waiting.writing():
        pass
    waiting.close()


def write_runs(file: Path, number: int, together: object) -> None:
    """Store ten runs in a process of their own, one of which all processes store."""
    together.wait()  # type: ignore[attr-defined]
    with History(file) as history:
        for count in range(10):
            name = f"20260102-0304{count:02}-{number:04x}" if count else FIRST
            history.store(Run(file.parent / name))


def test_many_processes_write_at_once(file: Path, results: Path) -> None:
    """The file itself is made by whoever comes first."""
    context = multiprocessing.get_context("spawn")
    for name in [FIRST, *(f"20260102-0304{count:02}-{number:04x}" for number in range(4) for count in range(1, 10))]:
        make.stored(results, name, SAMPLES)
    together = context.Barrier(4)
    writers = [context.Process(target=write_runs, args=(file, number, together)) for number in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
    assert [writer.exitcode for writer in writers] == [0] * 4
    with History(file) as history:
        rows = history.runs()
        assert len(rows) == 4 * 9 + 1
        assert all(history.samples(row.name) == SAMPLES for row in rows)
