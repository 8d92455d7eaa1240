# SPDX-License-Identifier: GPL-2.0-only
"""Searches the patches that change what a test costs, by halves, and reports each of them."""

from __future__ import annotations

from collections.abc import Callable, Generator

import msgspec

from harness.model.bisection import Question, Tried
from harness.stats.compare import Comparison, Summary
from harness.stats.first_failure import between

MOST_BOOTS = 20
"""boots of a prefix that a measurement takes where fewer decide nothing"""
Compare = Callable[[int, Summary, int, Summary], Comparison]
"""compares a prefix with a shorter one: the shorter one's number and figures, then the longer one's"""


class CostStep(msgspec.Struct, frozen=True):
    """A change of the cost, and the patches that it is put down to."""

    low: int
    """the longest prefix that is known not to have it"""
    high: int
    """the shortest prefix that is known to have it"""
    comparison: Comparison
    """of these two"""
    spread: bool = False
    """True if it adds up over these patches, and no half of them has a change beyond the margin"""

    @property
    def decided(self) -> bool:
        """True if it is certain that there is a change."""
        return self.comparison.verdict != "undecided"


class CostSteps(msgspec.Struct, frozen=True):
    """The result of a search on one machine."""

    whole: Comparison | None
    """of the whole series with stock"""
    steps: tuple[CostStep, ...] = ()
    """in the order of the patches"""
    skipped: tuple[Tried, ...] = ()
    """prefixes without a figure"""
    obstacle: str = ""
    """reason for which nothing was searched; empty if there is a step"""

    @property
    def found(self) -> bool:
        """True if there is a step that is certain."""
        return any(step.decided for step in self.steps)


Search = Generator[Question, Tried, CostSteps]


class _Figures:
    """The figures that prefixes have so far, which questions get."""

    def __init__(self, boots: int, compare: Compare) -> None:
        self.skipped: dict[int, Tried] = {}
        self._boots, self._compare = boots, compare
        self._known: dict[int, Summary] = {}

    def measured(self, prefix: int) -> Generator[Question, Tried, bool]:
        """Measure a prefix, if it was not; return whether it has a figure."""
        if prefix not in self._known and prefix not in self.skipped:
            yield from self._measure(prefix, self._boots)
        return prefix in self._known

    def compared(self, low: int, high: int) -> Generator[Question, Tried, Comparison]:
        """Compare two prefixes, with more boots of both if these can decide what is undecided."""
        while True:
            one = self._compare(low, self._known[low], high, self._known[high])
            had = min(self._known[low].boots, self._known[high].boots)
            if one.verdict != "undecided" or had >= MOST_BOOTS:
                return one
            wanted = min(MOST_BOOTS, had + max(1, one.more))
            for prefix in (low, high):
                if self._known[prefix].boots < wanted:
                    yield from self._measure(prefix, wanted)
                    if self._known[prefix].boots < wanted:  # it failed in one of the boots that were added
                        return one

    def _measure(self, prefix: int, boots: int) -> Generator[Question, Tried, None]:
        seen = yield Question(prefix, boots)
        if seen.showed == "measured":
            self._known[prefix] = Summary(seen.values, seen.unit)
        else:
            self.skipped[prefix] = seen


def search(count: int, boots: int, compare: Compare) -> Search:
    """Search a series of `count` patches, of whose prefixes a measurement takes `boots`.

    Both ends are measured first. A part of the series whose two ends cost the same is taken to have no step, so that a step is
    missed where another one takes it back in the same part.
    """
    figures = _Figures(boots, compare)
    for end, name in ((count, "the whole series"), (0, "stock")):
        if not (yield from figures.measured(end)):
            return CostSteps(None, obstacle=f"{name} has no figure ({figures.skipped[end].what})")
    whole = yield from figures.compared(0, count)
    if whole.verdict == "same":
        return CostSteps(whole, obstacle="the whole series costs the same as stock, so that there is no step to search")
    if whole.verdict == "undecided":
        boots = whole.measured.boots if whole.measured else 0
        return CostSteps(whole, obstacle=f"whether the whole series costs the same as stock is undecided after {boots} boots")
    steps = yield from _steps(figures, 0, count, whole)
    return CostSteps(whole, steps, tuple(figures.skipped[number] for number in sorted(figures.skipped)))


def _steps(figures: _Figures, low: int, high: int, whole: Comparison) -> Generator[Question, Tried, tuple[CostStep, ...]]:
    """Return the steps between two prefixes whose comparison is `whole`, and not ``same``."""
    while (middle := between(low, high, set(figures.skipped))) is not None:
        if (yield from figures.measured(middle)):
            break
    else:
        return (CostStep(low, high, whole),)
    steps: tuple[CostStep, ...] = ()
    for start, end in ((low, middle), (middle, high)):
        half = yield from figures.compared(start, end)
        if half.verdict != "same":
            steps += yield from _steps(figures, start, end, half)
    if whole.verdict != "undecided" and not any(step.decided for step in steps):
        return (CostStep(low, high, whole, spread=True),)
    return steps
