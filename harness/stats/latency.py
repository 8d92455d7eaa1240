# SPDX-License-Identifier: GPL-2.0-only
"""Durations of single operations: percentiles and curves over all boots, and the longest stretch without preemption."""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Iterable, Sequence

import msgspec

from harness.model.clock import Clock
from harness.model.matrix import variant_order
from harness.model.records import CriticalSection, Histogram


class Percentiles(msgspec.Struct, frozen=True):
    """Durations of the operations of one test in one cell; the overhead is part of every figure."""

    machine: str
    variant: str
    profile: str
    clock: Clock
    test: str
    unit: str
    operations: int
    p50: float
    p99: float
    p99_9: float
    highest: float
    """exact, where the percentiles have three significant digits"""
    overhead: float
    """cost of reading the clock, which is part of every operation; the median over boots"""
    boots: int


def percentile(histograms: Iterable[Histogram], per_cent: float) -> float:
    """Return the duration that `per_cent` of all operations stay within: a bucket's lower bound, to three significant digits.

    The histograms are those of one test in one cell. ValueError if there is no operation, or no
    such percentile.
    """
    buckets = _buckets(histograms)
    total = sum(count for _, count in buckets)
    if not total or not 0 <= per_cent <= 100:
        raise ValueError(f"There is no percentile {per_cent:g} of {total} operations.")
    rank = max(1, math.ceil(round(total * per_cent / 100, 6)))
    seen = itertools.accumulate(count for _, count in buckets)
    return next(lower for (lower, _), so_far in zip(buckets, seen, strict=True) if so_far >= rank)


def percentiles(histograms: Iterable[Histogram]) -> list[Percentiles]:
    """Return a row for each test of each cell, in order; a test without an operation has none."""
    cells: dict[tuple[str, str, str, Clock, str], list[Histogram]] = {}
    for one in histograms:
        cells.setdefault((one.machine, one.profile, one.variant, one.clock, one.test), []).append(one)
    return [_percentiles(cells[cell]) for cell in sorted(cells, key=_order) if _buckets(cells[cell])]


def _order(cell: tuple[str, str, str, Clock, str]) -> tuple[object, ...]:
    machine, profile, variant, clock, test = cell
    return machine, profile, variant_order(variant), clock, test


def curve(histograms: Iterable[Histogram]) -> list[tuple[float, float]]:
    """Return percentiles above 0 and below 100, ascending, each with the duration that so many operations stay within.

    For a plot over 1 / (1 - percentile / 100), as HdrHistogram draws it. The longest operation is
    the last point; it stands where half an operation would be left to exceed it.
    """
    merged = list(histograms)
    buckets = _buckets(merged)
    total = sum(count for _, count in buckets)
    points, seen = [], 0
    for lower, count in buckets[:-1]:
        seen += count
        points.append((100 * seen / total, lower))
    points += [(100 * (total - 0.5) / total, _highest(merged))] if total else []
    return [point for point in points if point[0] < 100]  # of more than 2**53 operations the last rounds to 100


def longest(sections: Iterable[CriticalSection]) -> list[CriticalSection]:
    """Return the longest section of every test in every cell, in the order in which the tests come."""
    by_cell: dict[tuple[str, str, str, Clock, str], CriticalSection] = {}
    for one in sections:
        cell = (one.machine, one.profile, one.variant, one.clock, one.test)
        if cell not in by_cell or one.microseconds > by_cell[cell].microseconds:
            by_cell[cell] = one
    return list(by_cell.values())


def _percentiles(merged: Sequence[Histogram]) -> Percentiles:
    first = merged[0]
    return Percentiles(
        first.machine,
        first.variant,
        first.profile,
        first.clock,
        first.test,
        first.unit,
        operations=sum(count for _, count in _buckets(merged)),
        p50=percentile(merged, 50),
        p99=percentile(merged, 99),
        p99_9=percentile(merged, 99.9),
        highest=_highest(merged),
        overhead=statistics.median(one.overhead for one in merged),
        boots=len({one.boot for one in merged}),
    )


def _buckets(histograms: Iterable[Histogram]) -> list[tuple[float, int]]:
    """Return the buckets of all, ascending, without those that count nothing."""
    counts: dict[float, int] = {}
    for one in histograms:
        for lower, count in one.buckets:
            if count:
                counts[lower] = counts.get(lower, 0) + count
    return sorted(counts.items())


def _highest(histograms: Iterable[Histogram]) -> float:
    return max(one.highest for one in histograms)
