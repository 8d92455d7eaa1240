# SPDX-License-Identifier: GPL-2.0-only
"""The history keeps all of every run, whoever writes at the same time, and refuses what it cannot read."""

from __future__ import annotations

import multiprocessing
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from harness import schema
from harness.database import Database
from harness.errors import RigError, UsageError
from harness.history import History
from harness.matrix import Clock
from harness.records import Run
from tests import make

FIRST, SECOND = "20260102-030405-abcd", "20260103-030405-ef01"
SAMPLES = [
    make.sample(900.0, warmup=True),
    make.sample(100.0),
    make.sample(110.25, repeat=1),
    make.sample(130.0, boot=1),
    make.sample(50.0, variant="mine", thread=3, operations=7),
    make.sample(7.5, clock=Clock.WALL, unit="ns/op", test="mix_stress_test"),
]


@pytest.fixture
def results(tmp_path: Path) -> Path:
    return tmp_path / "results"


@pytest.fixture
def file(results: Path) -> Path:
    return results / "history.sqlite"


@pytest.fixture
def history(file: Path) -> Iterator[History]:
    with History(file) as opened:
        yield opened


def test_all_of_a_run_is_kept(history: History, results: Path) -> None:
    run = make.stored(results, FIRST, SAMPLES)
    findings = [make.finding(), make.finding(expected="an overflow", excerpt="a\0b \u2028 '; DROP TABLE runs; --")]
    run.add("findings.jsonl", findings)
    run.add("results.jsonl", [make.result("failed", boot=2, round=1, reason="why")])
    history.store(run)
    assert history.samples(FIRST) == SAMPLES
    assert history.findings(FIRST) == findings
    assert history.results(FIRST) == run.results()


def test_provenance_is_kept_whole(history: History, file: Path, results: Path) -> None:
    run = make.stored(results, FIRST, notes=("a note",))
    history.store(run)
    (kept,) = sqlite3.connect(file).execute("SELECT provenance FROM runs").fetchone()
    assert msgspec.json.decode(kept, type=type(run.provenance())) == run.provenance()


def test_a_run_is_listed_with_what_it_was(history: History, results: Path) -> None:
    run = make.stored(results, FIRST, SAMPLES, planned=3, loops=0.5)
    run.add("findings.jsonl", [make.finding(), make.finding(expected="an overflow"), make.finding(title="another")])
    run.add("results.jsonl", [make.result("failed", boot=1)])
    history.store(run)
    (row,) = history.runs()
    assert (row.name, row.started, row.kernel, row.version, row.work) == (
        FIRST,
        "2026-01-02T03:04:05+00:00",
        "4.18",
        "4.18.0",
        "quick x 0.5",
    )
    assert (row.host, row.tools["gcc"], row.cells["x86_64/mine/perf"]) == ("Linux x86_64, 4 CPUs", "gcc 12.2", "2" * 16)
    assert row.clocks == (Clock.ICOUNT, Clock.WALL)
    assert (row.samples, row.outcomes, row.results, row.planned) == (6, {"passed": 1, "failed": 1}, 2, 3)
    assert (row.expected, row.unexpected, row.complete, row.baseline) == (1, 2, False, False)


def test_runs_are_listed_oldest_first(history: History, results: Path) -> None:
    history.store(make.stored(results, SECOND))
    history.store(make.stored(results, FIRST))
    assert [row.name for row in history.runs()] == [FIRST, SECOND]


def test_a_run_stored_again_replaces_itself(history: History, results: Path) -> None:
    run = make.stored(results, FIRST, SAMPLES)
    history.store(make.stored(results, SECOND, SAMPLES))
    history.store(run)
    history.set_baseline(FIRST)
    run.add("samples.jsonl", [make.sample(1.0, boot=2)])
    run.add("results.jsonl", [make.result(boot=2)])
    history.store(run)
    history.store(run)
    assert history.samples(FIRST) == [*SAMPLES, make.sample(1.0, boot=2)]
    assert len(history.results(FIRST)) == 2
    assert history.samples(SECOND) == SAMPLES
    assert history.baseline() == FIRST
    assert len(history.runs()) == 2


def test_it_outlives_the_runs_folder_and_the_process(file: Path, results: Path) -> None:
    run = make.stored(results, FIRST, SAMPLES)
    with History(file) as history:
        history.store(run)
    for left in run.folder.iterdir():
        left.unlink()
    with History(file) as history:
        assert history.samples(FIRST) == SAMPLES
    assert [path.name for path in results.iterdir() if path.is_file()] == ["history.sqlite"], "it is all in one file"


def test_a_trend_has_the_median_over_boots_and_the_range(history: History, results: Path) -> None:
    history.store(make.stored(results, SECOND, [make.sample(90.0)]))
    history.store(make.stored(results, FIRST, SAMPLES))
    trend = history.trend(["le_fit_alloc_test"])[0]
    assert (trend.of.machine, trend.of.variant, trend.of.clock, trend.of.unit) == (
        "x86_64",
        "stock",
        Clock.ICOUNT,
        "instructions/op",
    )
    assert [(f.run, f.summary.values, f.median, f.low, f.high) for f in trend.figures] == [
        (FIRST, ((100.0, 110.25), (130.0,)), 117.5625, 100.0, 130.0),
        (SECOND, ((90.0,),), 90.0, 90.0, 90.0),
    ]


def test_stock_comes_first_and_other_tests_stay_out(history: History, results: Path) -> None:
    history.store(make.stored(results, FIRST, SAMPLES))
    assert [(t.of.test, t.of.variant) for t in history.trend(["le_fit_alloc_test"])] == [
        ("le_fit_alloc_test", "stock"),
        ("le_fit_alloc_test", "mine"),
    ]
    assert {t.of.test for t in history.trend()} == {"le_fit_alloc_test", "mix_stress_test"}


@pytest.mark.parametrize("other", [{"scale": "default"}, {"loops": 0.1}, {"kernel": "6.1"}], ids=str)
def test_another_amount_of_work_is_another_trend(history: History, results: Path, other: dict[str, object]) -> None:
    history.store(make.stored(results, FIRST, [make.sample(100.0)]))
    history.store(make.stored(results, SECOND, [make.sample(200.0)], **other))
    assert sorted(len(trend.figures) for trend in history.trend()) == [1, 1]


def test_changes_count_cheaper_as_positive(history: History, results: Path) -> None:
    for day, value in (("02", 100.0), ("03", 80.0), ("04", 100.0)):
        history.store(make.stored(results, f"202601{day}-030405-abcd", [make.sample(value)]))
    (trend,) = history.trend()
    assert trend.since_previous == pytest.approx(-25.0)
    assert trend.since_baseline is None
    history.set_baseline("20260103-030405-abcd")
    assert history.trend()[0].since_baseline == pytest.approx(-25.0)
    history.set_baseline("20260104-030405-abcd")
    assert history.trend()[0].since_baseline is None, "it is the baseline itself"


def test_a_test_of_which_there_is_only_warm_up_has_no_trend(history: History, results: Path) -> None:
    history.store(make.stored(results, FIRST, [make.sample(warmup=True)]))
    assert history.trend() == []
    with pytest.raises(UsageError, match="No run in the history has samples of 'le_fit_alloc_test'"):
        history.trend(["le_fit_alloc_test"])


def test_a_mistyped_test_gets_a_hint(history: History, results: Path) -> None:
    history.store(make.stored(results, FIRST, SAMPLES))
    with pytest.raises(UsageError, match=r"'le_fit_aloc_test'; did you mean 'le_fit_alloc_test'\?"):
        history.trend(["le_fit_aloc_test"])


def test_there_is_one_baseline(history: History, results: Path) -> None:
    history.store(make.stored(results, FIRST))
    history.store(make.stored(results, SECOND))
    assert history.baseline() is None
    history.set_baseline(FIRST)
    history.set_baseline(SECOND)
    assert history.baseline() == SECOND
    assert [row.baseline for row in history.runs()] == [False, True]


def test_what_is_not_there_cannot_be_the_baseline(history: History, results: Path) -> None:
    history.store(make.stored(results, FIRST))
    with pytest.raises(UsageError, match=rf"There is no run '20260102-030405-abce' in the history; did you mean '{FIRST}'\?"):
        history.set_baseline("20260102-030405-abce")
    for read in (history.samples, history.findings, history.results):
        with pytest.raises(UsageError, match="There is no run 'none' in the history"):
            read("none")


def test_half_a_run_cannot_be_the_baseline(history: History, results: Path) -> None:
    history.store(make.stored(results, FIRST, planned=8))
    with pytest.raises(UsageError, match="cannot be the baseline: it has 1 of 8 results"):
        history.set_baseline(FIRST)
    assert history.baseline() is None


def test_a_run_killed_while_it_wrote_is_kept_as_far_as_it_came(history: History, results: Path) -> None:
    run = make.stored(results, FIRST, SAMPLES[:2], finished="", planned=9)
    with (run.folder / "samples.jsonl").open("ab") as torn:
        torn.write(msgspec.json.encode(SAMPLES[2])[:-9])
    history.store(run)
    assert history.samples(FIRST) == SAMPLES[:2]
    assert not history.runs()[0].finished


def test_a_folder_that_cannot_be_read_changes_nothing(history: History, results: Path) -> None:
    run = make.stored(results, FIRST, SAMPLES)
    history.store(run)
    (run.folder / "findings.jsonl").write_text("nonsense\n")
    run.add("samples.jsonl", [make.sample(1.0, boot=5)])
    with pytest.raises(UsageError, match=r"findings\.jsonl is damaged"):
        history.store(run)
    assert history.samples(FIRST) == SAMPLES


def test_a_full_disk_keeps_what_was_there(file: Path, results: Path) -> None:
    with History(file) as history:
        history.store(make.stored(results, FIRST, SAMPLES))
        pages = history._database._number("PRAGMA page_count")
        history._database._connection.execute(f"PRAGMA max_page_count = {pages}")
        many = [make.sample(float(number), repeat=number) for number in range(5000)]
        with pytest.raises(RigError, match=r"history\.sqlite cannot be used: database or disk is full; see that there is space"):
            history.store(make.stored(results, SECOND, many))
        assert [row.name for row in history.runs()] == [FIRST]
    with History(file) as history:
        assert history.samples(FIRST) == SAMPLES


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "in-the-way").write_text("")
    with pytest.raises(RigError, match=r"The folder .*in-the-way cannot be made"):
        History(tmp_path / "in-the-way/history.sqlite")
    (tmp_path / "folder.sqlite").mkdir()
    with pytest.raises(RigError, match=r"folder\.sqlite cannot be used: unable to open"):
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
        match=rf"history\.sqlite is from a newer version of the rig \(its schema is 99, this rig's is {len(schema.STEPS)}\)",
    ):
        History(file)
    assert file.read_bytes() == before


@pytest.mark.parametrize("place", [0, 4096 * 3, -4096 * 2], ids=["header", "inside", "end"])
def test_a_damaged_file_is_refused_and_left_alone(file: Path, results: Path, place: int) -> None:
    filled(file, results)
    data = bytearray(file.read_bytes())
    place %= len(data)
    data[place : place + 2000] = b"\xff" * 2000
    file.write_bytes(data)
    with pytest.raises(RigError, match=r"history\.sqlite is damaged \(.*\); move it away and call again"):
        History(file)
    assert file.read_bytes() == data


def test_a_file_that_was_cut_off_is_refused(file: Path, results: Path) -> None:
    filled(file, results)
    file.write_bytes(file.read_bytes()[: 4096 * 4])
    with pytest.raises(RigError, match="is damaged"):
        History(file)


def test_a_file_of_another_program_is_refused_and_left_alone(file: Path) -> None:
    file.parent.mkdir()
    with sqlite3.connect(file) as connection:
        connection.execute("CREATE TABLE theirs (value)")
    connection.close()
    before = file.read_bytes()
    with pytest.raises(UsageError, match="is an SQLite file of another program"):
        History(file)
    assert file.read_bytes() == before


def test_an_empty_file_becomes_a_history(file: Path) -> None:
    file.parent.mkdir()
    file.touch()
    with History(file) as history:
        assert history.runs() == []


NEXT = ("ALTER TABLE runs ADD COLUMN note TEXT NOT NULL DEFAULT ''", "UPDATE runs SET note = 'from ' || version")
OLD = (("CREATE TABLE runs (id INTEGER PRIMARY KEY, version TEXT)",),)


def old(file: Path) -> None:
    """Leave a file of version 1 with a run in it."""
    database = Database(file, OLD, kind=schema.KIND)
    with database.writing() as connection:
        connection.execute("INSERT INTO runs VALUES (7, '4.18')")
    database.close()


def test_an_older_file_is_taken_forward_with_its_data(file: Path) -> None:
    old(file)
    database = Database(file, (*OLD, NEXT), kind=schema.KIND)
    with database.reading() as connection:
        assert connection.execute("SELECT * FROM runs").fetchall() == [(7, "4.18", "from 4.18")]
        assert connection.execute("PRAGMA user_version").fetchone() == (2,)
    database.close()
    with pytest.raises(UsageError, match="from a newer version"):
        Database(file, OLD, kind=schema.KIND)


def test_a_step_that_fails_leaves_the_version_before_it(file: Path) -> None:
    old(file)
    with pytest.raises(RigError, match="no such table: nowhere"):
        Database(file, (*OLD, NEXT, ("DELETE FROM runs", "DELETE FROM nowhere")), kind=schema.KIND)
    database = Database(file, (*OLD, NEXT), kind=schema.KIND)
    with database.reading() as connection:
        assert connection.execute("SELECT * FROM runs").fetchall() == [(7, "4.18", "from 4.18")]
        assert connection.execute("PRAGMA user_version").fetchone() == (2,)
    database.close()


def test_a_writer_that_never_ends_is_told_of(file: Path, results: Path) -> None:
    filled(file, results)
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    waiting = Database(file, schema.STEPS, kind=schema.KIND, patience=0.05)
    with pytest.raises(RigError, match="is in use by another process that does not end"), waiting.writing():
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
    for number in range(4):
        for count in range(10):
            make.stored(results, f"20260102-0304{count:02}-{number:04x}" if count else FIRST, SAMPLES)
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


def test_no_field_of_a_record_is_lost(file: Path) -> None:
    """A field that a record gains needs a column, by a further step of the schema."""
    with History(file):
        columns: dict[str, set[str]] = {name: set() for name in ("samples", "findings", "results", "subjects")}
        for name, found in columns.items():
            found |= {row[1] for row in sqlite3.connect(file).execute(f"PRAGMA table_info({name})")}
    assert set(type(make.sample()).__struct_fields__) == (columns["samples"] | columns["subjects"]) - {"run", "subject", "id"}
    assert set(type(make.finding()).__struct_fields__) - {"lines"} == columns["findings"] - {"run", "first", "last"}
    assert set(type(make.result()).__struct_fields__) == columns["results"] - {"run"}
