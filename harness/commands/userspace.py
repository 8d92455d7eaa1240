# SPDX-License-Identifier: GPL-2.0-only
"""Runs the allocator of each variant in user space, against a model of what it has to do."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from harness import paths
from harness.build import cells, patches, source, userspace
from harness.commands.progress import Progress
from harness.errors import UsageError
from harness.host import parallel, shell
from harness.model import run_folder
from harness.model.selection import Selection
from harness.model.userspace import Leg, Outcome, legs, read

_MEANT = ("variant", "each_patch", "jobs", "source", "series", "kernel")
"""the options that have a meaning here"""
_FOLDER = "userspace"
OPERATIONS = 1_000_000


def run(wanted: Selection, operations: int, seed: int) -> list[Outcome]:
    """Run `operations` of each variant; the logs are in results/userspace/.

    Raises UsageError for options that have no meaning here, BuildError for a variant that does not compile.
    """
    only_what_counts(wanted)
    cells.check(wanted)
    folder = run_folder.new_folder(paths.RESULTS / _FOLDER)
    folder.mkdir(parents=True)
    with Progress("userspace") as progress:
        programs = build(wanted, progress.say)
        work = [(name, program, leg) for name, program in programs.items() for leg in legs(operations, seed)]

        def one(item: tuple[str, Path, Leg]) -> Outcome:
            name, program, leg = item
            outcome = run_leg(name, program, leg, folder)
            progress.done(f"{name} {leg.name}", outcome.title or "passed")
            return outcome

        return parallel.side_by_side(one, work, wanted.jobs or os.cpu_count() or 1)


def build(wanted: Selection, say: Callable[[str, str], None]) -> dict[str, Path]:
    """Return the program of each variant by its name."""
    had = source.sources(wanted, lambda line: say("source", line))
    variants = dict.fromkeys(cell.variant for cell in cells.cells(wanted, had.base))
    programs = {}
    for variant in variants:
        say(variant.name, "compiling")
        programs[variant.name] = userspace.build(patches.apply(had.tree, variant).commit)
    return programs


def run_leg(variant: str, program: Path, leg: Leg, folder: Path) -> Outcome:
    """Run a leg, and keep its log; one that fails leaves a trace of its operations."""
    name = f"{variant}-{leg.name}"
    log, trace = folder / f"{name}.log", folder / f"{name}.trace"
    began = time.monotonic()
    lines: list[str] = []
    code = shell.follow((program, *leg.words, "--trace", trace), log=log, env=dict(os.environ), line=lines.append)
    kind, title, counts = read(lines, code)
    return Outcome(variant, leg, kind, title, counts, log, trace, round(time.monotonic() - began, 1))


def only_what_counts(wanted: Selection) -> None:
    """Raise UsageError for an option that has no meaning for the allocator in user space."""
    plain = Selection()
    for name in wanted.__struct_fields__:
        if name not in _MEANT and getattr(wanted, name) != getattr(plain, name):
            raise UsageError(f"--{name.replace('_', '-')} has no meaning in user space: there is no machine, and nothing is timed.")


def failed(outcomes: Sequence[Outcome]) -> bool:
    """Return whether any leg failed."""
    return any(outcome.kind for outcome in outcomes)
