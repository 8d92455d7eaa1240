# SPDX-License-Identifier: GPL-2.0-only
"""How much one kernel costs by another, how sure that is, and what to call it.

A boot is one observation: what is measured within a boot shares the layout of memory and the
state of the caches that this boot happened to begin with.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
import scipy

CONFIDENCE = 0.95
SIGNIFICANT = 0.05
"""p-values below, after Holm, tell a difference"""
FEWEST = 3
"""boots of a side from which on a difference can be told"""
MOST = 999
"""boots that anybody would add; what needs more stays undecided"""
_RESAMPLES = 9999
_SEED = 20181022
"""fixed, so that a report that is made again says the same"""
_EXACT = 1e-12
"""relative; what differs by less differs by rounding"""
_STEEPEST = 700.0
"""logarithm of a ratio that a float still holds"""
_Array = np.ndarray[Any, Any]


class Estimate(msgspec.Struct, frozen=True):
    """What is known about the ratio of two costs."""

    ratio: float
    """the median over boots of what was measured by that of the baseline"""
    interval: tuple[float, float] | None = None
    """95 % confidence; None with a single boot on a side"""
    p: float | None = None
    """that the costs are the same, of this test alone"""


def estimate(measured: Sequence[float], baseline: Sequence[float]) -> Estimate:
    """Compare the medians of single boots; each has to be above 0, and a side needs one at least.

    The interval is the hull of two: the percentile bootstrap over boots of the ratio of medians,
    and Welch's t of the logarithms. The first alone is too narrow for a handful of boots, for it
    cannot leave the range of what was seen: in simulation it covers 73 to 90 % with three. (Hesterberg,
    "What Teachers Should Know About the Bootstrap", 2015, says why; the wider level proposed there
    does not help where the range is the limit.) The second alone is about means, and misses the
    ratio of medians where one kernel's noise is skewed and the other's is not: down to 83 % with 20
    boots. The hull covers 93 % or more in each case.

    The p-value is Welch's, and too low where only one side's noise is skewed: with three boots, a
    margin of 1 % and noise of 5 %, 13 % of families of five tests had a false alarm instead of 5 %.
    """
    ratio = float(np.median(measured) / np.median(baseline))
    if min(len(measured), len(baseline)) == 1:
        return Estimate(ratio)
    if _repeats(measured) and _repeats(baseline):
        return Estimate(ratio, (ratio, ratio), float(math.isclose(ratio, 1, rel_tol=_EXACT)))
    (low, high), p = _welch(np.log(measured), np.log(baseline))
    ends = _bootstrap(measured, baseline)
    return Estimate(ratio, (min(low, ratio, *ends), max(high, ratio, *ends)), p)


def holm(p: Sequence[float]) -> list[float]:
    """Adjust p-values for having made all of these tests.

    Source: Holm, "A Simple Sequentially Rejective Multiple Test Procedure", 1979. SciPy's
    false_discovery_control bounds another rate.
    """
    adjusted, highest = [0.0] * len(p), 0.0
    for rank, index in enumerate(sorted(range(len(p)), key=p.__getitem__)):
        highest = max(highest, min(1.0, (len(p) - rank) * p[index]))
        adjusted[index] = highest
    return adjusted


def verdict(of: Estimate, margin: float) -> str:
    """Return ``same``, ``faster``, ``slower`` or ``undecided``.

    `of.p` has to be adjusted already; `margin` is in per cent of 1. A difference that is certain
    but lies within the margin is ``same``.
    """
    if of.interval is None or of.p is None:
        return "undecided"
    low, high = of.interval
    if 1 - margin / 100 <= low and high <= 1 + margin / 100:
        return "same"
    if of.p >= SIGNIFICANT or low <= 1 <= high:
        return "undecided"
    return "faster" if high < 1 else "slower"


def more_boots(of: Estimate, boots: int, margin: float) -> int:
    """Return how many boots to add to each side, which has `boots`, to decide what is undecided: 1 to MOST.

    The interval shrinks with the root of the count of boots, until it excludes 1 or lies within
    the margin, whichever is sooner for the ratio seen.
    """
    if of.interval is None:
        return max(1, FEWEST - boots)
    low, high = map(math.log, of.interval)
    away = abs(math.log(of.ratio))
    allowed = max(away, math.log1p(margin / 100) - away)
    if allowed <= 0:
        return MOST
    needed = boots * ((high - low) / 2 / allowed) ** 2
    return max(1, min(MOST, math.ceil(needed) - boots))


def _bootstrap(measured: Sequence[float], baseline: Sequence[float]) -> tuple[float, float]:
    found = scipy.stats.bootstrap(
        (measured, baseline),
        lambda m, b, axis: np.median(m, axis=axis) / np.median(b, axis=axis),
        n_resamples=_RESAMPLES,
        method="percentile",
        confidence_level=CONFIDENCE,
        rng=np.random.default_rng(_SEED),
    ).confidence_interval
    return float(found.low), float(found.high)


def _repeats(values: Sequence[float]) -> bool:
    return max(values) - min(values) <= _EXACT * max(values)


def _welch(measured: _Array, baseline: _Array) -> tuple[tuple[float, float], float]:
    """Return the interval of the ratio, and the p-value, from logarithms.

    Not stats.ttest_ind, which warns and may return nan where one side repeats exactly, as it can
    under icount.
    """
    difference = float(np.mean(measured) - np.mean(baseline))
    parts = [float(np.var(side, ddof=1)) / len(side) for side in (measured, baseline)]
    error = math.sqrt(sum(parts))
    shares = (part**2 / (len(side) - 1) for part, side in zip(parts, (measured, baseline), strict=True))
    t = scipy.stats.t(sum(parts) ** 2 / sum(shares))
    ends = difference + np.array([-1, 1]) * t.ppf((1 + CONFIDENCE) / 2) * error
    low, high = np.exp(np.clip(ends, -_STEEPEST, _STEEPEST))
    return (float(low), float(high)), 2 * float(t.sf(abs(difference) / error))
