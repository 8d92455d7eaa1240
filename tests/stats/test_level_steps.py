# SPDX-License-Identifier: GPL-2.0-only
"""Steps in series that are made up: where they are, and that noise has none."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import pytest

from harness.model.clock import Clock
from harness.stats.compare import Summary
from harness.stats.level_steps import FEWEST, MOST, places, steps
from harness.stats.trend import Figure, Trend, TrendSubject

SEEDS = 200
Noise = Callable[[np.random.Generator, int], "np.ndarray[tuple[int], np.dtype[np.float64]]"]
NOISES: dict[str, Noise] = {
    "normal": lambda rng, count: rng.normal(size=count),
    "Laplace": lambda rng, count: rng.laplace(size=count),
    "log-normal": lambda rng, count: np.exp(rng.normal(size=count)),
    "outliers": lambda rng, count: rng.normal(size=count) + 10 * (rng.random(count) < 0.1),
}


def noisy(levels: Sequence[float], seed: int, *, noise: str = "normal", deviation: float = 1.0) -> tuple[float, ...]:
    return tuple(np.asarray(levels) + deviation * NOISES[noise](np.random.default_rng(seed), len(levels)))


def trend(medians: Sequence[float], days: Sequence[int] = ()) -> Trend:
    """Return a trend of runs of one boot each, on these days of January."""
    of = TrendSubject("x86_64", Clock.ICOUNT, "4.18", "quick", 1.0, "le_fit_alloc_test", "mine", "perf", "instructions/op")
    names = [f"202601{day:02}-030405-abcd" for day in days or range(1, len(medians) + 1)]
    figures = (Figure(name, name, Summary(((value,),), of.unit)) for name, value in zip(names, medians, strict=True))
    return Trend(of, tuple(figures))


@pytest.mark.parametrize("count", [6, 15, 30])
@pytest.mark.parametrize("noise", NOISES)
def test_noise_has_hardly_ever_a_step(count: int, noise: str) -> None:
    alarms = sum(bool(places(noisy([100.0] * count, seed, noise=noise))) for seed in range(SEEDS))
    assert alarms <= 2, "1 % of them"


@pytest.mark.parametrize(("before", "after"), [(5, 5), (15, 5), (5, 15), (20, 20)])
def test_one_step_is_found_at_its_place(before: int, after: int) -> None:
    levels = [100.0] * before + [110.0] * after
    found = [places(noisy(levels, seed)) for seed in range(20)]
    assert sum(found_in == (before,) for found_in in found) >= 18
    assert all(len(found_in) <= 1 for found_in in found)


def test_two_steps_are_found_where_the_level_comes_back_and_where_it_does_not() -> None:
    for last in (100.0, 120.0):
        levels = [100.0] * 10 + [110.0] * 10 + [last] * 10
        assert sum(places(noisy(levels, seed)) == (10, 20) for seed in range(20)) >= 18


@pytest.mark.parametrize("levels", [(3, 3), (4, 4, 4), (10, 3), (3, 10), (15, 3, 15), (6, 6, 6, 6)])
def test_figures_that_repeat_exactly_need_no_more_than_three_runs(levels: Sequence[int]) -> None:
    medians = [value for number, count in enumerate(levels) for value in [2870.0 if number % 2 else 2861.0] * count]
    assert places(tuple(medians)) == tuple(np.cumsum(levels)[:-1]), "0.3 % more instructions"


def test_figures_that_repeat_to_the_fourth_digit_do_as_well() -> None:
    assert places((2861.1, 2860.5, 2860.9, 2869.6, 2869.5, 2870.0)) == (3,)


@pytest.mark.parametrize(
    "medians",
    [
        (2861.0,) * 20,
        (0.0,) * 20,
        (2861.0,) * 9 + (2900.0,) + (2861.0,) * 9,
        (2861.0,) * 20 + (2900.0,) * 2,
        (2861.0,) * 10 + (2863.0,) * 10,
        (2861.0, 2870.0) * 10,
    ],
    ids=["steady", "nothing", "one night", "two nights", "less than 0.2 %", "to and fro"],
)
def test_this_is_no_step(medians: tuple[float, ...]) -> None:
    assert places(medians) == ()


@pytest.mark.parametrize("count", range(FEWEST))
def test_too_few_runs_have_no_step(count: int) -> None:
    assert steps(trend([100.0 if number < count / 2 else 200.0 for number in range(max(count, 1))])) == []


def test_a_step_names_the_runs_around_it_also_where_runs_between_have_no_figure() -> None:
    days = (1, 2, 3, 5, 9, 10, 11, 12, 15)
    (step,) = steps(trend([500.0, 501.0, 500.0, 500.0, 600.0, 600.0, 601.0, 600.0, 600.0], days))
    assert (step.last.run, step.first.run) == ("20260105-030405-abcd", "20260109-030405-abcd")
    assert (step.at, step.before, step.after, step.runs) == (4, 500.0, 600.0, (4, 5))
    assert step.change == pytest.approx(20.0), "a plus costs more"
    (back,) = steps(trend([600.0] * 4 + [300.0] * 4))
    assert back.change == pytest.approx(-50.0)


def test_a_step_from_nothing_has_no_share() -> None:
    (step,) = steps(trend([0.0] * 5 + [3.0] * 5))
    assert math.isinf(step.change)


def test_of_a_long_history_the_newest_runs_are_searched() -> None:
    medians = [100.0] * 5 + [200.0] * 20 + [300.0] * (MOST - 10)
    (step,) = steps(trend(medians, range(len(medians))))
    assert step.at == 25
