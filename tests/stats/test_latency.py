# SPDX-License-Identifier: GPL-2.0-only
"""Percentiles of merged histograms, their curve, and the longest sections."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.model.clock import Clock
from harness.model.records import CriticalSection, Histogram
from harness.stats import latency

CELL: dict[str, Any] = {
    "machine": "x86_64",
    "variant": "stock",
    "profile": "perf",
    "clock": Clock.ICOUNT,
    "test": "le_fit_alloc_test",
    "boot": 0,
}
DURATIONS = st.lists(st.integers(1, 10**9), min_size=1, max_size=200)


def histogram(*buckets: tuple[float, int], highest: float | None = None, **other: Any) -> Histogram:
    top = highest if highest is not None else max((lower for lower, _ in buckets), default=0.0)
    return Histogram(**{"unit": "instructions", "overhead": 20.0, **CELL, **other}, highest=top, buckets=buckets)


def recorded(durations: list[int]) -> Histogram:
    """Return the histogram of single durations with three significant digits, as the test module counts."""
    counts: dict[int, int] = {}
    for duration in durations:
        shift = max(0, duration.bit_length() - 11)
        lower = duration >> shift << shift
        counts[lower] = counts.get(lower, 0) + 1
    return histogram(*sorted(counts.items()), highest=max(durations))


def section(microseconds: float, **other: Any) -> CriticalSection:
    return CriticalSection(**{**CELL, **other}, microseconds=microseconds, began="lock", ended="unlock", stack=("unlock",))


@pytest.mark.parametrize(
    ("per_cent", "value"),
    [(0, 100.0), (50, 100.0), (90, 100.0), (90.1, 200.0), (99, 200.0), (99.9, 300.0), (99.95, 400.0), (99.99, 400.0), (100, 400.0)],
)
def test_a_percentile_is_the_bucket_that_holds_so_many(per_cent: float, value: float) -> None:
    assert latency.percentile([histogram((100, 900), (200, 90), (300, 9), (400, 1), highest=417)], per_cent) == value


@given(DURATIONS, DURATIONS, st.floats(0, 100))
def test_a_percentile_is_right_to_three_digits(first: list[int], second: list[int], per_cent: float) -> None:
    every = sorted([*first, *second])
    exact = every[max(0, math.ceil(round(len(every) * per_cent / 100, 6)) - 1)]
    found = latency.percentile([recorded(first), recorded(second)], per_cent)
    assert exact * (1 - 1 / 1024) <= found <= exact


def test_boots_are_merged_by_their_operations_and_not_by_their_percentiles() -> None:
    small, large = histogram((100, 10), highest=103), histogram((100, 10), (5000, 80), highest=5003, boot=1)
    assert latency.percentile([small, large], 50) == 5000
    assert latency.percentile([small, large], 20) == 100
    assert latency.percentile([large, small], 21) == 5000


@pytest.mark.parametrize("per_cent", [-1, 100.1, math.nan])
def test_there_is_no_such_percentile(per_cent: float) -> None:
    with pytest.raises(ValueError, match=r"no percentile .* of 1 operations"):
        latency.percentile([histogram((100, 1))], per_cent)


def test_nothing_has_no_percentiles_and_no_curve() -> None:
    empty = [histogram((100, 0)), histogram()]
    with pytest.raises(ValueError, match="of 0 operations"):
        latency.percentile(empty, 50)
    assert latency.curve(empty) == latency.curve([]) == []
    assert latency.percentiles(empty) == []


def test_a_row_for_each_test_of_each_cell() -> None:
    boots = [histogram((100, 1000 - n), (900, n), highest=900 + n, boot=n, overhead=20.0 + n) for n in (0, 1, 5)]
    elsewhere: tuple[dict[str, Any], ...] = ({"clock": Clock.WALL, "unit": "ns"}, {"variant": "mine"}, {"machine": "aarch64"})
    others = [histogram((7, 1), **other) for other in elsewhere]
    made = latency.percentiles([*boots, *others])
    assert [(row.machine, row.variant, row.clock) for row in made] == [
        ("aarch64", "stock", Clock.ICOUNT),
        ("x86_64", "stock", Clock.ICOUNT),
        ("x86_64", "stock", Clock.WALL),
        ("x86_64", "mine", Clock.ICOUNT),
    ]
    row = made[1]
    assert (row.p50, row.p99, row.p99_9, row.highest) == (100, 100, 900, 905)
    assert (row.operations, row.boots, row.overhead, row.unit) == (3000, 3, 21.0, "instructions")
    assert made[2].unit == "ns"


def test_the_curve_ends_with_the_longest_operation() -> None:
    assert latency.curve([histogram((100, 3), (150, 0), (200, 1), highest=203)]) == [(75.0, 100), (87.5, 203)]
    assert latency.curve([histogram((100, 1), highest=100)]) == [(50.0, 100)]


@given(DURATIONS)
def test_a_curve_rises_and_stays_between_0_and_100(durations: list[int]) -> None:
    points = latency.curve([recorded(durations)])
    assert [p for p, _ in points] == sorted({p for p, _ in points})
    assert [value for _, value in points] == sorted(value for _, value in points)
    assert all(0 < p < 100 for p, _ in points)
    assert points[-1][1] == max(durations)
    assert all(latency.percentile([recorded(durations)], p) == value for p, value in points[:-1])


def test_the_longest_section_of_each_test_and_cell() -> None:
    sections = [
        section(3.0, variant="mine"),
        section(10.0),
        section(30.0, boot=1),
        section(20.0, boot=2),
        section(1.0, clock=Clock.WALL),
        section(2.0, test="b_fit_alloc_test"),
    ]
    assert latency.longest(sections) == [sections[0], sections[2], sections[4], sections[5]]
    assert latency.longest([]) == []
