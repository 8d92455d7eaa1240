# SPDX-License-Identifier: GPL-2.0-only
"""The history's tables, as the steps that lead from one version of the file to the next."""

from __future__ import annotations

# To change the schema append a step; never change one, for there are files that have taken it.
# So it has to be done as well when a record changes in what history.py reads of it here.
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
)
