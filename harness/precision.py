# SPDX-License-Identifier: GPL-2.0-only
"""What the rig finds out about itself: false alarms between twins, and the smallest change that it always sees."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from harness import compare
from harness.matrix import Clock
from harness.records import Sample


class Trial(msgspec.Struct, frozen=True):
    """One test on one machine under one clock: a kernel whose cost is known against stock."""

    machine: str
    clock: Clock
    test: str
    injected: float
    """per cent of the yardstick test's cost that was added to an allocation; 0 for a twin of stock"""
    measured: float
    """per cent more than stock, over all boots"""
    verdicts: tuple[str, ...]
    """of as many experiments, each with boots of its own"""

    @property
    def found(self) -> bool:
        """Whether every experiment says what is the case: slower, or the same for a twin."""
        return set(self.verdicts) == {"slower" if self.injected else "same"}


class Precision(msgspec.Struct, frozen=True):
    """What a self check found, as it is kept: results/selfcheck.json."""

    date: str
    host: str
    boots: int
    """of each kernel in one experiment"""
    margins: dict[Clock, float]
    yardstick: str
    identical: dict[str, bool]
    """by machine: whether two builds from scratch gave the same kernel, byte for byte"""
    trials: tuple[Trial, ...]

    def smallest(self, clock: Clock) -> float | None:
        """Return the smallest change in per cent that, like all larger ones, was found in the yardstick test every time."""
        found = None
        mine = [t for t in self.trials if t.clock is clock and t.test == self.yardstick and t.injected]
        for injected in sorted({t.injected for t in mine}, reverse=True):
            if not all(t.found for t in mine if t.injected == injected):
                break
            found = injected
        return found

    def sentence(self) -> str:
        """Return the gist for a report."""
        parts = []
        for clock in sorted({t.clock for t in self.trials}):
            twins = [t for t in self.trials if t.clock is clock and not t.injected]
            smallest = self.smallest(clock)
            seen = f"a change of {smallest:g} % was always found" if smallest else "none of the changes tried was always found"
            same = sum(t.found for t in twins)
            parts.append(f"{clock}: twins of stock the same in {same} of {len(twins)} tests, {seen}")
        return f"{self.date}, {self.host}: {'; '.join(parts)} ({self.boots} boots each)."


def trials(
    samples: Iterable[Sample], injected: Mapping[str, float], tests: Sequence[str], margins: Mapping[Clock, float], boots: int
) -> tuple[Trial, ...]:
    """Judge every variant in `injected`, a name with the per cent that were added to it.

    `boots` of each kernel make an experiment; samples of a boot that no whole experiment
    needs are used for the measured value alone.
    """
    kept = list(samples)
    groups = (max((sample.boot for sample in kept), default=-1) + 1) // boots
    parts = [[s for s in kept if s.boot // boots == group] for group in range(groups)]
    verdicts: dict[tuple[str, str, Clock, str], list[str]] = {}
    for part in parts:
        for c in compare.compare(part, tests, margins, 0.0):
            verdicts.setdefault((c.machine, c.variant, c.clock, c.test), []).append(c.verdict)
    return tuple(
        Trial(c.machine, c.clock, c.test, injected[c.variant], round(-(c.change or 0.0), 4), tuple(said))
        for c in compare.compare(kept, tests, margins, 0.0)
        if (said := verdicts.get((c.machine, c.variant, c.clock, c.test))) and c.variant in injected
    )
