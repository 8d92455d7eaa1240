# SPDX-License-Identifier: GPL-2.0-only
"""Tests the suite with kernels that have a bug made on purpose, and notes the test that catches each."""

from __future__ import annotations

import contextlib
import os
import queue
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import NamedTuple, Protocol

import msgspec

from harness import paths, text
from harness.build import cells, patches, source
from harness.build.jobserver import Jobserver
from harness.build.source import Sources
from harness.cluster import address
from harness.commands import mutant_book, pipeline, suite_here
from harness.commands.mutant_bench import APART, TOOLS, Bench, Tools
from harness.commands.mutant_book import Book
from harness.commands.progress import Progress
from harness.errors import RigError, UsageError
from harness.host import files, parallel, shell, toml
from harness.host.shell import Line
from harness.model import catalog, matrix, mutants, records, run_folder
from harness.model.matrix import Base, Variant
from harness.model.mutants import Mutant, MutantTable, MutationRun
from harness.model.records import Finding
from harness.model.selection import Selection
from harness.report import mutants as report
from harness.runs import lifecycle
from harness.stats.outcome import ExitCode
from harness.suite.plan import Plan
from harness.vm import vms

_TABLE = "mutants.toml"
_MEANT = ("variant", "machine", "profile", "tests", "scale", "loops", "jobs", "source", "kernel", "cluster")
"""the options that have a meaning here"""


def load(base: Base, series: str) -> MutantTable:
    """Read the mutants of a series of a kernel base; UsageError if there are none or one makes no sense."""
    known = [name for name in matrix.series_names(base) if (base.folder / name / _TABLE).is_file()]
    if series not in known:
        raise UsageError(f"Linux {base.name} has no mutants of {series or 'a series'}; {toml.closest(series, known)}")
    place = base.folder / series / _TABLE
    table = toml.load(place, MutantTable)
    mutants.check(table, str(place))
    return table


class Elsewhere(Protocol):
    """Hosts that test mutants in place of this one."""

    at_once: int
    """mutants that they test at once"""

    def test(self, name: str, planned: Plan, say: Line, /) -> Sequence[Finding]:
        """Return the findings of a mutant, as mutant_bench.Test does."""

    def stop(self) -> None:
        """End all tests under way."""


def _cluster(place: str, planned: Plan, folder: Path, *, everything: bool) -> AbstractContextManager[Elsewhere]:
    from harness.commands import mutants_clustered  # its library is an extra

    return mutants_clustered.connected(address.read(place, "--cluster"), planned, folder, everything=everything)


class Parts(msgspec.Struct, frozen=True):
    """The functions that trying mutants needs; tests hand in their own."""

    load: Callable[[Base, str], MutantTable] = load
    check: Callable[[Selection], None] = cells.check
    variant: Callable[[Base, str], Variant] = matrix.find_variant
    source: Callable[[Selection, Line], Sources] = source.sources
    build: Callable[[Selection, tuple[Variant, ...]], Plan] = pipeline.build
    """builds the series"""
    tools: Tools = TOOLS
    """builds and tests a mutant of it"""
    workers: Callable[[Plan, int, int], int] = suite_here.workers
    elsewhere: Callable[..., AbstractContextManager[Elsewhere]] = _cluster
    """the workers of a cluster, by its address"""
    stop: Callable[[], None] = vms.stop_own


_PARTS = Parts()


def run(
    wanted: Selection, only: str, command: str, *, resume: bool = False, everything: bool = False, parts: Parts = _PARTS
) -> MutationRun:
    """Try the mutants that `only` names, or all, and keep what the suite caught in results/mutants-SERIES.json.

    What survives in the kernels of one profile is tried in the next. `resume` takes over the results of an earlier call for
    the same mutants with the same kernels and tests; `everything` does not leave a mutant at its first finding.
    Raises UsageError for options that have no meaning here and for a bad table, RigError if the series itself has findings.
    """
    _only_what_counts(wanted)
    base = source.expected(wanted)
    series = wanted.variant or base.default_series
    table = parts.load(base, series)
    chosen = mutants.choose(table, only)
    wanted = completed(wanted, base, table)
    parts.check(wanted)
    busy = "Another rig is trying mutants, and only one can at a time; call again when it has ended."
    with files.locked(paths.cache() / APART, busy):
        folder = run_folder.new_folder(paths.RESULTS / APART)
        started = MutationRun(
            date=records.now(),
            host=lifecycle.host(),
            command=command,
            folder=folder.name,
            series=series,
            machine=wanted.machine,
            scale=wanted.scale,
            profiles=tuple(wanted.profile.split(",")),
            tests=catalog.choose(wanted.tests),
            mutants=chosen,
            known=len(table.mutants),
            weaknesses=table.weaknesses,
        )
        if resume and (before := mutant_book.last(series)):
            started = msgspec.structs.replace(started, earlier=mutant_book.latest((*before.earlier, *before.attempts)))
        book = Book(started)
        book.write()
        work = _Work(base, folder, book, parts, everything)
        for profile in started.profiles:
            left = [mutant for mutant in chosen if book.results.verdict(mutant) is None]
            if left:
                _profile(work, msgspec.structs.replace(wanted, profile=profile), left)
    return book.results


class _Work(msgspec.Struct, frozen=True):
    """The objects that the mutants of all profiles share."""

    base: Base
    folder: Path
    book: Book
    parts: Parts
    everything: bool
    """True if tests go on after a mutant's first finding"""


def _profile(work: _Work, wanted: Selection, mutants: Sequence[Mutant]) -> None:
    """Try `mutants` in the kernels of one profile, the series itself first."""
    book, parts = work.book, work.parts
    variant = parts.variant(work.base, book.results.series)
    control = parts.build(wanted, (variant,))
    with Progress("mutants") as progress, _elsewhere(work, wanted, control) as elsewhere:
        tree = parts.source(wanted, lambda line: progress.say("source", line)).tree
        bench = Bench(control, patches.apply(tree, variant), work.folder, parts.tools, everything=work.everything)
        bench.test = elsewhere.test if elsewhere else bench.test
        progress.say(variant.name, f"testing without any bug, {wanted.profile}")
        healthy = bench.control(lambda line: progress.say(variant.name, line))
        book.add(healthy)
        if healthy.outcome != "survived":
            raise RigError(
                f"'{variant.name}' itself has a finding in {healthy.test} ({healthy.kind}: {text.plain(healthy.title)})."
                f" Its mutants cannot be tried before that is mended. The log is {work.folder.parent / healthy.log}."
            )
        progress.done(variant.name, f"nothing found in {healthy.test_seconds:.0f} s, {wanted.profile}")
        todo = []
        for mutant in mutants:
            known = book.earlier(mutant, bench)
            book.add(known) if known else todo.append(mutant)
        if todo:
            workers = parts.workers(control, wanted.jobs, len(todo))
            with Jobserver(max(workers, wanted.jobs or os.cpu_count() or 1), workers) as jobs:
                _beside_each_other(_Under(work, bench, jobs, progress, elsewhere), todo)


@contextlib.contextmanager
def _elsewhere(work: _Work, wanted: Selection, control: Plan) -> Iterator[Elsewhere | None]:
    """Yield the workers of a cluster, if a selection names one."""
    if not wanted.cluster:
        yield None
        return
    with work.parts.elsewhere(wanted.cluster, control, work.folder, everything=work.everything) as elsewhere:
        yield elsewhere


class _Under(NamedTuple):
    """The mutants of a profile under way."""

    work: _Work
    bench: Bench
    jobs: Jobserver
    progress: Progress
    elsewhere: Elsewhere | None


def _beside_each_other(under: _Under, mutants: Sequence[Mutant]) -> None:
    """Try mutants: so many at once as may be built at once, and, where workers test them, as many more as those test."""
    work, bench, jobs, progress, elsewhere = under
    slots: queue.SimpleQueue[str] = queue.SimpleQueue()
    for number in range(jobs.at_once):
        slots.put(str(number))

    def one(mutant: Mutant) -> None:
        attempt = bench.attempt(mutant, slots, jobs, lambda line: progress.say(mutant.name, line))
        work.book.add(attempt)
        seconds = attempt.build_seconds + attempt.test_seconds
        progress.done(mutant.name, f"{report.outcome(attempt)} ({bench.profile}, {seconds:.0f} s)")

    def stop() -> None:
        bench.stop()
        if elsewhere:
            elsewhere.stop()
        work.parts.stop()
        shell.stop_all()

    parallel.side_by_side(one, mutants, jobs.at_once + (elsewhere.at_once if elsewhere else 0), stop)


def exit_code(results: MutationRun) -> int:
    """Return the exit code: the rig failed, a mutant survived, or all were caught."""
    if results.ended("error") or results.ended(None):
        return ExitCode.RIG_FAILED
    return ExitCode.FINDING if results.ended("survived") else ExitCode.GOOD


def _only_what_counts(wanted: Selection) -> None:
    plain = Selection()
    for name in wanted.__struct_fields__:
        if name not in _MEANT and getattr(wanted, name) != getattr(plain, name):
            raise UsageError(f"--{name.replace('_', '-')} has no meaning for mutants: their table has it.")
    if "," in wanted.variant:
        raise UsageError("Mutants are tried of one series; give --variant one name.")
    if "," in wanted.machine:
        raise UsageError("Mutants are tried on one machine; give --machine one name.")


def completed(wanted: Selection, base: Base, table: MutantTable) -> Selection:
    """Return the selection, with the table's values for options that the user did not give."""
    return msgspec.structs.replace(
        wanted,
        kernel=base.name,
        variant="",
        machine=wanted.machine or table.machine,
        profile=wanted.profile or ",".join(table.profiles),
        scale=wanted.scale or table.scale,
        tests=wanted.tests or "stress",
    )
