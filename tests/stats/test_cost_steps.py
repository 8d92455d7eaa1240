# SPDX-License-Identifier: GPL-2.0-only
"""The search of patches that change a cost: one and several of them, figures that vary, prefixes without a figure."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Mapping, Sequence

import pytest

from harness.model.bisection import Question, Showed, Tried
from harness.model.clock import Clock
from harness.stats import compare, cost_steps
from harness.stats.compare import Comparison, Summary
from harness.stats.cost_steps import MOST_BOOTS, CostSteps

COST = 4000.0


def compared(low: int, before: Summary, high: int, after: Summary) -> Comparison:
    return compare.judged(
        Comparison("m", "perf", Clock.ICOUNT, "le_fit_alloc_test", str(high), str(low), before, after, margin=1.0, threshold=5.0)
    )


def searched(
    changes: Sequence[float], missing: Mapping[int, Showed] | None = None, noise: float = 0.0, boots: int = 3
) -> tuple[CostSteps, Counter[Question]]:
    """Return the result for patches that change the cost by so many per cent, and the questions.

    `missing` are prefixes without a figure; `noise` is the standard deviation of a boot, in per cent.
    """
    asked: Counter[Question] = Counter()
    rng = random.Random(3)
    search = cost_steps.search(len(changes), boots, compared)
    question = next(search)
    while True:
        asked[question] += 1
        cost = COST * math.prod(1 + change / 100 for change in changes[: question.prefix])
        showed = (missing or {}).get(question.prefix, "measured")
        values = tuple((cost * (1 + rng.gauss(0, noise) / 100),) for _ in range(question.boots))
        figures = values if showed == "measured" else ()
        one = Tried("m", question.prefix, showed, question.boots, what="why", values=figures, unit="instructions/op")
        try:
            question = search.send(one)
        except StopIteration as end:
            return end.value, asked


def steps(of: CostSteps) -> list[tuple[int, int, str, float]]:
    return [(s.low, s.high, s.comparison.verdict, round(s.comparison.change or 0, 1)) for s in of.steps]


@pytest.mark.parametrize("count", [1, 2, 6, 16])
@pytest.mark.parametrize("change", [2.0, -3.0])
def test_each_single_step_is_found_with_log2_prefixes(count: int, change: float) -> None:
    for culprit in range(1, count + 1):
        found, asked = searched([change if number == culprit else 0.0 for number in range(1, count + 1)])
        verdict = "slower" if change > 0 else "faster"
        assert steps(found) == [(culprit - 1, culprit, verdict, change)]
        assert found.found
        assert len(asked) - 2 <= math.ceil(math.log2(count))
        assert all(question.boots == 3 and times == 1 for question, times in asked.items())


def test_every_step_beyond_the_margin_is_told() -> None:
    found, _ = searched([0.3, 2.0, 0.0, 0.0, 4.0, -2.5, 0.1, 0.0])
    assert steps(found) == [(1, 2, "slower", 2.0), (4, 5, "slower", 4.0), (5, 6, "faster", -2.5)]
    assert found.whole is not None
    assert found.whole.change == pytest.approx(3.9, abs=0.1)


def test_changes_that_add_up_are_told_as_a_sum() -> None:
    found, _ = searched([0.0, 0.0, 0.0, 0.0, 0.4, 0.4, 0.4, 0.4])
    (step,) = found.steps
    assert (step.low, step.high, step.spread) == (4, 8, True)
    assert step.comparison.change == pytest.approx(1.6, abs=0.01)
    assert found.found


def test_a_series_that_costs_the_same_has_nothing_to_search() -> None:
    found, asked = searched([0.1, -0.1, 0.3])
    assert not found.found
    assert found.obstacle == "the whole series costs the same as stock, so that there is no step to search"
    assert {question.prefix for question in asked} == {0, 3}


def test_a_step_that_another_takes_back_in_the_same_part_is_missed_as_documented() -> None:
    found, _ = searched([3.0, -3.0, 0.0, 2.0])
    assert steps(found) == [(3, 4, "slower", 2.0)]


@pytest.mark.parametrize(("end", "name"), [(4, "the whole series"), (0, "stock")])
def test_an_end_without_a_figure_proves_nothing(end: int, name: str) -> None:
    found, _ = searched([0.0, 0.0, 2.0, 0.0], {end: "no build"})
    assert found.obstacle == f"{name} has no figure (why)"
    assert not found.steps


@pytest.mark.parametrize("showed", ["no build", "no boot", "failed"])
def test_a_prefix_without_a_figure_is_skipped(showed: Showed) -> None:
    found, asked = searched([0.0, 0.0, 0.0, 0.0, 2.0, 0.0, 0.0, 0.0], {4: showed})
    assert steps(found) == [(3, 5, "slower", 2.0)], "patch 4 or 5: nothing is known between"
    assert [one.prefix for one in found.skipped] == [4]
    assert asked[Question(4, 3)] == 1


def test_a_step_between_prefixes_without_a_figure_names_all_patches() -> None:
    found, _ = searched([0.0, 2.0, 0.0], {1: "no build", 2: "no boot"})
    assert steps(found) == [(0, 3, "slower", 2.0)]
    assert not found.steps[0].spread


def test_what_is_undecided_is_measured_with_more_boots() -> None:
    found, asked = searched([0.0, 2.5], noise=0.8, boots=3)
    assert steps(found)[0][:3] == (1, 2, "slower")
    assert max(question.boots for question in asked) > 3
    assert max(question.boots for question in asked) <= MOST_BOOTS


def test_what_stays_undecided_is_no_step() -> None:
    found, asked = searched([0.0, 1.0, 0.0, 0.0], noise=20.0)
    assert not found.found
    assert found.obstacle.startswith("whether the whole series costs the same as stock is undecided after 20 boots")
    assert {question.prefix for question in asked} == {0, 4}


def test_a_prefix_that_fails_when_it_is_measured_again_does_not_go_on_for_ever() -> None:
    search = cost_steps.search(1, 3, compared)
    rng = random.Random(1)
    question: Question | None = next(search)
    asked: list[Question] = []
    while question is not None and len(asked) < 10:
        asked.append(question)
        values = tuple((COST * (1 + rng.gauss(0, 0.05)),) for _ in range(question.boots))
        showed: Showed = "measured" if question.boots == 3 else "no boot"
        try:
            question = search.send(Tried("m", question.prefix, showed, question.boots, what="why", values=values, unit="x"))
        except StopIteration as end:
            found, question = end.value, None
    assert "undecided after 3 boots" in found.obstacle
    assert len(asked) == 3
