# SPDX-License-Identifier: GPL-2.0-only
"""Kernels with bugs made on purpose: which of them the suite catches, and with which test."""

from __future__ import annotations

import os
import queue
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import msgspec

from harness import git, kbuild, matrix, mutation, patches, paths, pipeline, protocol, records, runs, selection, store, tables, vm
from harness.errors import BuildError, RigError, UsageError, VmLost
from harness.jobserver import Jobserver
from harness.matrix import Base, Variant
from harness.mutation import Attempt, Measured, Mutant, Table
from harness.outcome import ExitCode
from harness.plan import Plan, Session
from harness.progress import Progress
from harness.records import Finding
from harness.report import mutants as report
from harness.report import text
from harness.selection import Selection
from harness.suite import trial
from harness.suite.lab import Lab
from harness.suite.reading import Observed

_APART = "mutants"
_TREE = "kept"
"""the work tree of a worker, in which one mutant after the other is built"""
_TRIES = 2
"""how often a VM may be lost for no reason of its kernel's"""
_MEANT = ("machine", "profile", "tests", "scale", "loops", "jobs", "source", "kernel")
"""the options that have a meaning here"""


class Bench:
    """All mutants of one profile are built and tested on it, beside each other."""

    def __init__(self, control: Plan, source: patches.Patched, folder: Path, *, everything: bool) -> None:
        """Take the built series as `control`, whose patched source is `source`; logs go to `folder`.

        With `everything` a mutant is not left at its first finding.
        """
        # What is known of stock is a bug here: some mutants bring it back.
        self._plan = msgspec.structs.replace(control, base=msgspec.structs.replace(control.base, known_bugs=()))
        self._source, self._folder, self._everything = source, folder, everything
        self._built = control.cells[0]
        self._stop = threading.Event()

    @property
    def profile(self) -> str:
        """The kernels' profile."""
        return self._built.cell.profile

    def identity(self, edits: Sequence[mutation.Edit]) -> str:
        """Return what tells attempts apart that may end differently, but for chance."""
        kernel, plan = self._built.kernel, self._plan
        told = (kernel.key, kernel.module.parent.name, plan.suite, plan.scale, str(plan.loops), ",".join(plan.tests))
        return store.digest(*told, str(self._everything), msgspec.json.encode(edits))[:16]

    def stop(self) -> None:
        """Have every attempt end at its next step."""
        self._stop.set()

    def control(self) -> Attempt:
        """Test the series as it is."""
        return self._tested("", self.identity(()), self._plan, 0.0)

    def attempt(self, mutant: Mutant, slot: str, jobs: Jobserver, say: Callable[[str], None]) -> Attempt:
        """Build a mutant in the work tree of `slot`, and test it; what goes wrong is told as the outcome ``error``."""
        identity, began = self.identity(mutant.edits), time.monotonic()
        try:
            files = mutation.mutate(mutant, self._read)
            commit = git.with_files(self._source.commit, files, mutant.name)
            patched = patches.Patched(commit, git.tree_of(commit), (*self._source.patches, mutant.name), ())
            variant = Variant(mutant.name, apart=f"{_APART}/{slot}", tree=_TREE)
            cell = msgspec.structs.replace(self._built.cell, variant=variant)
            # No mutant changes a header, so that the series' own module fits.
            kernel = kbuild.build(self._plan.base, cell, patched, jobs, say, self._built.kernel.module)
            seconds = time.monotonic() - began
            say("testing")
            built = msgspec.structs.replace(self._built, cell=cell, kernel=kernel)
            try:
                return self._tested(mutant.name, identity, msgspec.structs.replace(self._plan, cells=(built,)), seconds)
            finally:
                shutil.rmtree(kernel.folder, ignore_errors=True)
        except (UsageError, BuildError, VmLost) as error:
            return Attempt(mutant.name, self.profile, identity, "error", title=str(error))

    def _read(self, file: str) -> str:
        found = git.blob(self._source.commit, file)
        if found is None:
            raise UsageError(f"The source has no {file}.")
        return found.decode() + "\n"

    def _tested(self, name: str, identity: str, plan: Plan, build_seconds: float) -> Attempt:
        began = time.monotonic()
        for left in reversed(range(_TRIES)):
            try:
                found = self._findings(name or "control", plan)
                break
            except VmLost:
                if not left:
                    raise
        made = Attempt(
            name,
            self.profile,
            identity,
            "caught" if found else "survived",
            build_seconds=round(build_seconds, 1),
            test_seconds=round(time.monotonic() - began, 1),
        )
        if not found:
            return made
        first = found[0]
        others = tuple(dict.fromkeys(finding.test for finding in found if finding.test != first.test))
        log = f"{self._folder.name}/{name or 'control'}-{self.profile}/{first.log}"
        told = {"test": first.test, "kind": first.trouble.kind, "title": first.trouble.title}
        return msgspec.structs.replace(made, **told, others=others, log=log)

    def _findings(self, name: str, plan: Plan) -> list[Finding]:
        """Return what comes to light in the steps of a suite, up to the first that has something."""
        found: list[Finding] = []
        lab = Lab(self._folder / f"{name}-{self.profile}", keep=False)
        try:
            for session in plan.sessions:
                for seen in _steps(lab, plan, session):
                    if self._stop.is_set():
                        raise RigError("The attempt was given up.")
                    found += seen.findings
                    if (found and not self._everything) or any(finding.test == "boot" for finding in found):
                        return found
        finally:
            lab.close()
        return found


def run(wanted: Selection, only: str, command: str, *, resume: bool = False, everything: bool = False) -> Measured:
    """Try the mutants that `only` names, or all, and keep what the suite caught in results/mutants.json.

    What survives in the kernels of one profile is tried in the next. `resume` takes over what an earlier call found out of
    the same mutants with the same kernels and tests; `everything` does not leave a mutant at its first finding.
    Raises UsageError for options that have no meaning here and for a bad table, RigError if the series itself has findings.
    """
    _only_what_counts(wanted)
    base = matrix.load_base(wanted.kernel or selection.DEFAULT)
    table = load(base)
    chosen = mutation.choose(table, only)
    wanted = _completed(wanted, base, table)
    selection.check(wanted)
    with store.locked(paths.cache() / _APART):
        folder = records.new_folder(paths.RESULTS / _APART)
        started = Measured(
            date=records.now(),
            host=runs.host(),
            command=command,
            folder=folder.name,
            series=table.series,
            machine=wanted.machine,
            scale=wanted.scale,
            profiles=tuple(wanted.profile.split(",")),
            tests=protocol.choose(wanted.tests),
            mutants=chosen,
            known=len(table.mutants),
            weaknesses=table.weaknesses,
        )
        told = last() if resume else None
        book = _Book(started, told.attempts if told else ())
        book.write()
        for profile in started.profiles:
            left = [mutant for mutant in chosen if book.found.verdict(mutant) is None]
            if left:
                _profile(msgspec.structs.replace(wanted, profile=profile), base, left, folder, book, everything=everything)
    return book.found


class _Book:
    """What was found out so far, written down as it comes."""

    def __init__(self, started: Measured, earlier: Sequence[Attempt]) -> None:
        self.found = started
        self._earlier = {(a.mutant, a.profile, a.identity): a for a in earlier if a.outcome != "error"}
        self._lock = threading.Lock()

    def earlier(self, mutant: Mutant, bench: Bench) -> Attempt | None:
        return self._earlier.get((mutant.name, bench.profile, bench.identity(mutant.edits)))

    def add(self, attempt: Attempt) -> None:
        field = "attempts" if attempt.mutant else "control"
        with self._lock:
            self.found = msgspec.structs.replace(self.found, **{field: (*getattr(self.found, field), attempt)})
            self.write()

    def write(self) -> None:
        store.write(file(), msgspec.json.format(msgspec.json.encode(self.found)))
        store.write(file().with_suffix(".md"), report.markdown(self.found))


def _profile(wanted: Selection, base: Base, mutants: Sequence[Mutant], folder: Path, book: _Book, *, everything: bool) -> None:
    """Try `mutants` in the kernels of one profile, the series itself first."""
    variant = matrix.find_variant(base, book.found.series)
    control = pipeline.build(wanted, (variant,))
    with Progress("mutants") as progress:
        source = selection.sources(wanted, lambda said: progress.say("source", said)).tree
        bench = Bench(control, patches.apply(source, variant), folder, everything=everything)
        progress.say(variant.name, f"testing without any bug, {wanted.profile}")
        healthy = bench.control()
        book.add(healthy)
        if healthy.outcome != "survived":
            raise RigError(
                f"'{variant.name}' itself has a finding in {healthy.test} ({healthy.kind}: {text.plain(healthy.title)}), so that"
                f" mutants of it would tell nothing; mend that first. The log is {folder.parent / healthy.log}."
            )
        progress.done(variant.name, f"nothing found in {healthy.test_seconds:.0f} s, {wanted.profile}")
        todo = []
        for mutant in mutants:
            known = book.earlier(mutant, bench)
            book.add(known) if known else todo.append(mutant)
        if todo:
            _beside_each_other(bench, todo, pipeline.workers(control, wanted.jobs, len(todo)), wanted.jobs, book, progress)


def _beside_each_other(bench: Bench, mutants: Sequence[Mutant], workers: int, jobs: int, book: _Book, progress: Progress) -> None:
    slots: queue.SimpleQueue[str] = queue.SimpleQueue()
    for number in range(workers):
        slots.put(str(number))
    with Jobserver(max(workers, jobs or os.cpu_count() or 1), workers) as server:

        def one(mutant: Mutant) -> None:
            slot = slots.get()
            try:
                made = bench.attempt(mutant, slot, server, lambda said: progress.say(mutant.name, said))
            finally:
                slots.put(slot)
            book.add(made)
            progress.done(mutant.name, f"{report.outcome(made)} ({bench.profile}, {made.build_seconds + made.test_seconds:.0f} s)")

        try:
            pipeline.side_by_side(one, mutants, workers)
        except BaseException:
            bench.stop()
            vm.stop_own()
            raise


def _steps(lab: Lab, plan: Plan, session: Session) -> Iterator[Observed]:
    yield trial.boot(lab, plan, session)
    for step in session.steps:
        yield trial.run(lab, plan, session, step)
    yield trial.end(lab, plan, session)


def load(base: Base) -> Table:
    """Read the mutants of a kernel base; UsageError if there are none or one makes no sense."""
    place = base.folder / "mutants.toml"
    if not place.exists():
        raise UsageError(f"Linux {base.name} has no mutants: there is no {place}.")
    table = tables.load(place, Table)
    mutation.check(table, str(place))
    return table


def file() -> Path:
    """Return where the last result of this checkout is kept; the same as a page is beside it."""
    return paths.RESULTS / "mutants.json"


def last() -> Measured | None:
    """Return what the mutants told last, if that can be read."""
    try:
        return msgspec.json.decode(file().read_bytes(), type=Measured)
    except (OSError, msgspec.DecodeError):
        return None


def exit_code(found: Measured) -> int:
    """Return the exit code: the rig failed, a mutant survived, or all were caught."""
    if found.ended("error") or found.ended(None):
        return ExitCode.RIG_FAILED
    return ExitCode.FINDING if found.ended("survived") else ExitCode.GOOD


def _only_what_counts(wanted: Selection) -> None:
    plain = Selection()
    for name in wanted.__struct_fields__:
        if name not in _MEANT and getattr(wanted, name) != getattr(plain, name):
            raise UsageError(f"--{name.replace('_', '-')} has no meaning for mutants, whose table tells what they are made of.")
    if "," in wanted.machine:
        raise UsageError("Mutants are tried on one machine; give --machine one name.")


def _completed(wanted: Selection, base: Base, table: Table) -> Selection:
    """Return the selection with what the table says where the user said nothing."""
    plain = Selection()
    return msgspec.structs.replace(
        wanted,
        kernel=base.name,
        machine=wanted.machine or table.machine,
        profile=wanted.profile or ",".join(table.profiles),
        scale=table.scale if wanted.scale == plain.scale else wanted.scale,
        tests="stress" if wanted.tests == plain.tests else wanted.tests,
    )
