# SPDX-License-Identifier: GPL-2.0-only
"""Runs of the allocator in user space: their operations, and their outcomes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import msgspec

from harness.model.known_bugs import NOT_SEEN, UserspaceBug

LAYOUTS = ("wide", "narrow", "small")
"""address spaces: of the machines, and one that is soon full"""
_BESIDE = 3
"""CPUs whose operations are interleaved"""


class Leg(msgspec.Struct, frozen=True):
    """Operations of one seed in one address space."""

    layout: str
    cpus: int
    operations: int
    seed: int
    without: tuple[str, ...] = ()
    """words for operations to leave out, and for properties not to judge"""

    @property
    def words(self) -> tuple[str, ...]:
        """The program's options."""
        chosen = ("--layout", self.layout, "--cpus", str(self.cpus), "--operations", str(self.operations), "--seed", str(self.seed))
        return (*chosen, *(("--without", ",".join(self.without)) if self.without else ()))

    @property
    def name(self) -> str:
        """A name that no other leg of a variant has."""
        return f"{self.layout}-{self.cpus}"


class Outcome(msgspec.Struct, frozen=True):
    """A leg that ended."""

    variant: str
    leg: Leg
    kind: str = ""
    """kind of the failure; empty if it passed"""
    title: str = ""
    counts: tuple[tuple[str, int, int], ...] = ()
    """operations by kind, and how many of them were refused"""
    log: Path = Path()
    trace: Path = Path()
    """operations that repeat the failure, if it failed with one CPU"""
    shortest: int = 0
    """number of operations in the trace, if they repeat the failure on their own"""
    seconds: float = 0.0
    known: tuple[UserspaceBug, ...] = ()
    """bugs of stock that it showed before; the rest was done without what shows them"""

    @property
    def failure(self) -> str:
        """Kind and title of the failure; empty if it passed."""
        return f"{self.kind}: {self.title}" if self.kind else ""


def legs(operations: int, seed: int) -> tuple[Leg, ...]:
    """Return legs with this number of operations in all: most of them one after the other, some interleaved."""
    each = max(1, operations // (len(LAYOUTS) * 4))
    alone = [Leg(layout, 1, 3 * each, seed) for layout in LAYOUTS]
    return (*alone, *(Leg(layout, _BESIDE, each, seed) for layout in LAYOUTS))


def read(lines: Sequence[str], code: int) -> tuple[str, str, tuple[tuple[str, int, int], ...]]:
    """Return kind and title of the failure in what the program printed before it ended with `code`, and its counts."""
    counts = []
    kind = title = ""
    for line in lines:
        words = line.split()
        if line.startswith("count ") and len(words) == 5:
            counts.append((words[1], int(words[2]), int(words[4])))
        elif line.startswith("failure ") and len(words) > 2 and not kind:
            kind, title = words[1], " ".join(words[2:])
        elif (found := line.partition("ERROR: ")[2] or line.partition("runtime error: ")[2]) and kind in ("", "sanitizer"):
            kind, title = "sanitizer", found
    if code and not kind:
        kind, title = "rig", f"the program ended with code {code}"
    return kind, title, tuple(counts)


def explained(outcome: Outcome, bugs: Sequence[UserspaceBug]) -> UserspaceBug | None:
    """Return the bug of stock that is the reason of a failure, if it is one that has not been left out yet."""
    left = [bug for bug in bugs if bug.without not in outcome.leg.without]
    return next((bug for bug in left if re.search(bug.title, outcome.failure)), None)


def missing(variant: str, outcomes: Sequence[Outcome], bugs: Sequence[UserspaceBug]) -> list[Outcome]:
    """Return a failure for each bug that has to show and did not: it would not be seen in a series either."""
    seen = {bug for outcome in outcomes for bug in outcome.known}
    nowhere = Leg("-", 0, 0, 0)
    return [Outcome(variant, nowhere, "missing", NOT_SEEN + bug.reason) for bug in bugs if bug.always and bug not in seen]
