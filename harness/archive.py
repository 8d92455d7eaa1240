# SPDX-License-Identifier: GPL-2.0-only
"""What the history is used for: runs are kept, looked at, and made the baseline."""

from __future__ import annotations

from pathlib import Path

import msgspec

from harness import history, paths, plan, retention, runs, store
from harness.errors import UsageError
from harness.history import History
from harness.records import Run
from harness.report import trend as pages
from harness.trend import RunRow, Trend

PAGE = "history.html"


class Look(msgspec.Struct, frozen=True):
    """What is to be shown of the history."""

    runs: tuple[RunRow, ...]
    trends: tuple[Trend, ...]
    page: Path
    """the same with plots"""
    unread: tuple[str, ...]
    """why some runs in results/ are not in it"""


def opened() -> History:
    """Open the history of results/."""
    return History(paths.RESULTS / history.FILE)


def keep(run: Run) -> None:
    """Put a run of results/ into the history, in the place of what it held of it before."""
    if run.folder.parent == paths.RESULTS:
        with opened() as kept:
            kept.store(run)


def take_up(kept: History) -> list[str]:
    """Put those runs of results/ into the history that it lacks; return why others could not be, a sentence each."""
    known = {row.name for row in kept.runs() if row.finished}
    unread = []
    for folder in retention.folders(paths.RESULTS):
        if folder.name not in known:
            try:
                kept.store(Run(folder))
            except UsageError as error:
                unread.append(str(error))
    return unread


def look(test: str = "") -> Look:
    """Read the history, of one test or of all whose times are compared, and write its page.

    Raises UsageError for a test of which it has no samples.
    """
    with opened() as kept:
        unread = take_up(kept)
        rows, trends = kept.runs(), kept.trend([test] if test else ())
    if not test:
        stress = {known.name for known in plan.suite().tests if known.stress}
        trends = [trend for trend in trends if trend.of.test not in stress]
    page = paths.RESULTS / PAGE
    store.write(page, pages.page(rows, trends))
    return Look(tuple(rows), tuple(trends), page, tuple(unread))


def accept(name: str) -> str:
    """Make a run the baseline: a folder, a name in results/, or one that only the history still has. Return its name.

    Raises UsageError if there is no such run, or it is not complete.
    """
    with opened() as kept:
        if name not in {row.name for row in kept.runs()}:
            run = runs.find(name)
            kept.store(run)
            name = run.provenance().run
        kept.set_baseline(name)
    return name
