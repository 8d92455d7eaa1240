# SPDX-License-Identifier: GPL-2.0-only
"""The geometric mean of ratios: its value, its interval, and how often that holds, by simulation with a fixed seed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from harness.model.clock import Clock
from harness.model.records import SPACE, Sample
from harness.stats import estimate, geomean
from harness.stats.compare import compare, summarise
from harness.stats.geomean import GeometricMean
from tests.support import content, make

TESTS = ("le_fit_alloc_test", "b_fit_alloc_test", "ne_fit_alloc_test")
MARGINS = {Clock.ICOUNT: 1.0, Clock.WALL: 5.0}


def samples(costs: Sequence[float], boots: Sequence[float] = (0.99, 1.0, 1.01), **other: Any) -> list[Sample]:
    """Return a sample of each test in each boot, whose error is common to the tests of a boot."""
    return [
        make.sample(cost * error, test=test, boot=boot, **other)
        for test, cost in zip(TESTS, costs, strict=False)
        for boot, error in enumerate(boots)
    ]


def means(*parts: list[Sample]) -> list[GeometricMean]:
    return geomean.means(compare([one for part in parts for one in part], TESTS, MARGINS, 5.0))


def test_a_half_and_a_double_cancel_out() -> None:
    (made,) = means(samples((100, 100, 100)), samples((50, 200, 100), variant="mine"))
    assert made.ratio == pytest.approx(1)
    assert made.change == pytest.approx(0)
    assert (made.tests, made.missing, made.of) == (TESTS, (), 3)
    assert made.interval is not None
    assert made.interval[0] < 1 < made.interval[1]


def test_an_increase_of_cost_is_positive_and_the_mean_is_that_of_the_ratios_shown() -> None:
    compared = compare([*samples((100, 100, 100)), *samples((110, 130, 400), variant="mine")], TESTS, MARGINS, 5.0)
    (made,) = geomean.means(compared)
    assert made.ratio == pytest.approx((1.1 * 1.3 * 4) ** (1 / 3))
    assert made.ratio == pytest.approx(math.prod(one.ratio or 0 for one in compared) ** (1 / 3))
    assert made.changes is not None
    assert 0 < made.changes[0] < made.change < made.changes[1]


def test_a_missing_test_is_named_and_the_mean_is_of_the_others() -> None:
    mine = [one for one in samples((50, 50, 50), variant="mine") if one.test != TESTS[1]]
    whole, part = means(samples((100, 100, 100)), samples((50, 50, 50), variant="all"), mine)
    assert (whole.variant, whole.missing) == ("all", ())
    assert (part.variant, part.tests, part.missing, part.of) == ("mine", (TESTS[0], TESTS[2]), (TESTS[1],), 3)
    assert part.ratio == pytest.approx(0.5)


def test_without_two_tests_there_is_no_mean() -> None:
    assert means(samples((100,)), samples((50,), variant="mine")) == []
    assert means(samples((100, 100, 100))) == []
    assert means(samples((0, 0, 0)), samples((50, 50, 50), variant="mine")) == []
    assert geomean.means([]) == []


def test_machines_profiles_and_clocks_are_not_mixed() -> None:
    places: list[dict[str, Any]] = [{}, {"machine": "aarch64"}, {"profile": "debug"}, {"clock": Clock.WALL}]
    made = means(*(samples((100, 100), **at) + samples((50, 50), variant="mine", **at) for at in places))
    assert len({(mean.machine, mean.profile, mean.clock) for mean in made}) == len(made) == 4


def test_units_are_not_mixed() -> None:
    other = [make.sample(100, test=TESTS[2], unit=SPACE, boot=boot) for boot in range(3)]
    (mean,) = means(samples((100, 100)), samples((50, 50), variant="mine"), other)
    assert mean.tests == TESTS[:2]
    assert mean.missing == (), "a test of another unit is not missing"


def test_one_boot_gives_a_mean_without_an_interval() -> None:
    (made,) = means(samples((100, 100, 100), [1.0]), samples((50, 200, 400), [1.0], variant="mine"))
    assert made.ratio == pytest.approx(4 ** (1 / 3))
    assert made.interval is None


def test_figures_that_repeat_have_an_interval_of_no_width() -> None:
    (made,) = means(samples((100, 100, 100), [1.0] * 3), samples((200, 200, 200), [1.0] * 3, variant="mine"))
    assert made.ratio == pytest.approx(2)
    assert made.interval == (made.ratio, made.ratio)


def test_errors_that_cancel_out_within_each_boot_still_have_an_interval() -> None:
    """The boots' own means are all the same, and only medians vary."""
    swing = [
        make.sample(100 * error, test=test, boot=b) for b in range(3) for test, error in zip(TESTS, (2.0**b, 0.5**b), strict=False)
    ]
    steady = [make.sample(100, test=test, boot=b, variant="mine") for b in range(3) for test in TESTS[:2]]
    (made,) = means(swing, steady)
    assert made.interval is not None
    assert made.interval[0] <= 1 <= made.interval[1]


def test_boots_are_joined_by_their_number() -> None:
    """A boot that lost one test is no observation of the mean; its neighbours are not taken for it."""
    stock = samples((100, 100, 100), (1.0, 2.0, 1.0, 1.0))
    lost = [one for one in stock if (one.test, one.boot) != (TESTS[0], 1)]
    (made,) = means(lost, samples((100, 100, 100), [1.0] * 4, variant="mine"))
    assert made.interval == pytest.approx((1, 1)), "boot 1 swings, and is left out of all tests"
    few = [one for one in stock if one.boot in (TESTS.index(one.test), 3)]
    (alone,) = means(few, samples((100, 100, 100), variant="mine"))
    assert alone.interval is None, "the tests have one boot in common"


def test_summaries_without_numbers_have_boots_in_their_order() -> None:
    (made,) = geomean.means([content.comparison(test=test) for test in TESTS])
    assert made.ratio == pytest.approx(0.5)
    assert made.interval is not None
    assert made.interval[0] < 0.5 < made.interval[1]


@pytest.mark.parametrize("common", [0.0, 1.0], ids=["errors of each test", "errors common to a boot"])
def test_the_interval_holds_the_truth(common: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(estimate, "RESAMPLES", 499)
    random, held, times = np.random.default_rng(5), 0, 200
    for _ in range(times):
        sides = []
        for variant in ("stock", "mine"):
            errors = common * random.standard_normal((3, 1)) + (1 - common) * random.standard_normal((3, len(TESTS)))
            sides.append(
                [
                    make.sample(1000 * math.exp(0.03 * errors[boot, number]), test=test, boot=boot, variant=variant)
                    for boot in range(3)
                    for number, test in enumerate(TESTS)
                ]
            )
        by = {(cell[2], cell[4]): side for cell, side in summarise([*sides[0], *sides[1]], TESTS).items()}
        compared = [
            content.comparison(test=test, ratio=1.0, baseline=by["stock", test], measured=by["mine", test]) for test in TESTS
        ]
        (made,) = geomean.means(compared)
        assert made.interval is not None
        held += made.interval[0] <= 1 <= made.interval[1]
    assert held / times >= 0.93
