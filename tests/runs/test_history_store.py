# SPDX-License-Identifier: GPL-2.0-only
"""The history keeps all of every run, lists them, and says how figures went from run to run."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import msgspec
import pytest

from harness.errors import UsageError
from harness.model.clock import Clock
from harness.model.records import Finding, Result, Sample
from harness.model.toolchains import Toolchain
from harness.runs.history_store import STEPS, History
from tests.support import make

Record = TypeVar("Record", Finding, Result)
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


def kept(file: Path, table: str, record: type[Record]) -> list[Record]:
    """Return the records in a table of the file; the rig itself has no need to read them."""
    return [msgspec.json.decode(row[0], type=record) for row in sqlite3.connect(file).execute(f"SELECT record FROM {table}")]


def test_all_of_a_run_is_kept(history: History, file: Path, results: Path) -> None:
    run = make.stored(results, FIRST, SAMPLES)
    findings = [make.finding(), make.finding(expected="an overflow", text="a\0b \u2028 '; DROP TABLE runs; --")]
    run.add(findings)
    run.add([make.result("failed", boot=2, round=1, reason="why")])
    history.store(run)
    assert history.samples(FIRST) == SAMPLES
    assert kept(file, "findings", Finding) == findings
    assert kept(file, "results", Result) == run.results()


def test_provenance_is_kept_whole(history: History, file: Path, results: Path) -> None:
    run = make.stored(results, FIRST, notes=("a note",))
    history.store(run)
    (kept,) = sqlite3.connect(file).execute("SELECT provenance FROM runs").fetchone()
    assert msgspec.json.decode(kept, type=type(run.provenance())) == run.provenance()


def test_a_run_is_listed_with_what_it_was(history: History, results: Path) -> None:
    run = make.stored(results, FIRST, SAMPLES, planned=3, loops=0.5)
    run.add([make.finding(), make.finding(expected="an overflow"), make.finding(title="another")])
    run.add([make.result("failed", boot=1)])
    history.store(run)
    (row,) = history.runs()
    assert (row.name, row.started, row.kernel, row.version, row.work) == (
        FIRST,
        "2026-01-02T03:04:05+00:00",
        "4.18",
        "4.18.0",
        "quick x 0.5",
    )
    assert (row.host, row.tools["gcc"], row.clocks) == ("Linux x86_64, 4 CPUs", "gcc 12.2", (Clock.ICOUNT, Clock.WALL))
    assert (row.outcomes, row.results, row.planned) == ({"passed": 1, "failed": 1}, 2, 3)
    assert (row.unexpected, row.complete, row.baseline, row.proven) == (2, False, False, True)


def test_a_run_of_before_there_was_proof_is_not_proven(history: History, results: Path) -> None:
    run = make.stored(results, FIRST, SAMPLES)
    told = msgspec.json.decode((run.folder / "run.json").read_bytes())
    del told["proven"]
    (run.folder / "run.json").write_bytes(msgspec.json.encode(told))
    history.store(run)
    (row,) = history.runs()
    assert not row.proven


def test_runs_are_listed_oldest_first(history: History, results: Path) -> None:
    history.store(make.stored(results, SECOND))
    history.store(make.stored(results, FIRST))
    assert [row.name for row in history.runs()] == [FIRST, SECOND]


def test_a_run_without_anything_is_listed_too(history: History, results: Path) -> None:
    run = make.stored(results, FIRST)
    (run.folder / "results.jsonl").unlink()
    history.store(run)
    (row,) = history.runs()
    assert (row.clocks, row.outcomes, row.unexpected) == ((), {}, 0)


def test_a_run_stored_again_replaces_itself(history: History, file: Path, results: Path) -> None:
    run = make.stored(results, FIRST, SAMPLES)
    history.store(make.stored(results, SECOND, SAMPLES))
    history.store(run)
    history.set_baseline(FIRST)
    run.add([make.sample(1.0, boot=2)])
    run.add([make.result(boot=2)])
    history.store(run)
    history.store(run)
    assert history.samples(FIRST) == [*SAMPLES, make.sample(1.0, boot=2)]
    assert len(kept(file, "results", Result)) == 3
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


@pytest.mark.parametrize("other", [{"scale": "default"}, {"loops": 0.1}, {"kernel": "6.1"}, {"toolchain": "llvm"}], ids=str)
def test_another_amount_of_work_is_another_trend(history: History, results: Path, other: dict[str, object]) -> None:
    history.store(make.stored(results, FIRST, [make.sample(100.0)]))
    history.store(make.stored(results, SECOND, [make.sample(200.0)], **other))
    assert sorted(len(trend.figures) for trend in history.trend()) == [1, 1]


def test_a_run_from_before_there_was_a_choice_was_built_with_gcc(file: Path, results: Path) -> None:
    with History(file) as opened:
        older = make.stored(results, FIRST, [make.sample(100.0)])
        told = msgspec.json.decode((older.folder / "run.json").read_bytes())
        del told["toolchain"]
        opened.store(older)
        with opened.database.writing() as database:
            database.execute("UPDATE runs SET provenance = ?", (msgspec.json.encode(told).decode(),))
            database.execute("ALTER TABLE runs DROP COLUMN toolchain")
            database.execute(f"PRAGMA user_version = {len(STEPS) - 1}")
    with History(file) as opened:
        opened.store(make.stored(results, SECOND, [make.sample(200.0)]))
        (trend,) = opened.trend()
        assert (trend.of.toolchain, trend.of.built, len(trend.figures)) == (Toolchain.GCC, "4.18", 2)
        opened.store(make.stored(results, "20260104-030405-abcd", [make.sample(300.0)], toolchain=Toolchain.LLVM))
        assert [(one.of.built, one.since_previous) for one in opened.trend()] == [("4.18", 100.0), ("4.18 by llvm", None)]
        assert [row.built for row in opened.runs()] == ["4.18.0", "4.18.0", "4.18.0 by llvm"]


def test_changes_count_dearer_as_positive(history: History, results: Path) -> None:
    """The file has samples and no changes, so that runs from before the sign was turned are read alike."""
    for day, value in (("02", 100.0), ("03", 80.0), ("04", 100.0)):
        history.store(make.stored(results, f"202601{day}-030405-abcd", [make.sample(value)]))
    (trend,) = history.trend()
    assert trend.since_previous == pytest.approx(25.0)
    assert trend.since_baseline is None
    history.set_baseline("20260103-030405-abcd")
    assert history.trend()[0].since_baseline == pytest.approx(25.0)
    history.set_baseline("20260104-030405-abcd")
    assert history.trend()[0].since_baseline is None, "it is the baseline itself"


def test_a_test_of_which_there_is_only_warm_up_has_no_trend(history: History, results: Path) -> None:
    history.store(make.stored(results, FIRST, [make.sample(warmup=True)]))
    assert history.trend() == []
    with pytest.raises(UsageError, match="samples of 'le_fit_alloc_test'"):
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
    with pytest.raises(UsageError, match=rf"no run '20260102-030405-abce' .*'{FIRST}'\?"):
        history.set_baseline("20260102-030405-abce")
    with pytest.raises(UsageError, match="There is no run 'none' in the history"):
        history.samples("none")


def test_half_a_run_cannot_be_the_baseline(history: History, results: Path) -> None:
    history.store(make.stored(results, FIRST, planned=8))
    with pytest.raises(UsageError, match=r"baseline: .*1 of 8 results"):
        history.set_baseline(FIRST)
    assert history.baseline() is None


def test_a_soak_cannot_be_the_baseline(history: History, results: Path) -> None:
    history.store(make.stored(results, FIRST, planned=0, hours=1.0, seed=5))
    with pytest.raises(UsageError, match="cannot be the baseline: it is a soak"):
        history.set_baseline(FIRST)
    assert history.baseline() is None


def test_a_run_in_which_the_rig_failed_cannot_be_the_baseline(history: History, results: Path) -> None:
    run = make.stored(results, FIRST, planned=3)
    run.add([make.result("error", boot=1), make.result("failed", boot=2)])
    history.store(run)
    with pytest.raises(UsageError, match=r"baseline: .*failed in 1 "):
        history.set_baseline(FIRST)
    assert history.baseline() is None


def test_a_kernel_that_failed_a_test_can_be_the_baseline(history: History, results: Path) -> None:
    run = make.stored(results, FIRST, planned=2)
    run.add([make.result("failed", boot=1)])
    history.store(run)
    history.set_baseline(FIRST)
    assert history.baseline() == FIRST


def test_a_run_killed_while_it_wrote_is_kept_as_far_as_it_came(history: History, results: Path) -> None:
    run = make.stored(results, FIRST, SAMPLES[:2], finished="", planned=9)
    with (run.folder / "samples.jsonl").open("ab") as torn:
        torn.write(msgspec.json.encode(SAMPLES[2])[:-9])
    history.store(run)
    assert history.samples(FIRST) == SAMPLES[:2]
    assert not history.runs()[0].complete


@pytest.mark.parametrize("name", ["run.json", "samples.jsonl", "findings.jsonl", "results.jsonl"])
def test_it_knows_what_has_changed_since(history: History, results: Path, name: str) -> None:
    run = make.stored(results, FIRST, SAMPLES)
    assert not history.has(run)
    history.store(run)
    assert history.has(run)
    file = run.folder / name
    file.touch()
    os.utime(file, ns=(0, file.stat().st_mtime_ns + 1))
    assert not history.has(run)


def test_what_it_does_not_keep_is_no_change(history: History, results: Path) -> None:
    run = make.stored(results, FIRST, SAMPLES)
    history.store(run)
    (run.folder / "report.html").write_text("again")
    assert history.has(run)


def test_what_is_added_while_a_run_is_stored_is_a_change(history: History, results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = make.stored(results, FIRST, SAMPLES)
    read = run.samples

    def late() -> list[Sample]:
        found = read()
        run.add([make.sample(1.0, boot=5)])
        return found

    with monkeypatch.context() as patched:
        patched.setattr(run, "samples", late)
        history.store(run)
    assert not history.has(run)
    history.store(run)
    assert history.has(run)
    assert history.samples(FIRST) == [*SAMPLES, make.sample(1.0, boot=5)]


def test_a_folder_that_cannot_be_read_changes_nothing(history: History, results: Path) -> None:
    run = make.stored(results, FIRST, SAMPLES)
    history.store(run)
    (run.folder / "findings.jsonl").write_text("nonsense\n")
    run.add([make.sample(1.0, boot=5)])
    with pytest.raises(UsageError, match=rf"{FIRST} is damaged: findings\.jsonl:1: "):
        history.store(run)
    assert history.samples(FIRST) == SAMPLES


def test_no_field_of_a_sample_is_lost(history: History, file: Path) -> None:
    """A field that a sample gains needs a column, by a further step of the schema."""
    connection = sqlite3.connect(file)
    columns = {row[1] for table in ("samples", "subjects") for row in connection.execute(f"PRAGMA table_info({table})")}
    assert set(Sample.__struct_fields__) == columns - {"run", "subject", "id"}
