# SPDX-License-Identifier: GPL-2.0-only
"""Runs the allocator of each variant in user space, against a model of its duties."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from harness import paths
from harness.build import cells, patches, source, userspace
from harness.commands import userspace_trace
from harness.commands.progress import Progress
from harness.errors import UsageError
from harness.host import parallel, shell
from harness.model import run_folder
from harness.model.known_bugs import UserspaceBug
from harness.model.matrix import STOCK
from harness.model.selection import Selection
from harness.model.userspace import Leg, Outcome, explained, legs, missing, read

OPERATIONS = 1_000_000
_MEANT = ("variant", "each_patch", "jobs", "source", "series", "kernel")
"""the options that have a meaning here"""
_FOLDER = "userspace"


def run(wanted: Selection, operations: int, seed: int) -> list[Outcome]:
    """Run `operations` of each variant; the logs are in results/userspace/.

    Raises UsageError for options that have no meaning here, BuildError for a variant that does not compile.
    """
    only_what_counts(wanted)
    cells.check(wanted)
    folder = run_folder.new_folder(paths.RESULTS / _FOLDER)
    folder.mkdir(parents=True)
    with Progress("userspace") as progress:
        had = source.sources(wanted, lambda line: progress.say("source", line))
        programs = build(wanted, had, progress.say)
        bugs = had.base.userspace_bugs

        def one(item: tuple[str, Leg]) -> Outcome:
            name, leg = item
            outcome = run_leg(Program(name, programs[name], bugs if name == STOCK else ()), leg, folder)
            progress.done(f"{name} {leg.name}", outcome.failure or "passed")
            return outcome

        work = [(name, leg) for name in programs for leg in legs(operations, seed)]
        outcomes = parallel.side_by_side(one, work, wanted.jobs or os.cpu_count() or 1)
    stock = [outcome for outcome in outcomes if outcome.variant == STOCK]
    return [*outcomes, *(missing(STOCK, stock, bugs) if stock else ())]


def build(wanted: Selection, had: source.Sources, say: Callable[[str, str], None]) -> dict[str, Path]:
    """Return the program of each variant by its name."""
    programs = {}
    for variant in dict.fromkeys(cell.variant for cell in cells.cells(wanted, had.base)):
        say(variant.name, "compiling")
        programs[variant.name] = userspace.build(patches.apply(had.tree, variant).commit)
    return programs


class Program(msgspec.Struct, frozen=True):
    """The allocator of a variant."""

    variant: str
    file: Path
    bugs: tuple[UserspaceBug, ...] = ()
    """bugs that it is known to have"""


def run_leg(program: Program, leg: Leg, folder: Path) -> Outcome:
    """Run a leg, again without what shows a known bug, until it passes or fails by another one; keep its logs in `folder`.

    Operations of one CPU that repeat a failure are kept beside the log, as few as will do.
    """
    known: tuple[UserspaceBug, ...] = ()
    while True:
        outcome = _run(program, leg, folder / f"{program.variant}-{leg.name}-{len(known)}.log")
        if not (bug := explained(outcome, program.bugs)):
            break
        known = (*known, bug)
        leg = msgspec.structs.replace(leg, without=(*leg.without, bug.without))
    again = outcome.kind and leg.cpus == 1
    shortest = userspace_trace.shorten(program.file, leg, outcome.kind, outcome.trace) if again else 0
    return msgspec.structs.replace(outcome, known=known, shortest=shortest)


def _run(program: Program, leg: Leg, log: Path) -> Outcome:
    trace = log.with_suffix(".trace")
    began = time.monotonic()
    lines: list[str] = []
    code = shell.follow((program.file, *leg.words, "--trace", trace), log=log, env=dict(os.environ), line=lines.append)
    kind, title, counts = read(lines, code)
    seconds = round(time.monotonic() - began, 1)
    return Outcome(program.variant, leg, kind, title, counts, log, trace, seconds=seconds)


def only_what_counts(wanted: Selection) -> None:
    """Raise UsageError for an option that has no meaning for the allocator in user space."""
    plain = Selection()
    for name in wanted.__struct_fields__:
        if name not in _MEANT and getattr(wanted, name) != getattr(plain, name):
            raise UsageError(f"--{name.replace('_', '-')} has no meaning in user space: there is no machine, and nothing is timed.")


def failed(outcomes: Sequence[Outcome]) -> bool:
    """Return whether any leg failed."""
    return any(outcome.kind for outcome in outcomes)
