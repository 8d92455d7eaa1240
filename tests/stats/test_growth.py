# SPDX-License-Identifier: GPL-2.0-only
"""The exponent with which cost grows."""

from __future__ import annotations

import math
import random
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.model.clock import Clock
from harness.stats import growth
from harness.stats.growth import Growth
from tests.support.content import point

SIZES = (1000, 5000, 15000, 50000)


def fitted(cost: Callable[[int], float], sizes: Sequence[int] = SIZES) -> Growth:
    (made,) = growth.fit(point(size, cost(size)) for size in sizes)
    return made


@pytest.mark.parametrize(
    ("exponent", "kind"), [(0.0, "flat"), (0.05, "flat"), (0.5, "sublinear"), (1.0, "linear"), (2.0, "superlinear")]
)
def test_a_power_of_the_size_is_found_again(exponent: float, kind: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        made = fitted(lambda size: 40 * size**exponent)
    assert made.exponent == pytest.approx(exponent)
    assert made.interval == pytest.approx((exponent, exponent), abs=1e-6)
    assert made.tail == pytest.approx(exponent)
    assert made.kind == kind


@given(st.floats(-1, 3), st.floats(1e-3, 1e6), st.lists(st.integers(1, 10**6), min_size=3, max_size=8, unique=True))
def test_any_power_at_any_sizes(exponent: float, factor: float, sizes: list[int]) -> None:
    made = fitted(lambda size: factor * size**exponent, sizes)
    assert made.exponent == pytest.approx(exponent, abs=1e-4)
    assert [size.size for size in made.sizes] == sorted(sizes)


def test_19_of_20_intervals_hold_the_exponent() -> None:
    noise, held = random.Random(1), 0
    for _ in range(200):
        interval = fitted(lambda size: 40 * size**0.5 * noise.lognormvariate(0, 0.05)).interval
        assert interval is not None
        held += interval[0] <= 0.5 <= interval[1]
    assert 182 <= held <= 199


def test_a_constant_hides_a_linear_term_from_the_fit_but_not_from_the_tail() -> None:
    made = fitted(lambda size: 10000 + size)
    assert made.exponent is not None
    assert made.tail is not None
    assert made.exponent < 0.5 < made.tail
    assert made.tail == pytest.approx(0.728, abs=0.001)


def test_boots_that_repeat_a_bend_do_not_make_the_exponent_sure() -> None:
    once = fitted(lambda size: 10000 + size)
    (often,) = growth.fit(point(size, 10000 + size, boot=boot) for size in SIZES for boot in range(20))
    assert often.interval == once.interval
    assert once.interval is not None
    assert once.interval[0] < 0.1 < 0.7 < once.interval[1]


def test_what_may_be_flat_as_well_as_linear_is_called_neither() -> None:
    made = fitted(lambda size: 10000 + 3 * size, (1000, 5000, 15000))
    assert made.kind == "unclear"


@pytest.mark.parametrize(
    ("interval", "kind"),
    [
        ((0.90, 1.02), "linear"),
        ((0.92, 1.01), "linear"),
        ((0.78, 1.03), "linear"),
        ((0.9999, 0.9999), "linear"),
        ((1.0, 1.3), "linear"),
        ((0.03, 0.09), "flat"),
        ((0.01, 0.10), "flat"),
        ((-0.1, 0.1), "flat"),
        ((0.04, 0.11), "sublinear"),
        ((0.3, 0.89), "sublinear"),
        ((0.06, 0.25), "sublinear"),
        ((0.04, 0.82), "unclear"),
        ((1.01, 1.05), "superlinear"),
        ((1.2, 3.0), "superlinear"),
        ((0.19, 1.35), "unclear"),
        ((0.5, 1.0), "unclear"),
        ((0.3, 0.95), "unclear"),
        ((0.93, 0.98), "unclear"),
        ((-0.05, 0.12), "unclear"),
        ((-0.8, -0.2), "unclear"),
        ((-0.11, -0.05), "unclear"),
        ((-3.0, 3.0), "unclear"),
    ],
)
def test_the_whole_interval_decides_the_kind(interval: tuple[float, float], kind: str) -> None:
    of = Growth("x86_64", "perf", Clock.ICOUNT, "stock", "churn", "busy", "instructions/op", (), sum(interval) / 2, interval)
    assert of.kind == kind


def test_the_logarithm_of_the_size_is_sublinear_at_most() -> None:
    assert fitted(math.log2).kind == "sublinear"
    assert fitted(lambda size: 50 + math.log2(size)).kind in ("flat", "sublinear")


@pytest.mark.parametrize("sizes", [(1000,), (1000, 5000), (0, 1000, 5000)])
def test_fewer_than_three_sizes_give_no_exponent(sizes: tuple[int, ...]) -> None:
    made = fitted(lambda size: 1.0 + size, sizes)
    assert (made.exponent, made.interval, made.tail, made.kind) == (None, None, None, "")
    assert [size.size for size in made.sizes] == list(sizes)


def test_what_has_no_logarithm_is_shown_and_not_fitted() -> None:
    made = fitted(lambda size: size * 2.0, (0, *SIZES))
    assert made.exponent == pytest.approx(1.0)
    assert len(made.sizes) == 5
    assert fitted(lambda size: 0.0).exponent is None


def test_the_median_is_over_boots_and_every_value_is_kept() -> None:
    values = {0: (1.0, 2.0, 90.0), 1: (5.0,), 2: (7.0,)}
    (made,) = growth.fit(point(10, value, boot=boot, repeat=n) for boot, of in values.items() for n, value in enumerate(of))
    (size,) = made.sizes
    assert (size.size, size.median, size.values) == (10, 5.0, (1.0, 2.0, 90.0, 5.0, 7.0))


def test_nothing_is_mixed_and_all_is_in_the_order_in_which_it_comes() -> None:
    others: list[dict[str, Any]] = [
        {},
        {"machine": "aarch64"},
        {"variant": "mine"},
        {"profile": "debug"},
        {"clock": Clock.WALL, "unit": "ns/op"},
        {"workload": "windows"},
        {"axis": "holes"},
    ]
    made = growth.fit(point(size, size**n, **other) for n, other in enumerate(others) for size in SIZES)
    assert [round(one.exponent or 0) for one in made] == list(range(7))
    assert {one.unit for one in made if one.clock is Clock.WALL} == {"ns/op"}
    assert growth.fit([]) == []
