# SPDX-License-Identifier: GPL-2.0-only
"""Estimates the ratio of two kernels' costs with its confidence, and gives it a verdict.

A boot is one observation: what is measured within a boot shares the layout of memory and the
state of the caches that this boot happened to begin with.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
import scipy
from msgspec.structs import replace

CONFIDENCE = 0.95
SIGNIFICANT = 0.05
"""p-values below this, after Holm, are a difference"""
FEWEST = 3
"""boots of a side that a verdict takes at least"""
MOST = 999
"""boots that anybody would add; a test that needs more stays undecided"""
_SURE = 0.85
"""chance of a decision that the number of boots is chosen for; above 80 %, as the highest of a family is seen too high"""
_OF_A_MEDIAN = math.sqrt(math.pi / 2)
"""standard error of a median by that of a mean, of many boots with normal noise"""
_CHANCES = (np.arange(24) + 0.5) / 24
"""quantiles that stand for a distribution"""
RESAMPLES = 9999
SEED = 20181022
"""fixed, so that a report that is written again says the same"""
_EXACT = 1e-12
"""relative; a smaller difference is rounding"""
_STEEPEST = 700.0
"""logarithm of a ratio that a float still holds"""
_Array = np.ndarray[Any, Any]


class Estimate(msgspec.Struct, frozen=True):
    """An estimate of the ratio of two costs."""

    ratio: float
    """the median over boots, divided by that of the baseline"""
    boots: int
    """of the side that has fewer"""
    interval: tuple[float, float] | None = None
    """95 % confidence; None with a single boot on a side"""
    p: float | None = None
    """probability of such a difference if the costs are the same"""
    among: int = 1
    """factor by which Holm multiplied p: the number of tests of the family whose p is no lower, this one included"""


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
    ratio, boots = float(np.median(measured) / np.median(baseline)), min(len(measured), len(baseline))
    if boots == 1:
        return Estimate(ratio, boots)
    if repeats(measured) and repeats(baseline):
        return Estimate(ratio, boots, (ratio, ratio), float(math.isclose(ratio, 1, rel_tol=_EXACT)))
    (low, high), p = welch(np.log(measured), np.log(baseline))
    ends = _bootstrap(measured, baseline)
    return Estimate(ratio, boots, (min(low, ratio, *ends), max(high, ratio, *ends)), p)


def adjusted(family: Sequence[Estimate]) -> list[Estimate]:
    """Return estimates whose p-values allow for the others of the family; one without a p-value is no part of it."""
    known = [one.p for one in family if one.p is not None]
    corrected = iter(holm(known))
    return [one if one.p is None else replace(one, p=next(corrected), among=sum(p >= one.p for p in known)) for one in family]


def holm(p: Sequence[float]) -> list[float]:
    """Adjust p-values for the number of tests.

    Source: Holm, "A Simple Sequentially Rejective Multiple Test Procedure", 1979. SciPy's
    false_discovery_control bounds another rate.
    """
    adjusted, highest = [0.0] * len(p), 0.0
    for rank, index in enumerate(sorted(range(len(p)), key=p.__getitem__)):
        highest = max(highest, min(1.0, (len(p) - rank) * p[index]))
        adjusted[index] = highest
    return adjusted


def verdict(of: Estimate, margin: float) -> str:
    """Return ``same``, ``faster``, ``slower`` or ``undecided``; always the last with fewer than FEWEST boots.

    `of.p` has to be adjusted already; `margin` is in per cent of 1. A difference that is certain
    but lies within the margin is ``same``.
    """
    if of.boots < FEWEST or of.interval is None or of.p is None:
        return "undecided"
    low, high = of.interval
    if 1 - margin / 100 <= low and high <= 1 + margin / 100:
        return "same"
    if of.p >= SIGNIFICANT or low <= 1 <= high:
        return "undecided"
    return "faster" if high < 1 else "slower"


def more_boots(of: Estimate, margin: float) -> int:
    """Return how many boots to add to each side to decide what is undecided, with a chance of 80 %: 1 to MOST.

    The chance is over all that the true ratio and noise can be, given the ones seen and nothing
    else (O'Hagan, Stevens and Campbell, "Assurance in Clinical Trial Design", 2005). Taking the
    ones seen for true decides 44 to 61 % in simulation, this 84 to 86 %. What it cannot know is that a
    ratio is 1: twins whose noise is several times the margin take more boots than are asked for.
    """
    fewest = max(1, FEWEST - of.boots)
    if of.interval is None or of.interval[0] == of.interval[1]:
        return fewest if of.boots < FEWEST else MOST
    low, high = map(math.log, of.interval)
    freedom = 2 * (of.boots - 1)
    seen = (high - low) / 2 / scipy.stats.t.ppf((1 + CONFIDENCE) / 2, freedom)
    errors = seen * np.sqrt(freedom / scipy.stats.chi2.isf(_CHANCES, freedom))[:, np.newaxis]
    truths = math.log(of.ratio) + errors * scipy.stats.norm.ppf(_CHANCES)

    def chance(more: int) -> float:
        boots = of.boots + more
        return _decided(truths, errors * math.sqrt(of.boots / boots), boots, of.among, margin)

    return bisect.bisect_left(range(MOST), _SURE, lo=fewest, key=chance)


def _decided(truths: _Array, errors: _Array, boots: int, among: int, margin: float) -> float:
    """Return how likely `boots` on each side decide, the mean over true logarithms of the ratio and standard errors."""
    t = scipy.stats.t(2 * (boots - 1))
    reach = max(t.ppf((1 + CONFIDENCE) / 2), scipy.stats.norm.ppf((1 + CONFIDENCE) / 2) * _OF_A_MEDIAN)
    scatter = scipy.stats.norm(truths, errors * _OF_A_MEDIAN)
    apart = max(reach, t.isf(SIGNIFICANT / among / 2)) * errors
    within = np.maximum(math.log1p(margin / 100) - reach * errors, 0)
    chances = scatter.sf(apart) + scatter.cdf(-apart) + scatter.cdf(within) - scatter.cdf(-within)
    return float(np.minimum(chances, 1).mean())


def _bootstrap(measured: Sequence[float], baseline: Sequence[float]) -> tuple[float, float]:
    interval = scipy.stats.bootstrap(
        (measured, baseline),
        lambda m, b, axis: np.median(m, axis=axis) / np.median(b, axis=axis),
        n_resamples=RESAMPLES,
        method="percentile",
        confidence_level=CONFIDENCE,
        rng=np.random.default_rng(SEED),
    ).confidence_interval
    return float(interval.low), float(interval.high)


def repeats(values: Sequence[float]) -> bool:
    """Return whether the values are all the same, but for rounding."""
    return max(values) - min(values) <= _EXACT * max(values)


def welch(measured: _Array, baseline: _Array) -> tuple[tuple[float, float], float]:
    """Return the interval of the ratio, and the p-value, from logarithms of which a side has to vary.

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
