# SPDX-License-Identifier: GPL-2.0-only
"""Ratio, interval, p-value and verdict; how often they are wrong, by simulation with fixed seeds."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from harness.stats import estimate
from harness.stats.estimate import MOST, Estimate

COSTS = st.lists(st.floats(1e-3, 1e12), min_size=1, max_size=7)
P = st.lists(st.floats(0, 1), max_size=8)


def boots(random: np.random.Generator, noise: float, count: int, cost: float = 1000.0) -> list[float]:
    return list(cost * np.exp(noise * random.standard_normal(count)))


def skewed(random: np.random.Generator, noise: float, count: int) -> list[float]:
    """Return costs whose distribution has a long tail upward, and a median of 1000."""
    return list(1000.0 * np.exp(noise * (random.exponential(size=count) - np.log(2))))


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fewer resamples: a simulation asks for thousands of intervals, whose last digit it does not need."""
    monkeypatch.setattr(estimate, "RESAMPLES", 999)


def test_the_ratio_is_that_of_the_medians_and_the_interval_holds_it() -> None:
    found = estimate.estimate([200.0, 210.0, 900.0], [100.0, 99.0, 101.0, 102.0])
    assert found.ratio == pytest.approx(210 / 100.5)
    assert found.interval is not None
    assert found.interval[0] < found.ratio < found.interval[1]


def test_one_boot_gives_a_ratio_and_no_more() -> None:
    assert estimate.estimate([51.0], [102.0]) == Estimate(0.5, 1)
    assert estimate.estimate([50.0, 52.0], [100.0]) == Estimate(0.51, 1)


def test_the_same_figures_give_the_same_estimate() -> None:
    random = np.random.default_rng(1)
    a, b = boots(random, 0.05, 5), boots(random, 0.05, 5)
    assert estimate.estimate(a, b) == estimate.estimate(a, b)


def test_p_is_welchs() -> None:
    random = np.random.default_rng(2)
    a, b = boots(random, 0.02, 4, 990.0), boots(random, 0.001, 6)
    assert estimate.estimate(a, b).p == pytest.approx(stats.ttest_ind(np.log(a), np.log(b), equal_var=False).pvalue)


def test_the_interval_is_never_narrower_than_welchs() -> None:
    random = np.random.default_rng(3)
    a, b = boots(random, 0.05, 3), boots(random, 0.05, 3)
    whole = stats.ttest_ind(np.log(a), np.log(b), equal_var=False).confidence_interval()
    found = estimate.estimate(a, b).interval
    assert found is not None
    assert found[0] <= np.exp(whole.low) * (1 + 1e-9)
    assert found[1] >= np.exp(whole.high) * (1 - 1e-9)


@pytest.mark.parametrize(
    ("measured", "verdict", "p"),
    [(1000.0, "same", 1.0), (1005.0, "same", 0.0), (1011.0, "slower", 0.0), (500.0, "faster", 0.0)],
)
def test_what_repeats_exactly_has_an_interval_without_width(measured: float, verdict: str, p: float) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = estimate.estimate([measured] * 3, [1000.0] * 3)
    assert found == Estimate(measured / 1000, 3, (measured / 1000, measured / 1000), p)
    assert estimate.verdict(found, 1.0) == verdict


@pytest.mark.parametrize("other", [[1000.0, 1000.1, 999.9], [1000.0, 1000.0 + 1e-9, 1000.0], [1000.0, 1000.0, 1000.0000000001]])
def test_one_side_that_repeats_exactly_is_no_trouble(other: list[float]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = estimate.estimate([1000.0] * 3, other)
    assert found.p is not None
    assert 0.3 < found.p <= 1
    assert estimate.verdict(found, 1.0) == "same"


def test_rounding_alone_is_no_difference() -> None:
    nearly = [0.1 + 0.2, 0.3, 0.3]
    found = estimate.estimate(nearly, [0.3, 0.1 + 0.2, 0.1 + 0.2])
    assert found.p == 1.0


@settings(max_examples=50)
@given(COSTS, COSTS)
def test_whatever_was_measured_gives_an_interval_around_the_ratio_without_a_warning(a: list[float], b: list[float]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = estimate.estimate(a, b)
    assert (found.interval is None) is (found.p is None) is (min(len(a), len(b)) == 1)
    if found.interval is not None and found.p is not None:
        assert 0 < found.interval[0] <= found.ratio <= found.interval[1]
        assert 0 <= found.p <= 1
    verdict = estimate.verdict(found, 1.0)
    assert verdict in ("same", "faster", "slower", "undecided")
    if verdict == "undecided":
        assert max(1, 3 - min(len(a), len(b))) <= estimate.more_boots(found, 1.0) <= MOST


def test_holm_as_in_the_paper() -> None:
    assert estimate.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert estimate.holm([0.9, 0.8]) == [1.0, 1.0]
    assert estimate.holm([0.2]) == [0.2]
    assert estimate.holm([]) == []


@given(P)
def test_holm_keeps_the_order_and_is_between_none_and_bonferroni(p: list[float]) -> None:
    adjusted = estimate.holm(p)
    for one, made in zip(p, adjusted, strict=True):
        assert one <= made <= min(1.0, one * len(p))
    ordered = sorted(zip(p, adjusted, strict=True))
    assert [a for _, a in ordered] == sorted(adjusted)


@pytest.mark.parametrize(
    ("interval", "p", "margin", "verdict"),
    [
        ((0.995, 1.005), 0.5, 1.0, "same"),
        ((1.002, 1.004), 0.001, 1.0, "same"),
        ((0.99, 1.01), 0.5, 1.0, "same"),
        ((0.9, 1.005), 0.5, 1.0, "undecided"),
        ((0.9, 0.95), 0.049, 1.0, "faster"),
        ((0.9, 0.95), 0.05, 1.0, "undecided"),
        ((1.02, 1.05), 0.001, 1.0, "slower"),
        ((0.9, 1.0), 0.001, 1.0, "undecided"),
        ((1.0, 1.2), 0.001, 1.0, "undecided"),
        ((1.02, 1.05), 0.001, 5.0, "same"),
        ((1.0, 1.0), 1.0, 0.0, "same"),
    ],
)
def test_the_verdict(interval: tuple[float, float], p: float, margin: float, verdict: str) -> None:
    middle = (interval[0] * interval[1]) ** 0.5
    assert estimate.verdict(Estimate(middle, 3, interval, p), margin) == verdict
    assert estimate.verdict(Estimate(middle, 2, interval, p), margin) == "undecided"


@pytest.mark.parametrize(("measured", "stock"), [([500.0] * 2, [1000.0] * 5), ([1000.0] * 5, [1000.0] * 2), ([9.0], [9.0])])
def test_fewer_than_three_boots_decide_nothing_and_three_are_asked_for(measured: list[float], stock: list[float]) -> None:
    found = estimate.estimate(measured, stock)
    assert estimate.verdict(found, 1.0) == "undecided"
    assert estimate.more_boots(found, 1.0) == 3 - found.boots


def test_what_repeats_and_stays_undecided_is_decided_by_no_boots() -> None:
    assert estimate.more_boots(Estimate(1.01, 3, (1.01, 1.01), 1.0), 0.0) == MOST


def test_the_p_values_of_a_family_allow_for_each_other() -> None:
    family = [Estimate(1.1, 3, (1.0, 1.2), p) for p in (0.01, 0.04, 0.03, 0.005)]
    made = estimate.adjusted([*family, Estimate(0.5, 1)])
    assert [one.p for one in made[:4]] == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert [one.among for one in made] == [3, 1, 2, 4, 1]
    assert made[4] == Estimate(0.5, 1)


def wide(reach: float, ratio: float = 1.0, count: int = 4, among: int = 1) -> Estimate:
    """Return an estimate whose interval reaches so far to both sides, as a share of the ratio."""
    return Estimate(ratio, count, (ratio / (1 + reach), ratio * (1 + reach)), 0.3, among)


def test_what_is_less_sure_takes_more_boots() -> None:
    by_reach = [estimate.more_boots(wide(reach, 1.05), 1.0) for reach in (0.051, 0.07, 0.1, 0.2)]
    assert by_reach == sorted(set(by_reach))
    by_margin = [estimate.more_boots(wide(0.04), margin) for margin in (5.0, 3.0, 1.0, 0.5)]
    assert by_margin == sorted(set(by_margin))
    by_family = [estimate.more_boots(wide(0.04, 1.05, among=among), 1.0) for among in (1, 5, 20)]
    assert by_family == sorted(set(by_family))
    assert estimate.more_boots(wide(9.0, count=8), 1.0) == MOST


def family(random: np.random.Generator, noise: float, count: int, cost: float = 1000.0) -> list[Estimate]:
    """Return what is known of five tests of a kernel that costs `cost` where stock costs 1000."""
    return estimate.adjusted([estimate.estimate(boots(random, noise, count, cost), boots(random, noise, count)) for _ in range(5)])


def verdicts(of: list[Estimate], margin: float) -> list[str]:
    return [estimate.verdict(one, margin) for one in of]


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("excludes", [True, False], ids=["for Holm alone", "at all"])
def test_the_boots_asked_for_decide_four_of_five(excludes: bool) -> None:
    """The rates over some 400 cases each are 86 % and 84 %: fewer than 16 of 24 would be no chance."""
    random, decided, asked = np.random.default_rng(4), 0, 0
    while asked < 24:
        count, cost = 3 + asked % 3, (1050.0, 1075.0, 1100.0)[asked // 3 % 3]
        for place, found in enumerate(family(random, 0.05, count, cost)):
            low, high = found.interval or (1, 1)
            if estimate.verdict(found, 1.0) == "undecided" and (low <= 1 <= high) is not excludes:
                more = estimate.more_boots(found, 1.0)
                if more < 150:
                    decided += verdicts(family(random, 0.05, count + more, cost), 1.0)[place] != "undecided"
                    asked += 1
                    break
    assert decided >= 16


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("count", [3, 5, 10])
@pytest.mark.parametrize("noise", [boots, skewed], ids=["normal", "skewed"])
def test_19_of_20_intervals_hold_the_truth(noise: Callable[[np.random.Generator, float, int], list[float]], count: int) -> None:
    random = np.random.default_rng(5)
    held = 0
    for _ in range(60):
        low, high = estimate.estimate(noise(random, 0.05, count), noise(random, 0.05, count)).interval or (0, 0)
        held += low <= 1 <= high
    assert held >= 54


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("count", [3, 5])
def test_twins_that_repeat_to_the_fourth_digit_are_the_same(count: int) -> None:
    random = np.random.default_rng(6)
    for margin in (1.0, 5.0):
        assert {verdict for _ in range(10) for verdict in verdicts(family(random, 0.0001, count), margin)} == {"same"}


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("count", [3, 5])
def test_noisy_twins_raise_an_alarm_in_one_of_20_families_at_most(count: int) -> None:
    """The rate over 40,000 families is 2.7 % with three boots and 3.8 % with five: more than 7 of 60 would be no chance."""
    random = np.random.default_rng(6)
    said = [verdicts(family(random, 0.05, count), 1.0) for _ in range(60)]
    assert sum("faster" in told or "slower" in told for told in said) <= 7


@pytest.mark.usefixtures("hasty")
def test_what_differs_by_more_than_the_margin_is_found() -> None:
    random = np.random.default_rng(7)
    for noise, count, margin, cost, verdict in (
        (1e-4, 3, 1.0, 1012.0, "slower"),
        (1e-4, 3, 1.0, 800.0, "faster"),
        (0.05, 5, 5.0, 400.0, "faster"),
    ):
        assert {v for _ in range(10) for v in verdicts(family(random, noise, count, cost), margin)} == {verdict}
