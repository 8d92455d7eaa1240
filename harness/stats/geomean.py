# SPDX-License-Identifier: GPL-2.0-only
"""The geometric mean of a variant's ratios over its tests, with an interval: a summary, never a verdict.

Ratios are averaged by their logarithms, as only then the mean does not depend on which side is the
baseline (Fleming and Wallace, "How Not to Lie with Statistics: The Correct Way to Summarize
Benchmark Results", 1986).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
import numpy as np
import scipy

from harness.model.clock import Clock
from harness.stats import cost, estimate
from harness.stats.compare import Comparison, Summary

FEWEST = 2
"""tests that make a mean"""
_Array = np.ndarray[Any, Any]


class GeometricMean(msgspec.Struct, frozen=True):
    """The mean of the ratios of one variant on one machine, in one profile and under one clock."""

    machine: str
    profile: str
    clock: Clock
    variant: str
    against: str
    ratio: float
    interval: tuple[float, float] | None
    """95 % confidence; None where fewer than two boots of a side have all of its tests"""
    margin: float
    """per cent within which two figures count as the same"""
    tests: tuple[str, ...]
    """that it is the mean of"""
    missing: tuple[str, ...] = ()
    """tests of the same cells that this variant could not be compared in"""

    @property
    def of(self) -> int:
        """Number of tests that it would be the mean of if none was missing."""
        return len(self.tests) + len(self.missing)

    @property
    def change(self) -> float:
        """Change of the cost against the baseline, in per cent; positive when it costs more."""
        return cost.change(self.ratio)

    @property
    def changes(self) -> tuple[float, float] | None:
        """The interval of the change, in per cent, lowest first."""
        return None if self.interval is None else (cost.change(self.interval[0]), cost.change(self.interval[1]))


def means(comparisons: Iterable[Comparison]) -> list[GeometricMean]:
    """Return the mean of each variant in each cell, in the order of the comparisons; none of fewer than FEWEST tests.

    What has another unit is no part of it.
    """
    cells: dict[tuple[str, str, Clock, str], list[Comparison]] = {}
    for one in comparisons:
        cells.setdefault((one.machine, one.profile, one.clock, one.unit), []).append(one)
    made = []
    for items in cells.values():
        tests = list(dict.fromkeys(item.test for item in items))
        for variant in dict.fromkeys(item.variant for item in items if item.variant):
            mine = [item for item in items if item.variant == variant and item.ratio is not None]
            if len(mine) >= FEWEST:
                have = {item.test for item in mine}
                made.append(_mean(mine, tuple(test for test in tests if test not in have)))
    return made


def _mean(items: Sequence[Comparison], missing: tuple[str, ...]) -> GeometricMean:
    first = items[0]
    ratio = math.exp(math.fsum(math.log(item.ratio or 1.0) for item in items) / len(items))
    return GeometricMean(
        machine=first.machine,
        profile=first.profile,
        clock=first.clock,
        variant=first.variant,
        against=first.against,
        ratio=ratio,
        interval=_interval(_boots([i.measured for i in items]), _boots([i.baseline for i in items]), ratio),
        margin=first.margin,
        tests=tuple(item.test for item in items),
        missing=missing,
    )


def _boots(sides: Sequence[Summary | None]) -> _Array:
    """Return the medians of the boots that have all tests: a row for each boot, a column for each test."""
    by_boot = [dict(zip(side.numbers or range(side.boots), side.medians, strict=True)) for side in sides if side]
    whole = [number for number in by_boot[0] if all(number in boots for boots in by_boot)]
    return np.array([[boots[number] for boots in by_boot] for number in whole])


def _interval(measured: _Array, baseline: _Array, ratio: float) -> tuple[float, float] | None:
    """Return the interval of the mean of the ratios.

    A boot is one observation here too: its tests shared one layout of memory, so that their errors
    may go together, and are never taken for independent. As with a single test the interval is the
    hull of two (see estimate()): the bootstrap, which draws whole boots, of the mean of the logarithms
    of the ratios of medians; and Welch's t of the boots' own means of logarithms. In simulation of
    five tests, with 3 to 10 boots a side, it covers 96 to 99 %. An interval that takes tests for
    independent covers 55 to 63 % where all of a boot's error is common to its tests. (Kalibera and
    Jones, "Rigorous Benchmarking in Reasonable Time", 2013, have the bootstrap of ratios over the
    highest level that is random.) The tests are not drawn: it says nothing of other workloads.
    """
    if min(len(measured), len(baseline)) < 2:
        return None
    if all(estimate.repeats(test) for side in (measured, baseline) for test in side.T):
        return ratio, ratio
    ends = [ratio, *_bootstrap(measured, baseline)]
    logs = [np.log(side).mean(axis=1) for side in (measured, baseline)]
    if not all(np.ptp(side) == 0 for side in logs):
        ends += estimate.welch(*logs)[0]
    return min(ends), max(ends)


def _bootstrap(measured: _Array, baseline: _Array) -> tuple[float, float]:
    def mean(of_measured: _Array, of_baseline: _Array, axis: int) -> _Array:
        """Return the mean for numbers of boots, which are the last axis."""
        sides = [
            np.log(np.median(side[boots], axis=axis - 1)) for side, boots in ((measured, of_measured), (baseline, of_baseline))
        ]
        return np.asarray((sides[0] - sides[1]).mean(axis=-1))

    interval = scipy.stats.bootstrap(
        (np.arange(len(measured)), np.arange(len(baseline))),
        mean,
        n_resamples=estimate.RESAMPLES,
        method="percentile",
        confidence_level=estimate.CONFIDENCE,
        rng=np.random.default_rng(estimate.SEED),
    ).confidence_interval
    low, high = np.exp([interval.low, interval.high])
    return float(low), float(high)
