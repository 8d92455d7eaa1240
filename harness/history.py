# SPDX-License-Identifier: GPL-2.0-only
"""Every run's provenance, samples, findings and results in one file, which outlives the runs' folders."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import msgspec

from harness import schema, tables, trend
from harness.database import Database
from harness.errors import UsageError
from harness.matrix import Clock
from harness.records import Finding, Provenance, Result, Run, Sample
from harness.trend import Measured, RunRow, Trend, Value

FILE = "history.sqlite"
_STORE = """INSERT INTO runs (name, started, finished, kernel, scale, loops, planned, provenance) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (name) DO UPDATE SET started = excluded.started, finished = excluded.finished, kernel = excluded.kernel,
    scale = excluded.scale, loops = excluded.loops, planned = excluded.planned, provenance = excluded.provenance
    RETURNING id"""
_RUNS = """SELECT id, name, started, finished, kernel, scale, loops, planned,
    provenance ->> 'version', provenance ->> 'host', provenance -> 'tools', provenance -> 'cells', baseline.run IS NOT NULL,
    (SELECT count(*) FROM samples WHERE run = id),
    (SELECT count(*) FROM findings WHERE run = id AND expected <> ''),
    (SELECT count(*) FROM findings WHERE run = id AND expected = '')
    FROM runs LEFT JOIN baseline ON baseline.run = id ORDER BY started, name"""
_CLOCKS = "SELECT DISTINCT run, clock FROM samples JOIN subjects ON subjects.id = subject ORDER BY clock"
_OUTCOMES = "SELECT run, outcome, count(*) FROM results GROUP BY run, outcome"
_TESTS = """SELECT DISTINCT test FROM subjects
    WHERE EXISTS (SELECT * FROM samples WHERE subject = subjects.id AND NOT warmup) ORDER BY test"""
_TREND = """SELECT machine, clock, kernel, scale, loops, test, variant, profile, unit,
    runs.name, started, baseline.run IS NOT NULL, boot, value
    FROM subjects JOIN samples ON subject = subjects.id JOIN runs ON runs.id = samples.run
    LEFT JOIN baseline ON baseline.run = runs.id
    WHERE NOT warmup AND (?1 = '[]' OR test IN (SELECT value FROM json_each(?1)))
    ORDER BY machine, clock, kernel, scale, loops, test, variant <> 'stock', variant, profile, unit, started, runs.name,
    boot, samples.rowid"""
_SAMPLES = """SELECT machine, variant, profile, clock, test, boot, repeat, thread, value, unit, operations, warmup
    FROM samples JOIN subjects ON subjects.id = subject WHERE run = ? ORDER BY samples.rowid"""
_FINDINGS = """SELECT machine, variant, profile, test, kind, title, expected, log, first, last, excerpt
    FROM findings WHERE run = ? ORDER BY rowid"""
_RESULTS = """SELECT machine, variant, profile, test, boot, round, outcome, seconds, reason
    FROM results WHERE run = ? ORDER BY rowid"""


class History:
    """The file; a context manager. Every call raises RigError when the file cannot be read or written."""

    def __init__(self, path: Path) -> None:
        """Open `path`, or make it. Raises UsageError for one of a newer rig, RigError for a damaged one."""
        self._database = Database(path, schema.STEPS, kind=schema.KIND)

    def __enter__(self) -> History:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None) -> None:
        self._database.close()

    def store(self, run: Run) -> None:
        """Keep all of a run, in the place of what was kept of it before; it stays the baseline if it was.

        Raises UsageError for a folder whose records cannot be read.
        """
        provenance, samples, findings, results = run.provenance(), run.samples(), run.findings(), run.results()
        with self._database.writing() as database:
            number = database.execute(_STORE, _columns(provenance)).fetchone()[0]
            for table in ("samples", "findings", "results"):
                database.execute(f"DELETE FROM {table} WHERE run = ?", (number,))  # noqa: S608 - names from the line above
            _add_samples(database, number, samples)
            rows = [
                (number, f.machine, f.variant, f.profile, f.test, f.kind, f.title, f.expected, f.log, *f.lines, f.excerpt)
                for f in findings
            ]
            database.executemany("INSERT INTO findings VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
            gone = [
                (number, r.machine, r.variant, r.profile, r.test, r.boot, r.round, r.outcome, r.seconds, r.reason) for r in results
            ]
            database.executemany("INSERT INTO results VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", gone)

    def runs(self) -> list[RunRow]:
        """Return all runs, oldest first."""
        with self._database.reading() as database:
            clocks: dict[int, list[Clock]] = {}
            for number, clock in database.execute(_CLOCKS):
                clocks.setdefault(number, []).append(Clock(clock))
            outcomes: dict[int, dict[str, int]] = {}
            for number, outcome, count in database.execute(_OUTCOMES):
                outcomes.setdefault(number, {})[outcome] = count
            return [_row(row, tuple(clocks.get(row[0], ())), outcomes.get(row[0], {})) for row in database.execute(_RUNS)]

    def trend(self, tests: Sequence[str] = ()) -> list[Trend]:
        """Return how the figures of `tests`, or of all, went from run to run, in each cell and for each amount of work.

        Raises UsageError for a test of which no run has a sample.
        """
        with self._database.reading() as database:
            known = [row[0] for row in database.execute(_TESTS)]
            for test in tests:
                if test not in known:
                    raise UsageError(f"No run in the history has samples of '{test}'; {tables.closest(test, known)}")
            names = msgspec.json.encode(list(tests)).decode()
            rows = database.execute(_TREND, (names,))
            return trend.trends(Value(Measured(r[0], Clock(r[1]), *r[2:9]), r[9], r[10], bool(r[11]), *r[12:]) for r in rows)

    def samples(self, run: str) -> list[Sample]:
        """Return a run's samples, warm-up too, as they were stored; UsageError if there is no such run."""
        with self._database.reading() as database:
            return [msgspec.convert(row, Sample, strict=False) for row in _named(database, _SAMPLES, run)]

    def findings(self, run: str) -> list[Finding]:
        """Return a run's findings; UsageError if there is no such run."""
        with self._database.reading() as database:
            rows = _named(database, _FINDINGS, run)
            return [msgspec.convert({**row, "lines": (row["first"], row["last"])}, Finding) for row in rows]

    def results(self, run: str) -> list[Result]:
        """Return how a run's tests went; UsageError if there is no such run."""
        with self._database.reading() as database:
            return [msgspec.convert(row, Result) for row in _named(database, _RESULTS, run)]

    def set_baseline(self, run: str) -> None:
        """Make a run the one that later ones are measured against; UsageError if there is no such run, or not all of it."""
        with self._database.writing() as database:
            number = _number(database, run)
            have, planned = database.execute(
                "SELECT (SELECT count(*) FROM results WHERE run = id), planned FROM runs WHERE id = ?", (number,)
            ).fetchone()
            if have < planned:
                raise UsageError(f"{run} cannot be the baseline: it has {have} of {planned} results; finish it, or name another.")
            database.execute("INSERT OR REPLACE INTO baseline VALUES (1, ?)", (number,))

    def baseline(self) -> str | None:
        """Return the name of the run that later ones are measured against."""
        with self._database.reading() as database:
            row = database.execute("SELECT name FROM baseline JOIN runs ON id = run").fetchone()
        return None if row is None else str(row[0])


def _columns(provenance: Provenance) -> tuple[str | float, ...]:
    stored = msgspec.json.encode(provenance).decode()
    p = provenance
    return p.run, p.started, p.finished, p.kernel, p.scale, p.loops, p.planned, stored


def _add_samples(database: sqlite3.Connection, number: int, samples: Sequence[Sample]) -> None:
    keys = {(s.machine, s.variant, s.profile, s.clock.value, s.test, s.unit) for s in samples}
    database.executemany(
        "INSERT OR IGNORE INTO subjects (machine, variant, profile, clock, test, unit) VALUES (?, ?, ?, ?, ?, ?)", sorted(keys)
    )
    subjects = {
        tuple(row[1:]): row[0] for row in database.execute("SELECT id, machine, variant, profile, clock, test, unit FROM subjects")
    }
    database.executemany(
        "INSERT INTO samples VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            (
                number,
                subjects[s.machine, s.variant, s.profile, s.clock.value, s.test, s.unit],
                *(s.boot, s.repeat, s.thread, s.value, s.operations, s.warmup),
            )
            for s in samples
        ),
    )


def _number(database: sqlite3.Connection, run: str) -> int:
    row = database.execute("SELECT id FROM runs WHERE name = ?", (run,)).fetchone()
    if row is None:
        known = [name for (name,) in database.execute("SELECT name FROM runs ORDER BY started DESC LIMIT 10")]
        raise UsageError(f"There is no run '{run}' in the history; {tables.closest(run, known)}")
    return int(row[0])


def _named(database: sqlite3.Connection, query: str, run: str) -> Iterator[dict[str, Any]]:
    """Return what `query` finds of a run, by the names of its columns."""
    found = database.execute(query, (_number(database, run),))
    names = [column[0] for column in found.description]
    return (dict(zip(names, row, strict=True)) for row in found)


def _row(row: tuple[str, ...], clocks: tuple[Clock, ...], outcomes: dict[str, int]) -> RunRow:
    (
        _,
        name,
        started,
        finished,
        kernel,
        scale,
        loops,
        planned,
        version,
        host,
        tools,
        cells,
        baseline,
        samples,
        expected,
        unexpected,
    ) = row
    return RunRow(
        name=name,
        started=started,
        finished=finished,
        kernel=kernel,
        version=version,
        scale=scale,
        loops=float(loops),
        host=host,
        tools=msgspec.json.decode(tools, type=dict[str, str]),
        cells=msgspec.json.decode(cells, type=dict[str, str]),
        clocks=clocks,
        samples=int(samples),
        planned=int(planned),
        outcomes=outcomes,
        expected=int(expected),
        unexpected=int(unexpected),
        baseline=bool(baseline),
    )
