# SPDX-License-Identifier: GPL-2.0-only
"""Keeps runs in the history, shows it, and makes one of its runs the baseline."""

from __future__ import annotations

from pathlib import Path

import msgspec

from harness import paths
from harness.errors import RigError, UsageError
from harness.host import files
from harness.model import catalog, foreign
from harness.model.run_folder import Run
from harness.report import trend as pages
from harness.runs import history_store, lifecycle, retention
from harness.runs.history_store import History
from harness.stats.dismissals import Dismissal
from harness.stats.trend import RunRow, Trend

PAGE = "history.html"


class HistoryView(msgspec.Struct, frozen=True):
    """The history as it is shown."""

    runs: tuple[RunRow, ...]
    trends: tuple[Trend, ...]
    page: Path
    """the same with plots"""
    unread: tuple[str, ...]
    """reasons why some runs in results/ are not in it"""


def opened() -> History:
    """Open the history of results/."""
    return History(paths.RESULTS / history_store.FILE)


def keep(run: Run) -> str:
    """Put a run of results/ into the history, and replace an earlier version of it there.

    Returns the reason if that failed, else an empty string. It does not raise, since the run itself is not lost.
    """
    if run.folder.parent != paths.RESULTS:
        return ""
    try:
        with opened() as kept:
            kept.store(run)
    except RigError as error:
        return f"{run.folder.name} is not in the history: {error} `invoke history` will try again."
    return ""


def dismissals() -> tuple[dict[str, Dismissal], str]:
    """Return what was dismissed, by fingerprint, and the reason if that cannot be read.

    It does not raise: then nothing counts as dismissed, and the report says so.
    """
    if not (paths.RESULTS / history_store.FILE).exists():
        return {}, ""
    try:
        with opened() as kept:
            return {one.fingerprint: one for one in kept.dismissals()}, ""
    except RigError as error:
        return {}, f"What was dismissed cannot be read, so that nothing counts as dismissed here: {error}"


def take_up(kept: History) -> list[str]:
    """Put the runs of results/ that the history lacks into it; return a sentence for each that could not be."""
    unread = []
    for run in map(Run, retention.folders(paths.RESULTS)):
        try:
            if not kept.has(run):
                kept.store(run)
        except UsageError as error:
            unread.append(str(error))
        except OSError as error:
            unread.append(f"{run.folder} cannot be read: {error.strerror}.")
    return unread


def look(test: str = "") -> HistoryView:
    """Read the history, of one test or of all that are compared, and write its page.

    Raises UsageError for a test of which it has no samples.
    """
    with opened() as kept:
        unread = take_up(kept)
        rows, trends = kept.runs(), kept.trend([test] if test else ())
    if not test:
        compared = [*catalog.performance(), *foreign.tests(trend.of.test for trend in trends)]
        trends = [trend for trend in trends if trend.of.test in compared]
    page = paths.RESULTS / PAGE
    files.write(page, pages.page(rows, trends))
    return HistoryView(tuple(rows), tuple(trends), page, tuple(unread))


def accept(name: str) -> str:
    """Make a run the baseline: a folder, a name in results/, or one that only the history still has. Return its name.

    Raises UsageError if there is no such run, it is a soak or not complete, or the rig failed in it.
    """
    with opened() as kept:
        take_up(kept)
        if name not in {row.name for row in kept.runs()}:
            run = lifecycle.find(name)
            if not kept.has(run):
                kept.store(run)
            name = run.provenance().run
        kept.set_baseline(name)
    return name


def make_room(limits: retention.Limits) -> list[retention.Removed]:
    """Remove the folders of old nights, but for the baseline's and those with records that the history has not; return them.

    Raises RigError when the history cannot be read, or a folder cannot be removed.
    """
    with opened() as kept:
        baseline = kept.baseline()
        stored = {folder.name for folder in retention.folders(paths.RESULTS) if kept.has(Run(folder))} - {baseline}
    return retention.prune(paths.RESULTS, limits, stored)
