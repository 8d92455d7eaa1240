# SPDX-License-Identifier: GPL-2.0-only
"""Finds steps in a test's figure from run to run: where its level changed, and not only its noise.

At each place the runs before it are held against those behind it by Student's t: all of them, and the nearest 3, 4 and so on of
either side, so that a level is found between others too. The most significant place divides the series, and each part is searched
again (binary segmentation). Each step is then sought once more between its neighbours alone, and dropped if it is none there.

p is corrected by Bonferroni for all that was held against each other. That is enough for normal noise, and in up to 15 runs for
any that was tried; in more, noise with long tails has outliers side by side that look like a level. So with more runs the same
figures are put into other orders as well: no more than 1.5 % of those may show as much. Of 1,000 series without a step, of each of
6, 8, 12, 13, 20, 40 and 80 runs, at most 1 had one with normal noise, and at most 9 with that of Laplace, of Student (3 degrees of
freedom), a log-normal one, and normal noise with one outlier in ten.

Noise of one night is taken as independent of the night before: a host that is slow for a week is a step.

ruptures has more ways to divide a series, and none with a rate of false alarms: each wants a penalty, which has to be chosen by
the noise, and icount has none. NumPy and SciPy are needed in any case.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
import scipy

from harness.stats.trend import Figure, Trend

SHORTEST = 3
"""runs that a level has at least: one night, or two, may be the host's"""
FEWEST = 2 * SHORTEST
"""runs that a series has to have"""
SIGNIFICANT = 0.001
"""probability, after Bonferroni, of such a stretch in noise; a history has dozens of series, each of which may be mistaken"""
SMALLEST = 0.2
"""per cent that a step is at least: figures under icount repeat to within that"""
MOST = 100
"""newest runs that are searched: time grows with the square of their number"""
_UNSHUFFLED = 15
"""runs up to which the t alone decides; of so few, too many of all orders have the three highest at an end"""
_ORDERS = 399
_AS_GOOD = 5
"""orders that may show as much: with the one that was seen 6 of 400"""
_SEED = 20181022
"""fixed, so that a history that is read again says the same"""
_REPEATS = 1e-4
"""standard deviation, as a share of the figure, that noise has at least: figures under icount repeat to the fourth digit"""
_NOTHING = 1e-9
"""a standard deviation above 0, where all figures are 0"""
_LOWEST = 1e-30
"""p below this is not told apart, for SciPy cannot invert it; the larger t decides"""
_EXACT = 1e-9
"""relative; a smaller difference is rounding"""
_Array = np.ndarray[Any, Any]


class LevelStep(msgspec.Struct, frozen=True):
    """A place in a trend where its level changed."""

    at: int
    """number of the first figure of the new level"""
    last: Figure
    """the last figure before it"""
    first: Figure
    """the first one of the new level"""
    before: float
    """median of the level's figures"""
    after: float
    runs: tuple[int, int]
    """number of runs of both levels"""

    @property
    def change(self) -> float:
        """The change of cost in per cent: above 0 where it costs more now."""
        return _change(self.before, self.after)


def steps(trend: Trend) -> list[LevelStep]:
    """Return the steps of a trend, oldest first; none where it has fewer than FEWEST runs."""
    figures = trend.figures[-MOST:]
    skipped = len(trend.figures) - len(figures)
    medians = tuple(figure.median for figure in figures)
    bounds = (0, *places(medians), len(figures))
    found = []
    for start, at, end in zip(bounds, bounds[1:], bounds[2:], strict=False):
        levels = (_median(medians[start:at]), _median(medians[at:end]))
        found.append(LevelStep(skipped + at, figures[at - 1], figures[at], *levels, (at - start, end - at)))
    return found


@functools.lru_cache(maxsize=1024)
def places(values: tuple[float, ...]) -> tuple[int, ...]:
    """Return the numbers of the values with which another level begins, ascending."""
    series = np.asarray(values, dtype=float)
    bounds = [0, *_search(series, 0), len(series)]
    for _ in values:  # in practice twice or three times
        if (changed := _checked(series, bounds)) == bounds:
            break
        bounds = changed
    return tuple(bounds[1:-1])


def _search(series: _Array, offset: int) -> list[int]:
    """Return the places of steps in a series and in its parts, ascending."""
    place = _place(series)
    if place is None:
        return []
    return [*_search(series[:place], offset), offset + place, *_search(series[place:], offset + place)]


def _checked(series: _Array, bounds: list[int]) -> list[int]:
    """Return the bounds with the first one put right that is no step, or not at its best place, between its neighbours."""
    for number, (start, at, end) in enumerate(zip(bounds, bounds[1:], bounds[2:], strict=False), 1):
        place = _place(series[start:end])
        if place is None or not _levels(series[start : start + place], series[start + place : end]):
            return [*bounds[:number], *bounds[number + 1 :]]
        if start + place != at:
            return [*bounds[:number], start + place, *bounds[number + 1 :]]
    return bounds


def _levels(before: _Array, after: _Array) -> bool:
    """Return whether these are two levels: far enough apart, and each with SHORTEST runs on its side of the middle."""
    low, high = _median(before), _median(after)
    if abs(_change(low, high)) < SMALLEST:
        return False
    beyond = [
        np.sign(side - (low + high) / 2) == np.sign(level - (low + high) / 2) for side, level in ((before, low), (after, high))
    ]
    return all(int(np.sum(own)) >= SHORTEST for own in beyond)


def _place(series: _Array) -> int | None:
    """Return the place of the most significant step; None if there is none."""
    if len(series) < FEWEST:
        return None
    floor = max(_REPEATS * abs(_median(series)), _NOTHING)
    starts, places, ends = _windows(len(series))
    t = _apart(series, floor)
    p = np.maximum(2 * scipy.stats.t.sf(t, ends - starts - 2), _LOWEST)
    best = int(np.lexsort((-t, p))[0])
    if p[best] * len(p) >= SIGNIFICANT or (len(series) > _UNSHUFFLED and _usual(series, floor, p[best])):
        return None
    return int(places[best])


def _usual(series: _Array, floor: float, p: float) -> bool:
    """Return whether the same figures in another order are often as significant as `p` somewhere."""
    starts, _, ends = _windows(len(series))
    limits = np.asarray(scipy.stats.t.isf(p / 2, np.arange(len(series))))[ends - starts - 2] * (1 - _EXACT)
    orders = np.random.default_rng(_SEED).permuted(np.tile(series, (_ORDERS, 1)), axis=1)
    return int(np.sum(np.any(_apart(orders, floor) >= limits, axis=1))) > _AS_GOOD


def _apart(series: _Array, floor: float) -> _Array:
    """Return Student's t of all that is held against each other, for each row; `floor` is the least standard deviation."""
    starts, places, ends = _windows(series.shape[-1])
    centred = series - np.median(series)
    sums, squares = (np.insert(np.cumsum(part, axis=-1), 0, 0.0, axis=-1) for part in (centred, centred**2))
    left, right = places - starts, ends - places
    before, behind = sums[..., places] - sums[..., starts], sums[..., ends] - sums[..., places]
    around = squares[..., ends] - squares[..., starts] - before**2 / left - behind**2 / right
    error = np.sqrt(np.maximum(around / (left + right - 2), floor**2) * (1 / left + 1 / right))
    apart: _Array = np.abs(before / left - behind / right) / error
    return apart


@functools.lru_cache(maxsize=MOST)
def _windows(count: int) -> tuple[_Array, _Array, _Array]:
    """Return start, place and end of all that is held against each other in a series."""
    windows = [
        (place - size, place, place + size)
        for place in range(SHORTEST, count - SHORTEST + 1)
        for size in range(SHORTEST, min(place, count - place) + 1)
    ]
    whole = [(0, place, count) for place in range(SHORTEST, count - SHORTEST + 1) if 2 * place != count]
    starts, places, ends = np.array([*windows, *whole]).T
    return starts, places, ends


def _median(values: Sequence[float] | _Array) -> float:
    return float(np.median(values))


def _change(before: float, after: float) -> float:
    """Return a change in per cent; infinite from nothing to something."""
    if before:
        return (after / before - 1) * 100
    return 0.0 if after == before else float("inf")
