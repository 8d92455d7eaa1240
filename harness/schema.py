# SPDX-License-Identifier: GPL-2.0-only
"""The history's tables, as the steps that lead from one version of the file to the next."""

from __future__ import annotations

KIND = 0x4B505248
"""SQLite's application_id of the history"""

# To change the schema append a step; never change one, for there are files that have taken it.
# So it has to be done as well when Provenance changes what history.py reads from its JSON.
STEPS: tuple[tuple[str, ...], ...] = (
    (
        """CREATE TABLE runs (
            id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, started TEXT NOT NULL, finished TEXT NOT NULL,
            kernel TEXT NOT NULL, scale TEXT NOT NULL, loops REAL NOT NULL, planned INTEGER NOT NULL,
            provenance TEXT NOT NULL)""",
        """CREATE TABLE baseline (
            only INTEGER PRIMARY KEY CHECK (only = 1), run INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE)""",
        """CREATE TABLE subjects (
            id INTEGER PRIMARY KEY, machine TEXT NOT NULL, variant TEXT NOT NULL, profile TEXT NOT NULL,
            clock TEXT NOT NULL, test TEXT NOT NULL, unit TEXT NOT NULL,
            UNIQUE (test, machine, variant, profile, clock, unit))""",
        """CREATE TABLE samples (
            run INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE, subject INTEGER NOT NULL REFERENCES subjects,
            boot INTEGER NOT NULL, repeat INTEGER NOT NULL, thread INTEGER NOT NULL,
            value REAL NOT NULL, operations INTEGER NOT NULL, warmup INTEGER NOT NULL)""",
        "CREATE INDEX samples_by_subject ON samples (subject, run)",
        "CREATE INDEX samples_by_run ON samples (run)",
        """CREATE TABLE findings (
            run INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
            machine TEXT NOT NULL, variant TEXT NOT NULL, profile TEXT NOT NULL, test TEXT NOT NULL,
            kind TEXT NOT NULL, title TEXT NOT NULL, expected TEXT NOT NULL, log TEXT NOT NULL,
            first INTEGER NOT NULL, last INTEGER NOT NULL, excerpt TEXT NOT NULL)""",
        "CREATE INDEX findings_by_run ON findings (run)",
        """CREATE TABLE results (
            run INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
            machine TEXT NOT NULL, variant TEXT NOT NULL, profile TEXT NOT NULL, test TEXT NOT NULL,
            boot INTEGER NOT NULL, round INTEGER NOT NULL, outcome TEXT NOT NULL, seconds REAL NOT NULL, reason TEXT NOT NULL)""",
        "CREATE INDEX results_by_run ON results (run)",
    ),
)
