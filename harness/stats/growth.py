# SPDX-License-Identifier: GPL-2.0-only
"""Growth of cost with the size of the allocator's state: the exponent b of cost = a * size^b."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence

import msgspec
import scipy

from harness.model.clock import Clock
from harness.model.records import Point

_CONFIDENCE = 0.95
_FEWEST = 3
"""sizes that a fit takes at least"""
_FLAT = 0.1
"""an exponent of no more, up or down, is a cost that does not change: from 1,000 to 50,000 it is a factor of 1.5"""
_BELOW_LINEAR = 0.9
"""an exponent of no less can be that of a linear cost, to which a constant was added"""
_ROOT = 0.5
"""the exponent of a square root; a linear cost has to be clearly above it"""


_Key = tuple[str, str, Clock, str, str, str]
"""machine, profile, clock, variant, workload and axis"""


class Size(msgspec.Struct, frozen=True):
    """Cost of an operation at one size."""

    size: int
    median: float
    """over boots, of each boot's median"""
    values: tuple[float, ...]
    """all of them, as they came"""


class Growth(msgspec.Struct, frozen=True):
    """Growth of the cost of one workload along one axis, for one kernel under one clock."""

    machine: str
    profile: str
    clock: Clock
    variant: str
    workload: str
    axis: str
    unit: str
    sizes: tuple[Size, ...]
    """ascending"""
    exponent: float | None = None
    """None with fewer than three sizes; a size or a cost of 0 has no logarithm and does not count"""
    interval: tuple[float, float] | None = None
    """95 % confidence; wide where no single exponent fits"""
    tail: float | None = None
    """the exponent between the two largest sizes, to which a constant with a linear term comes late"""

    @property
    def kind(self) -> str:
        """Return ``flat``, ``sublinear``, ``linear``, ``superlinear``, or ``unclear``; empty without an exponent.

        The whole interval decides, as it is shown, to hundredths: flat lies within 0.1 of 0,
        sublinear between 0.1 and 0.9 or between 0 and 0.5 (a logarithm of the size is about 0.1),
        linear holds 1 and is above 0.5, superlinear is above 1. What fits none is unclear: it is too
        wide, falls with the size, or lies so close below 1 that it may be linear after a constant.
        """
        if self.interval is None:
            return ""
        low, high = (round(end, 2) for end in self.interval)
        if low >= -_FLAT and high <= _FLAT:
            return "flat"
        if low > 0 and high < (_ROOT if low < _FLAT else _BELOW_LINEAR):
            return "sublinear"
        if low > 1:
            return "superlinear"
        return "linear" if low > _ROOT and high >= 1 else "unclear"


def fit(points: Iterable[Point]) -> list[Growth]:
    """Return the growth of cost for each cell, clock, workload and axis, in the order in which they come."""
    curves: dict[_Key, list[Point]] = {}
    for point in points:
        key = (point.machine, point.profile, point.clock, point.variant, point.workload, point.axis)
        curves.setdefault(key, []).append(point)
    return [_fitted(Growth(*key, curves[key][0].unit, _sizes(curves[key]))) for key in curves]


def _sizes(points: Sequence[Point]) -> tuple[Size, ...]:
    sizes: dict[int, dict[int, list[float]]] = {}
    for point in points:
        sizes.setdefault(point.size, {}).setdefault(point.boot, []).append(point.value)
    return tuple(
        Size(size, statistics.median(map(statistics.median, boots.values())), tuple(v for boot in boots.values() for v in boot))
        for size, boots in sorted(sizes.items())
    )


def _fitted(of: Growth) -> Growth:
    """Return `of` with the fit of a straight line through the logarithms.

    Each size is one observation: further boots at the same sizes narrow the noise, but say nothing
    about whether the curve is a power of the size, and must not make the interval look as if.
    """
    counted = [(math.log(s.size), math.log(s.median)) for s in of.sizes if s.size > 0 and s.median > 0]
    if len(counted) < _FEWEST:
        return of
    x, y = zip(*counted, strict=True)
    tail = (y[-1] - y[-2]) / (x[-1] - x[-2])
    slope, reach = _line(x, y)
    return msgspec.structs.replace(of, exponent=slope, interval=(slope - reach, slope + reach), tail=tail)


def _line(x: Sequence[float], y: Sequence[float]) -> tuple[float, float]:
    """Return a regression line's slope, and half of the slope's interval."""
    if min(y) == max(y):
        return 0.0, 0.0  # linregress() makes nan of it
    line = scipy.stats.linregress(x, y)
    return float(line.slope), float(scipy.stats.t.ppf((1 + _CONFIDENCE) / 2, len(x) - 2) * line.stderr)
