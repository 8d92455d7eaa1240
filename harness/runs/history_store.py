# SPDX-License-Identifier: GPL-2.0-only
"""Every run's provenance, samples, findings and results in one file, which outlives the runs' folders; and dismissals."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

import msgspec

from harness.errors import UsageError
from harness.host import stored, toml
from harness.model import run_folder
from harness.model.records import Finding, Result, Sample
from harness.model.run_folder import Run
from harness.runs.sqlite import Database
from harness.stats import trend
from harness.stats.causes import fingerprint
from harness.stats.dismissals import Dismissal
from harness.stats.trend import RunRow, Trend, Value

FILE = "history.sqlite"
_FILES = (run_folder.PROVENANCE, *(run_folder.FILES[record] for record in (Sample, Finding, Result)))
"""of a run's folder that are kept"""
# To change the schema append a step; never change one, for there are files that have taken it.
# Append one as well when a record changes in what is read of it here.
STEPS: tuple[tuple[str, ...], ...] = (
    (
        # run.json is kept whole; what is sorted and searched by is taken from it. `stamp` is that of the folder it is from.
        """CREATE TABLE runs (
            id INTEGER PRIMARY KEY, stamp TEXT NOT NULL, baseline INTEGER NOT NULL DEFAULT 0, provenance TEXT NOT NULL,
            name TEXT NOT NULL UNIQUE AS (provenance ->> 'run') STORED,
            started TEXT NOT NULL AS (provenance ->> 'started') STORED,
            kernel TEXT NOT NULL AS (provenance ->> 'kernel') STORED,
            scale TEXT NOT NULL AS (provenance ->> 'scale') STORED,
            loops REAL NOT NULL AS (provenance ->> 'loops') STORED)""",
        """CREATE TABLE subjects (
            id INTEGER PRIMARY KEY, machine TEXT NOT NULL, variant TEXT NOT NULL, profile TEXT NOT NULL,
            clock TEXT NOT NULL, test TEXT NOT NULL, unit TEXT NOT NULL,
            UNIQUE (test, machine, variant, profile, clock, unit))""",
        """CREATE TABLE samples (
            run INTEGER NOT NULL REFERENCES runs, subject INTEGER NOT NULL REFERENCES subjects,
            boot INTEGER NOT NULL, repeat INTEGER NOT NULL, thread INTEGER NOT NULL,
            value REAL NOT NULL, operations INTEGER NOT NULL, warmup INTEGER NOT NULL)""",
        "CREATE INDEX samples_by_subject ON samples (subject, run)",
        "CREATE INDEX samples_by_run ON samples (run)",
        # Records as they are in findings.jsonl and results.jsonl.
        "CREATE TABLE findings (run INTEGER NOT NULL REFERENCES runs, record TEXT NOT NULL)",
        "CREATE INDEX findings_by_run ON findings (run)",
        "CREATE TABLE results (run INTEGER NOT NULL REFERENCES runs, record TEXT NOT NULL)",
        "CREATE INDEX results_by_run ON results (run)",
    ),
    ("CREATE TABLE dismissals (fingerprint TEXT PRIMARY KEY, why TEXT NOT NULL, date TEXT NOT NULL, title TEXT NOT NULL)",),
    # Runs from before there was a choice were built with GCC.
    ("ALTER TABLE runs ADD COLUMN toolchain TEXT AS (coalesce(provenance ->> 'toolchain', 'gcc'))",),
)
_STORE = """INSERT INTO runs (stamp, provenance) VALUES (?, ?)
    ON CONFLICT (name) DO UPDATE SET stamp = excluded.stamp, provenance = excluded.provenance RETURNING id"""
# Rows of the shape of RunRow, which takes from run.json what it has by the same name.
_RUNS = """SELECT json_patch(provenance, json_object(
        'name', name, 'baseline', json(iif(baseline, 'true', 'false')),
        'clocks', (SELECT json_group_array(clock) FROM (
            SELECT DISTINCT clock FROM samples JOIN subjects ON subjects.id = subject WHERE run = runs.id ORDER BY clock)),
        'outcomes', (SELECT json_group_object(outcome, number) FROM (
            SELECT record ->> 'outcome' AS outcome, count(*) AS number FROM results WHERE run = runs.id GROUP BY outcome)),
        'unexpected', (SELECT count(*) FROM unexplained WHERE run = runs.id AND NOT dismissed),
        'dismissed', (SELECT count(*) FROM unexplained WHERE run = runs.id AND dismissed)))
    FROM runs ORDER BY started, name"""
_UNEXPLAINED = """WITH unexplained AS MATERIALIZED (
    SELECT run, fingerprint(record) IN (SELECT fingerprint FROM dismissals) AS dismissed
    FROM findings WHERE record ->> 'expected' = '') """
_TESTS = """SELECT DISTINCT test FROM subjects
    WHERE EXISTS (SELECT * FROM samples WHERE subject = subjects.id AND NOT warmup) ORDER BY test"""
_TREND = """SELECT machine, clock, kernel, toolchain, scale, loops, test, variant, profile, unit,
    name AS run, started, baseline, boot, value
    FROM subjects JOIN samples ON subject = subjects.id JOIN runs ON runs.id = samples.run
    WHERE NOT warmup AND (?1 = '[]' OR test IN (SELECT value FROM json_each(?1)))
    ORDER BY machine, clock, kernel, toolchain, scale, loops, test, variant <> 'stock', variant, profile, unit, started, name,
    boot, samples.rowid"""
_SAMPLES = """SELECT machine, variant, profile, clock, test, boot, repeat, thread, value, unit, operations, warmup
    FROM samples JOIN subjects ON subjects.id = subject WHERE run = ? ORDER BY samples.rowid"""


class History:
    """The file; a context manager. Every call raises RigError when the file cannot be read or written."""

    def __init__(self, path: Path) -> None:
        """Open `path`, or make it. Raises UsageError for one of a newer rig, RigError for a damaged one."""
        self.database = Database(path, STEPS)
        self.database.connection.create_function("fingerprint", 1, _fingerprint, deterministic=True)

    def __enter__(self) -> History:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None) -> None:
        self.database.close()

    def store(self, run: Run) -> None:
        """Store a run, and replace an earlier version of it; it stays the baseline if it was.

        Raises UsageError for a folder of which a record cannot be read: what the history has outlives the folder, and then
        nobody can tell any more what is missing. Raises it for a copy, under another name, of a run that is stored.
        """
        stamp = _stamp(run)  # before the records are read: records that are added meanwhile are stored the next time
        provenance, samples, findings, results = run.provenance(), run.samples(), run.findings(), run.results()
        if lines := run.left_out():
            raise UsageError(f"{run.folder} is damaged: {lines[0]}{f'; and {len(lines) - 1} more' if lines[1:] else ''}.")
        with self.database.writing() as database:
            known = database.execute("SELECT 1 FROM runs WHERE name = ?", (provenance.run,)).fetchone()
            if known and run.folder.name != provenance.run:
                raise UsageError(
                    f"{run.folder} is a copy of {provenance.run}, which the history has; use that name, or remove the copy."
                )
            number = database.execute(_STORE, (stamp, _json(provenance))).fetchone()["id"]
            for table in ("samples", "findings", "results"):
                database.execute(f"DELETE FROM {table} WHERE run = ?", (number,))  # noqa: S608 - names from the line above
            _add_samples(database, number, samples)
            database.executemany("INSERT INTO findings VALUES (?, ?)", ((number, _json(finding)) for finding in findings))
            database.executemany("INSERT INTO results VALUES (?, ?)", ((number, _json(result)) for result in results))

    def has(self, run: Run) -> bool:
        """Return whether the run is stored as its folder has it now, by the sizes and times of its files."""
        with self.database.reading() as database:
            row = database.execute("SELECT stamp FROM runs WHERE name = ?", (run.folder.name,)).fetchone()
        return row is not None and row["stamp"] == _stamp(run)

    def runs(self) -> list[RunRow]:
        """Return all runs, oldest first."""
        with self.database.reading() as database:
            return [stored.decode(row, RunRow) for (row,) in database.execute(_UNEXPLAINED + _RUNS)]

    def trend(self, tests: Sequence[str] = ()) -> list[Trend]:
        """Return the figures of `tests`, or of all, from run to run, for each cell and each amount of work.

        Raises UsageError for a test of which no run has a sample.
        """
        with self.database.reading() as database:
            known = [test for (test,) in database.execute(_TESTS)]
            for test in tests:
                if test not in known:
                    raise UsageError(f"No run in the history has samples of '{test}'; {toml.closest(test, known)}")
            rows = map(dict, database.execute(_TREND, (_json(tests),)))
            return trend.trends(msgspec.convert({**row, "of": row}, Value, strict=False) for row in rows)

    def samples(self, run: str) -> list[Sample]:
        """Return a run's samples, warm-up too, as they were stored; UsageError if there is no such run."""
        with self.database.reading() as database:
            rows = map(dict, database.execute(_SAMPLES, (_number(database, run),)))
            return [msgspec.convert(row, Sample, strict=False) for row in rows]

    def set_baseline(self, run: str) -> None:
        """Make a run the baseline, with which later ones are compared.

        Raises UsageError if there is no such run, it is a soak or not complete, or the rig failed in one of its tests.
        """
        with self.database.writing() as database:
            number = _number(database, run)
            row = database.execute(
                "SELECT provenance ->> 'planned' AS planned, provenance ->> 'hours' AS hours,"
                " (SELECT count(*) FROM results WHERE run = id) AS have,"
                " (SELECT count(*) FROM results WHERE run = id AND record ->> 'outcome' = 'error') AS errors"
                " FROM runs WHERE id = ?",
                (number,),
            ).fetchone()
            if row["hours"]:
                raise UsageError(f"{run} cannot be the baseline: it is a soak, which has no figures to compare with.")
            if row["have"] < row["planned"]:
                why = f"it has {row['have']} of {row['planned']} results; finish it, or name another"
                raise UsageError(f"{run} cannot be the baseline: {why}.")
            if row["errors"]:
                raise UsageError(f"{run} cannot be the baseline: the rig failed in {row['errors']} of its tests; name another.")
            database.execute("UPDATE runs SET baseline = (id = ?)", (number,))

    def baseline(self) -> str | None:
        """Return the name of the baseline, the run with which later ones are compared."""
        with self.database.reading() as database:
            row = database.execute("SELECT name FROM runs WHERE baseline").fetchone()
        return None if row is None else str(row["name"])

    def unexplained(self) -> list[Finding]:
        """Return the findings of all runs that no known bug explains, dismissed or not, oldest first."""
        with self.database.reading() as database:
            rows = database.execute("SELECT record FROM findings WHERE record ->> 'expected' = '' ORDER BY run, rowid")
            return [stored.decode(record, Finding) for (record,) in rows]

    def dismissals(self) -> list[Dismissal]:
        """Return what was dismissed, oldest first."""
        with self.database.reading() as database:
            rows = database.execute("SELECT fingerprint, why, date, title FROM dismissals ORDER BY date, fingerprint")
            return [Dismissal(**row) for row in map(dict, rows)]

    def dismiss(self, of: Dismissal) -> None:
        """Keep a dismissal, in the place of an earlier one of the same fingerprint."""
        with self.database.writing() as database:
            database.execute("INSERT OR REPLACE INTO dismissals VALUES (?, ?, ?, ?)", (of.fingerprint, of.why, of.date, of.title))

    def undo(self, fingerprint: str) -> None:
        """Take a dismissal back."""
        with self.database.writing() as database:
            database.execute("DELETE FROM dismissals WHERE fingerprint = ?", (fingerprint,))


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _fingerprint(record: str) -> str:
    """Return the fingerprint of a finding as it is stored; empty for one that cannot be read, which nobody can dismiss."""
    try:
        return fingerprint(stored.decode(record, Finding))
    except msgspec.DecodeError:
        return ""


def _stamp(run: Run) -> str:
    """Return the sizes and times of the files of a run that are stored; it differs when they have changed."""
    files = [file.stat() if (file := run.folder / name).exists() else None for name in _FILES]
    return " ".join(f"{state.st_size}@{state.st_mtime_ns}" if state else "-" for state in files)


def _add_samples(database: sqlite3.Connection, number: int, samples: Sequence[Sample]) -> None:
    keys = sorted({_subject(sample) for sample in samples})
    database.executemany(
        "INSERT OR IGNORE INTO subjects (machine, variant, profile, clock, test, unit) VALUES (?, ?, ?, ?, ?, ?)", keys
    )
    stored = database.execute("SELECT machine, variant, profile, clock, test, unit, id FROM subjects")
    subjects = {tuple(row)[:-1]: row["id"] for row in stored}
    database.executemany(
        "INSERT INTO samples VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        ((number, subjects[_subject(s)], s.boot, s.repeat, s.thread, s.value, s.operations, s.warmup) for s in samples),
    )


def _subject(of: Sample) -> tuple[str, ...]:
    return of.machine, of.variant, of.profile, of.clock.value, of.test, of.unit


def _number(database: sqlite3.Connection, run: str) -> int:
    row = database.execute("SELECT id FROM runs WHERE name = ?", (run,)).fetchone()
    if row is None:
        known = [name for (name,) in database.execute("SELECT name FROM runs ORDER BY started DESC LIMIT 10")]
        raise UsageError(f"There is no run '{run}' in the history; {toml.closest(run, known)}")
    return int(row["id"])
