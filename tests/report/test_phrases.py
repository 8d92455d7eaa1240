# SPDX-License-Identifier: GPL-2.0-only
"""Figures and sentences that all reports share."""

from __future__ import annotations

import pytest

from harness import text
from harness.model.clock import ICOUNT_SHIFT, Clock
from harness.report import phrases
from harness.stats.compare import Comparison
from tests.support import content


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        ([5120.4], "5,120 ±0.0 %"),
        ([12.34, 12.34], "12.3 ±0.0 %"),
        ([100.0, 150.0], "125 ±20 %"),
        ([0.0], "0.0 ±0.0 %"),
    ],
)
def test_figures_have_no_more_digits_than_they_are_worth(values: list[float], shown: str) -> None:
    assert phrases.value(content.summary(tuple(values))) == shown


def test_what_is_not_there_is_a_dash() -> None:
    nothing: Comparison = content.comparison(measured=None, baseline=None, ratio=None, interval=None)
    assert {phrases.value(nothing.measured), phrases.change(nothing), phrases.interval(nothing), phrases.counts(nothing)} == {"-"}


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        (0.0, "+0.00"),
        (-0.001, "+0.00"),
        (-0.123, "-0.12"),
        (5.25, "+5.2"),
        (99.94, "+99.9"),
        (99.96, "+100"),
        (-1234.5, "-1234"),
        (-3e9, "-3e+09"),
    ],
)
def test_a_change_has_no_more_digits_than_it_is_worth(number: float, shown: str) -> None:
    assert phrases.percent(number) == shown


def test_a_stretch_under_icount_is_a_count_of_instructions() -> None:
    assert phrases.stretch(1000.0, Clock.ICOUNT) == (1_000_000 / 2**ICOUNT_SHIFT, "instructions")
    assert phrases.stretch(1000.0, Clock.WALL) == (1000.0, "us")


def test_an_interval_goes_from_the_lowest_to_the_highest() -> None:
    assert phrases.interval(content.comparison(interval=(0.995, 1.2))) == "-0.50 to +20.0"


@pytest.mark.parametrize(
    ("number", "shown"),
    [(0, "0 B"), (4096, "4 KiB"), (1.5 * (1 << 20), "1.5 MiB"), (1010 << 20, "1010 MiB"), (-(1 << 30), "-1 GiB")],
)
def test_bytes_are_shown_as_people_read_them(number: float, shown: str) -> None:
    assert text.size(number) == shown


@pytest.mark.parametrize(("number", "shown"), [(999, "999"), (1000, "1k"), (15000, "15k"), (2.5e6, "2.5M"), (0.5, "0.5")])
def test_an_axis_has_short_numbers(number: float, shown: str) -> None:
    assert text.short(number) == shown


@pytest.mark.parametrize(
    ("number", "shown"), [(510 << 10, "+510 KiB"), (0.0, "0 B"), (0.2, "0 B"), (-4096.0, "-4 KiB"), (0.75, "+1 B")]
)
def test_an_increase_of_memory_has_a_plus(number: float, shown: str) -> None:
    assert text.signed(number, text.size(number)) == shown
