# SPDX-License-Identifier: GPL-2.0-only
"""Runs a soak: the stress tests for hours in VMs that live as long, to see memory grow."""

from __future__ import annotations

import secrets
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

import msgspec

from harness import text
from harness.build import cells
from harness.build.built import BuiltCell
from harness.commands.progress import Progress, Repeats
from harness.errors import RigError, UsageError
from harness.host import parallel, process
from harness.model import catalog, run_folder
from harness.model.records import Result
from harness.model.run_folder import Run
from harness.model.selection import Selection
from harness.runs import conclude, lifecycle
from harness.stats.outcome import Outcome
from harness.suite import soak_rounds
from harness.suite.extract import Observed
from harness.suite.plan import Plan
from harness.suite.soak_cell import CellSoak, Record, Soak
from harness.suite.vm_pool import Lab
from harness.vm import vms

_GLANCE = 1.0
"""seconds between two glances at whether all cells are done"""
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


def _cell(soak: Soak, built: BuiltCell, lab: Lab) -> None:
    CellSoak(soak, built, lab).run()


class Parts(msgspec.Struct, frozen=True):
    """The functions that a soak calls; tests hand in their own."""

    begin: Callable[[Run, Plan, str], None] = lifecycle.begin
    cell: Callable[[Soak, BuiltCell, Lab], None] = _cell
    """soaks one cell to the end"""
    wait: Callable[..., Any] = wait
    """for the cells"""
    free_memory: Callable[[], int] = parallel.free_memory
    """MiB that VMs can have"""


_PARTS = Parts()


def run(planned: Plan, wanted: Selection, command: str, hours: float, seed: int = 0, parts: Parts = _PARTS) -> Outcome:
    """Soak every cell of `planned` for `hours`, and write the run's folder in results/.

    The rounds follow from `seed`; 0 draws one. Ctrl-C ends it early, with a report of the rounds so far. Raises
    UsageError where the cells' VMs do not fit into memory, RigError where nothing can be recorded.
    """
    names = set(planned.tests)
    tests = soak_rounds.fit([test for test in catalog.suite().tests if test.name in names])
    planned = msgspec.structs.replace(
        planned.with_settings(keep=False), tests=tuple(test.name for test in tests), hours=hours, seed=seed or _drawn()
    )
    _check_memory(planned, parts.free_memory())
    run = Run(run_folder.new_folder())
    with run.alone():
        parts.begin(run, planned, command)
        slots = min(wanted.jobs or len(planned.cells), len(planned.cells))
        with Progress("soak") as progress:
            progress.line(
                f"{len(planned.cells)} VM{'s' if len(planned.cells) > 1 else ''} for {hours:g} h, {slots} testing at a time,"
                f" seed {planned.seed}; Ctrl-C ends it with a report. {run.folder}"
            )
            whole = _cells(Soak(planned, tests, slots, _recorder(run, progress), progress.say), run.folder, parts)
        return conclude.finish(run, "report") if whole else conclude.conclude(run)


def _drawn() -> int:
    return secrets.randbelow(1 << 31) + 1


def _cells(soak: Soak, logs: Path, parts: Parts) -> bool:
    """Soak all cells side by side; return whether they came to their end without an interrupt."""

    def one(number: int) -> None:
        lab = Lab(logs, keep=False, pauses=bool(soak.plan.settings.on_failure))
        try:
            parts.cell(soak, soak.plan.cells[number], lab)
        finally:
            lab.close()

    interrupted = False
    # A QEMU ends with the thread that starts it, which is not one of these: see harness/host/process.py.
    with ThreadPoolExecutor(len(soak.plan.cells), thread_name_prefix="soak") as pool:
        futures: list[Future[None]] = []
        try:
            # One by one: those that run already are ended if there is no thread for the next.
            futures.extend(pool.submit(one, number) for number in range(len(soak.plan.cells)))
            while parts.wait(futures, _GLANCE, FIRST_EXCEPTION).not_done and not _failed(futures):
                pass
        except KeyboardInterrupt:
            interrupted = True
        finally:
            _cut_short(soak, futures)
    vms.stop_own()
    for future in futures:
        if (error := future.exception()) is not None:
            raise RigError(
                f"The soak was given up: {error} What was recorded is kept; `invoke report {logs.name}` shows it."
            ) from error
    return not interrupted


def _failed(futures: Sequence[Future[None]]) -> bool:
    return any(future.done() and future.exception() for future in futures)


def _cut_short(soak: Soak, futures: Sequence[Future[None]]) -> None:
    """End what is under way, if anything is: the threads see their guests die, and keep the consoles' logs."""
    while not all(future.done() for future in futures):
        soak.cut_short.set()
        for machine in vms.own():
            process.kill(machine.state.pid, machine.state.started)
        wait(futures, _GLANCE)


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
