# SPDX-License-Identifier: GPL-2.0-only
"""Compares what two kernels measured, test by test, and says how sure that is."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from harness.model.clock import Clock
from harness.model.matrix import STOCK, variant_order
from harness.model.records import SPACE, Sample
from harness.stats import cost, estimate
from harness.stats.estimate import Estimate

SPACE_MARGIN = 2.0
"""per cent: boots repeat the figure exactly, but it is that of one layout. With eight other seeds two kernels whose medians differ
by 0.8 % differed by -1.2 to 1.5 %"""


class Summary(msgspec.Struct, frozen=True):
    """The samples of one test in one cell."""

    values: tuple[tuple[float, ...], ...]
    """by boot, warm-up left out; outliers are part of it"""
    unit: str
    numbers: tuple[int, ...] = ()
    """of those boots; empty for those from 0. Tests whose boots have the same number ran in the same boot"""

    @property
    def boots(self) -> int:
        """Number of boots they come from."""
        return len(self.values)

    @property
    def count(self) -> int:
        """Number of samples."""
        return sum(map(len, self.values))

    @property
    def medians(self) -> tuple[float, ...]:
        """Each boot's median: one independent observation."""
        return tuple(map(statistics.median, self.values))

    @property
    def median(self) -> float:
        """The median over boots of each boot's median."""
        return statistics.median(self.medians)

    @property
    def spread(self) -> float:
        """Half of the range from the lowest to the highest sample, in per cent of the median."""
        low, high = min(map(min, self.values)), max(map(max, self.values))
        return (high - low) / 2 / self.median * 100 if self.median else 0.0


class Comparison(msgspec.Struct, frozen=True):
    """One test on one machine under one clock: a variant against a baseline."""

    machine: str
    profile: str
    clock: Clock
    test: str
    variant: str
    """empty where there is nothing but the baseline"""
    against: str
    """name of the baseline: ``stock``, or a run's name"""
    baseline: Summary | None
    measured: Summary | None
    margin: float
    """per cent within which two figures count as the same"""
    threshold: float
    """per cent of slow-down from which on a change is a regression"""
    ratio: float | None = None
    """measured by baseline: below 1 is cheaper"""
    interval: tuple[float, float] | None = None
    """of the ratio, 95 % confidence"""
    p: float | None = None
    """that there is no difference, by Holm over the tests of a cell"""
    verdict: str = "not compared"
    """faster, slower, same, undecided, or ``not compared`` without both sides"""
    more: int = 0
    """boots of each side beyond those made that would likely decide what is undecided"""

    @property
    def unit(self) -> str:
        """Unit of its figures; empty where it has none."""
        side = self.baseline or self.measured
        return side.unit if side else ""

    @property
    def change(self) -> float | None:
        """Change of the cost against the baseline, in per cent; positive when it costs more."""
        return None if self.ratio is None else cost.change(self.ratio)

    @property
    def changes(self) -> tuple[float, float] | None:
        """The interval of the change, in per cent, lowest first."""
        return None if self.interval is None else (cost.change(self.interval[0]), cost.change(self.interval[1]))

    @property
    def regression(self) -> bool:
        """True if it is slower, and past the threshold."""
        return self.verdict == "slower" and self.change is not None and self.change > self.threshold


Cell = tuple[str, str, str, Clock, str]
"""machine, profile, variant, clock and test: in the order in which comparisons are listed"""


def summarise(samples: Iterable[Sample], tests: Sequence[str]) -> dict[Cell, Summary]:
    """Return the samples of the given tests in each cell; a test that only warmed up has no entry."""
    cells: dict[Cell, dict[int, list[float]]] = {}
    units = {}
    for sample in samples:
        if sample.test in tests and not sample.warmup:
            cell = (sample.machine, sample.profile, sample.variant, sample.clock, sample.test)
            cells.setdefault(cell, {}).setdefault(sample.boot, []).append(sample.value)
            units[cell] = sample.unit
    return {
        cell: Summary(tuple(tuple(boots[n]) for n in sorted(boots)), units[cell], tuple(sorted(boots)))
        for cell, boots in cells.items()
    }


def compare(samples: Iterable[Sample], tests: Sequence[str], margins: Mapping[Clock, float], threshold: float) -> list[Comparison]:
    """Compare every variant with stock, for the given tests, each under its own clock.

    `margins` is in per cent, for every clock that the samples have. A variant without stock, or
    stock alone, gives a Comparison with one side empty: a gap is shown, not hidden.
    """
    sides: dict[tuple[str, str, Clock, str], dict[str, Summary]] = {}
    for (machine, profile, variant, clock, test), side in summarise(samples, tests).items():
        sides.setdefault((machine, profile, clock, test), {})[variant] = side
    comparisons = []
    for (machine, profile, clock, test), variants in sides.items():
        stock = variants.pop(STOCK, None)
        for variant, measured in variants.items() or [("", None)]:
            comparisons.append(
                Comparison(machine, profile, clock, test, variant, STOCK, stock, measured, margins[clock], threshold)
            )
    return _judged(comparisons, tests)


def across(
    before: Iterable[Sample],
    after: Iterable[Sample],
    against: str,
    tests: Sequence[str],
    margins: Mapping[Clock, float],
    threshold: float,
) -> list[Comparison]:
    """Compare the cells of two runs that are in both; `against` is the name of the run `before`."""
    baselines = summarise(before, tests)
    comparisons = [
        Comparison(machine, profile, clock, test, variant, against, baselines[cell], measured, margins[clock], threshold)
        for cell, measured in summarise(after, tests).items()
        if cell in baselines
        for machine, profile, variant, clock, test in [cell]
    ]
    return _judged(comparisons, tests)


def stepwise(
    samples: Iterable[Sample],
    before: Mapping[str, str],
    tests: Sequence[str],
    margins: Mapping[Clock, float],
    threshold: float,
) -> list[Comparison]:
    """Compare every variant in `before` with the variant that it is mapped to.

    A side that was not measured is empty. If neither was, there is no comparison.
    """
    sides = summarise(samples, tests)
    comparisons = []
    for machine, profile, clock, test in dict.fromkeys((m, p, c, t) for m, p, _, c, t in sides):
        for variant, against in before.items():
            baseline, measured = (sides.get((machine, profile, name, clock, test)) for name in (against, variant))
            if baseline or measured:
                one = Comparison(machine, profile, clock, test, variant, against, baseline, measured, margins[clock], threshold)
                comparisons.append(one)
    return _judged(comparisons, tests)


def judged(one: Comparison) -> Comparison:
    """Return a comparison with its verdict, as the only hypothesis of its family."""
    (alone,) = _family((one,))
    return alone


def _judged(comparisons: Iterable[Comparison], tests: Sequence[str]) -> list[Comparison]:
    """Return the comparisons in order and with a verdict; the tests of a cell are one family of hypotheses."""
    families: dict[tuple[str, str, str, Clock], list[Comparison]] = {}
    for one in sorted(comparisons, key=lambda c: (c.machine, c.profile, variant_order(c.variant), c.clock, tests.index(c.test))):
        families.setdefault((one.machine, one.profile, one.variant, one.clock), []).append(one)
    return [judged for family in families.values() for judged in _family(family)]


def _family(family: Sequence[Comparison]) -> list[Comparison]:
    estimates = [_estimate(one) for one in family]
    adjusted = iter(estimate.adjusted([each for each in estimates if each is not None]))
    return [one if each is None else _judge(one, next(adjusted)) for one, each in zip(family, estimates, strict=True)]


def _estimate(of: Comparison) -> Estimate | None:
    """Return the estimate for two sides; None if one is missing, or has a cost of 0."""
    if of.measured is None or of.baseline is None or min(*of.measured.medians, *of.baseline.medians) <= 0:
        return None
    return estimate.estimate(of.measured.medians, of.baseline.medians)


def _judge(of: Comparison, by: Estimate) -> Comparison:
    margin = max(of.margin, SPACE_MARGIN) if of.unit == SPACE else of.margin
    verdict = estimate.verdict(by, margin)
    more = estimate.more_boots(by, margin) if verdict == "undecided" else 0
    return msgspec.structs.replace(of, margin=margin, ratio=by.ratio, interval=by.interval, p=by.p, verdict=verdict, more=more)
