# SPDX-License-Identifier: GPL-2.0-only
"""Runs a soak: the stress tests for hours in VMs that live as long, to see memory grow."""

from __future__ import annotations

import secrets
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import wait
from typing import Any

import msgspec

from harness import text
from harness.build import cells
from harness.cluster import address
from harness.commands.progress import Progress, Repeats
from harness.errors import RigError, UsageError
from harness.host import parallel
from harness.model import catalog, run_folder
from harness.model.catalog import SuiteTest
from harness.model.records import Result
from harness.model.run_folder import Run
from harness.model.selection import Selection
from harness.runs import conclude, lifecycle
from harness.stats.outcome import Outcome
from harness.suite import soak_cells, soak_rounds
from harness.suite.extract import Observed
from harness.suite.plan import Plan
from harness.suite.soak_cell import Record, Soak

_FIGURE = "SUnreclaim"
"""figure of memory that the progress shows"""


def check(wanted: Selection) -> None:
    """Raise UsageError for options of a selection that make no sense for a soak."""
    fresh = Selection()
    for name in ("clock", "boots", "unsettled", "keep"):
        if getattr(wanted, name) != getattr(fresh, name):
            raise UsageError(f"A soak has no use for --{name}: each cell has one VM, under the wall clock; leave it out.")
    names = catalog.choose(wanted.tests)
    tests = soak_rounds.fit([test for test in catalog.suite().tests if test.name in names])
    if not tests:
        raise UsageError(
            f"None of the tests '{wanted.tests}' can be part of a soak: it takes stress tests that need no VM of their own."
        )
    cells.check(msgspec.structs.replace(wanted, tests=",".join(test.name for test in tests)))


def _elsewhere(place: str, run: Run, planned: Plan) -> bool:
    from harness.commands import clustered  # its library is an extra

    return clustered.soak(address.read(place, "--cluster"), run, planned)


class Parts(msgspec.Struct, frozen=True):
    """The functions that a soak calls; tests hand in their own."""

    begin: Callable[[Run, Plan, str], None] = lifecycle.begin
    cell: soak_cells.Cell = soak_cells.one
    wait: Callable[..., Any] = wait
    """for the cells"""
    free_memory: Callable[[], int] = parallel.free_memory
    """MiB that VMs can have"""
    elsewhere: Callable[[str, Run, Plan], bool] = _elsewhere
    """soaks the cells on a cluster, by its address; returns whether they came to their end without an interrupt"""


_PARTS = Parts()


def run(planned: Plan, wanted: Selection, command: str, hours: float, seed: int = 0, parts: Parts = _PARTS) -> Outcome:
    """Soak every cell of `planned` for `hours`, and write the run's folder in results/.

    The rounds follow from `seed`; 0 draws one. On a cluster each cell is one session. Ctrl-C ends it early, with a report of the
    rounds so far. Raises UsageError where the cells' VMs do not fit into memory, RigError where nothing can be recorded.
    """
    names = set(planned.tests)
    tests = soak_rounds.fit([test for test in catalog.suite().tests if test.name in names])
    planned = msgspec.structs.replace(
        planned.with_settings(keep=False), tests=tuple(test.name for test in tests), hours=hours, seed=seed or _drawn()
    )
    if not wanted.cluster:
        _check_memory(planned, parts.free_memory())
    run = Run(run_folder.new_folder())
    with run.alone():
        parts.begin(run, planned, command)
        try:
            whole = parts.elsewhere(wanted.cluster, run, planned) if wanted.cluster else _here(planned, tests, wanted, run, parts)
        except UsageError:
            raise
        except RigError as error:
            raise RigError(f"{error} What was recorded is kept; `invoke report {run.folder.name}` shows it.") from error
        return conclude.finish(run, "report") if whole else conclude.conclude(run)


def _drawn() -> int:
    return secrets.randbelow(1 << 31) + 1


def _here(planned: Plan, tests: tuple[SuiteTest, ...], wanted: Selection, run: Run, parts: Parts) -> bool:
    """Soak all cells on this host, and return whether they came to their end without an interrupt."""
    slots = min(wanted.jobs or len(planned.cells), len(planned.cells))
    with Progress("soak") as progress:
        progress.line(
            f"{len(planned.cells)} VM{'s' if len(planned.cells) > 1 else ''} for {planned.hours:g} h, {slots} testing at a time,"
            f" seed {planned.seed}; Ctrl-C ends it with a report. {run.folder}"
        )
        shared = Soak(planned, tests, slots, _recorder(run, progress), progress.say)
        return soak_cells.run(shared, run.folder, parts.cell, parts.wait)


def _recorder(run: Run, progress: Progress) -> Record:
    """Return a function that appends records to the run's files, from any thread, and shows failures and memory in use."""
    lock, repeats, known = threading.Lock(), Repeats(), Counter[str]()

    def record(seen: Observed, result: Result) -> None:
        with lock:
            run.add((*seen.records(), result))
        where = f"{result.machine}/{result.variant}/{result.profile}"
        if result.outcome in ("failed", "error", "xfailed"):
            said = {"failed": "FAILED", "error": "RIG FAILED", "xfailed": "known bug seen, as expected:"}[result.outcome]
            place = f"{where} round {result.round + 1} {result.test}"
            reason = repeats.short(result.variant, result.reason, place)
            known[where] += result.outcome == "xfailed"
            if result.outcome != "xfailed" or reason == result.reason:
                progress.line(text.plain(f"{said} {place}: {reason}"))
        for look in seen.looks:
            done = f"round {look.round + 1}: {look.test} done, {_FIGURE} {text.size(look.values[_FIGURE])}"
            bugs = f", known bugs seen {known[where]} times" if known[where] else ""
            progress.say(where, f"{done}, {look.values['areas']} areas{bugs}")

    return record


def _check_memory(planned: Plan, free: int) -> None:
    wanted = sum(built.cell.machine.qemu.memory for built in planned.cells)
    if wanted > free:
        raise UsageError(
            f"The VMs of {len(planned.cells)} cells, which a soak has up all at once, take {wanted} MiB, but {free} MiB are free;"
            " select fewer with --machine, --variant or --profile."
        )
