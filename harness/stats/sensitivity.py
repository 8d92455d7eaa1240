# SPDX-License-Identifier: GPL-2.0-only
"""Judges the rig itself: its false alarms between twins, and the smallest change that it always sees."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from harness.model.clock import Clock
from harness.model.records import Sample
from harness.stats import compare


class Trial(msgspec.Struct, frozen=True):
    """One test on one machine under one clock: a kernel whose cost is known against stock."""

    machine: str
    clock: Clock
    test: str
    injected: float
    """per cent of this machine's cost of the yardstick test that was added to an allocation; 0 for a twin of stock"""
    measured: float
    """per cent more than stock, over all boots"""
    verdicts: tuple[str, ...]
    """of as many experiments, each with boots of its own"""

    @property
    def right(self) -> bool:
        """True if every experiment gave the right verdict: slower, or the same for a twin."""
        return set(self.verdicts) == {"slower" if self.injected else "same"}

    @property
    def false_alarm(self) -> bool:
        """True if an experiment saw a difference between twins."""
        return not self.injected and not set(self.verdicts) <= {"same", "undecided"}


class Sensitivity(msgspec.Struct, frozen=True):
    """Results of a self check, as results/selfcheck.json keeps them."""

    date: str
    host: str
    boots: int
    """of each kernel in one experiment"""
    experiments: int
    margins: dict[Clock, float]
    yardstick: str
    identical: dict[str, bool]
    """by machine: true if two builds from scratch gave the same kernel, byte for byte"""
    trials: tuple[Trial, ...]

    def smallest(self, clock: Clock) -> float | None:
        """Return the smallest change in per cent that, like all larger ones, every experiment found on every machine."""
        mine = [t for t in self.trials if t.clock is clock and t.test == self.yardstick and t.injected]
        smallest = [_smallest([t for t in mine if t.machine == machine]) for machine in {t.machine for t in mine}]
        return max((change for change in smallest if change), default=None) if all(smallest) else None

    def sentence(self) -> str:
        """Return the gist for a report."""
        parts = []
        for clock in sorted({t.clock for t in self.trials}):
            twins = [t for t in self.trials if t.clock is clock and not t.injected]
            smallest = self.smallest(clock)
            seen = f"slow-downs from {smallest:.2g} % on were" if smallest else "none of the slow-downs tried was"
            same = sum(t.right for t in twins)
            parts.append(
                f"{clock}, margin {self.margins[clock]:g} %: twins of stock the same in {same} of {len(twins)} tests,"
                f" {seen} found each time"
            )
        return f"{self.date}, {self.host}, {self.experiments} experiments of {self.boots} boots: {'; '.join(parts)}."


def _smallest(trials: Iterable[Trial]) -> float | None:
    smallest = None
    for trial in sorted(trials, key=lambda t: -t.injected):
        if not trial.right:
            break
        smallest = trial.injected
    return smallest


def trials(
    samples: Iterable[Sample],
    injected: Mapping[tuple[str, str], float],
    tests: Sequence[str],
    margins: Mapping[Clock, float],
    boots: int,
) -> tuple[Trial, ...]:
    """Judge every variant in `injected`: a machine and a name, with the per cent that were added to it there.

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
        Trial(c.machine, c.clock, c.test, injected[c.machine, c.variant], round(c.change or 0.0, 4), tuple(by_experiment))
        for c in compare.compare(kept, tests, margins, 0.0)
        if (by_experiment := verdicts.get((c.machine, c.variant, c.clock, c.test))) and (c.machine, c.variant) in injected
    )
