# SPDX-License-Identifier: GPL-2.0-only
"""Comparing what was measured, and the exit code that follows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

from harness.model.clock import Clock
from harness.model.records import SPACE, Finding, Result, Sample
from harness.stats.compare import Comparison, Summary, across, compare, stepwise
from harness.stats.outcome import ExitCode, Outcome, exit_code
from tests.support import make

TEST = "le_fit_alloc_test"
MARGINS = {Clock.ICOUNT: 1.0, Clock.WALL: 5.0}
STEADY = (0.9999, 1.0, 1.0001)
"""what an undisturbed boot's figure is times"""


def boots(cost: float, factors: Sequence[float] = STEADY, **other: object) -> list[Sample]:
    """Return a sample of each of several boots, around a cost."""
    return [make.sample(cost * factor, boot=boot, **other) for boot, factor in enumerate(factors)]


def pair(stock: float, patched: float, threshold: float = 5.0, factors: Sequence[float] = STEADY) -> Comparison:
    (made,) = compare([*boots(stock, factors), *boots(patched, factors, variant="mine")], [TEST], MARGINS, threshold)
    return made


@pytest.mark.parametrize(
    ("patched", "change", "verdict", "regression"),
    [
        (500.0, -50.0, "faster", False),
        (989.0, -1.1, "faster", False),
        (991.0, -0.9, "same", False),
        (1000.0, 0.0, "same", False),
        (1009.0, 0.9, "same", False),
        (1011.0, 1.1, "slower", False),
        (1049.0, 4.9, "slower", False),
        (1051.0, 5.1, "slower", True),
        (3000.0, 200.0, "slower", True),
    ],
)
def test_positive_costs_more_than_stock(patched: float, change: float, verdict: str, regression: bool) -> None:
    made = pair(1000.0, patched)
    assert made.change == pytest.approx(change)
    assert (made.verdict, made.regression, made.more) == (verdict, regression, 0)
    assert made.ratio is not None
    assert made.interval is not None
    assert made.ratio == pytest.approx(patched / 1000)
    assert made.interval[0] < made.ratio < made.interval[1]
    assert (made.against, made.margin, made.threshold) == ("stock", 1.0, 5.0)


@pytest.mark.parametrize(("patched", "verdict"), [(1019.0, "same"), (1021.0, "slower"), (981.0, "same"), (979.0, "faster")])
def test_space_has_a_margin_of_its_own(patched: float, verdict: str) -> None:
    samples = [*boots(1000.0, unit=SPACE), *boots(patched, unit=SPACE, variant="mine")]
    (made,) = compare(samples, [TEST], MARGINS, 5.0)
    assert (made.verdict, made.margin) == (verdict, 2.0)
    (wider,) = compare(samples, [TEST], {Clock.ICOUNT: 3.0}, 5.0)
    assert (wider.verdict, wider.margin) == ("same", 3.0)


def test_the_threshold_is_the_callers() -> None:
    assert pair(1000.0, 1020.0, threshold=0.0).regression
    assert not pair(1000.0, 1200.0, threshold=50.0).regression
    assert not pair(1000.0, 1000.0, threshold=0.0).regression


def test_what_cannot_be_told_says_how_many_boots_may_tell() -> None:
    made = pair(1000.0, 1020.0, factors=(0.95, 1.0, 1.05))
    assert made.verdict == "undecided"
    assert 3 < made.more < 999
    assert not made.regression


def test_one_boot_a_side_gives_a_change_without_a_verdict() -> None:
    made = pair(1000.0, 2000.0, factors=(1.0,))
    assert (made.change, made.interval, made.p, made.verdict, made.more) == (100.0, None, None, "undecided", 2)
    assert not made.regression


@pytest.mark.parametrize("factors", [(1.0, 1.0), (0.9999, 1.0001)])
def test_two_boots_a_side_tell_nothing_yet(factors: tuple[float, ...]) -> None:
    for cost in (2000.0, 1000.0):
        made = pair(1000.0, cost, factors=factors)
        assert (made.verdict, made.more, made.regression) == ("undecided", 1, False)


def test_many_samples_of_a_boot_are_one_observation() -> None:
    many = [make.sample(cost, variant=variant, repeat=n) for variant in ("stock", "mine") for n, cost in enumerate([1.0, 2.0] * 50)]
    (made,) = compare(many, [TEST], MARGINS, 5.0)
    assert made.baseline is not None
    assert (made.baseline.boots, made.baseline.count, made.interval) == (1, 100, None)


def test_a_boot_counts_by_its_median_and_outliers_are_kept() -> None:
    samples = [
        make.sample(value, boot=boot, repeat=repeat)
        for boot, values in [(2, (70.0,)), (0, (90.0, 100.0, 1000.0)), (1, (80.0, 60.0))]
        for repeat, value in enumerate(values)
    ]
    (made,) = compare(samples, [TEST], MARGINS, 5.0)
    side = made.baseline
    assert side == Summary(((90.0, 100.0, 1000.0), (80.0, 60.0), (70.0,)), "instructions/op", (0, 1, 2))
    assert (side.boots, side.count, side.medians, side.median) == (3, 6, (100.0, 70.0, 70.0), 70.0)
    assert side.spread == pytest.approx((1000 - 60) / 2 / 70 * 100)


def test_no_spread_in_one_value_or_in_nothing() -> None:
    assert Summary(((7.0,),), "ns/op").spread == 0.0
    assert Summary(((0.0, 0.0),), "ns/op").spread == 0.0


def test_warm_up_is_no_part_of_it() -> None:
    cold = [make.sample(9000.0, boot=boot, repeat=-1, warmup=True) for boot in range(4)]
    (made,) = compare([*cold, *boots(1000.0), *boots(1000.0, variant="mine")], [TEST], MARGINS, 5.0)
    assert made.baseline is not None
    assert made.baseline.values == ((999.9,), (1000.0,), (1000.1,))
    assert compare(cold, [TEST], MARGINS, 5.0) == []


@pytest.mark.parametrize("variant", ["stock", "mine"])
def test_one_side_alone_is_shown_as_not_compared(variant: str) -> None:
    (made,) = compare([make.sample(variant=variant)], [TEST], MARGINS, 5.0)
    assert (made.change, made.verdict, made.more) == (None, "not compared", 0)
    assert (made.baseline is None) is (variant == "mine")
    assert (made.measured is None) is (variant == "stock")
    assert made.variant == ("mine" if variant == "mine" else "")


@pytest.mark.parametrize("costs", [(0.0, 100.0), (100.0, 0.0), (0.0, 0.0)])
def test_nothing_is_compared_with_nothing(costs: tuple[float, float]) -> None:
    made = pair(*costs)
    assert (made.verdict, made.change, made.regression) == ("not compared", None, False)
    assert made.baseline is not None
    assert made.measured is not None


def test_no_samples_make_no_comparison() -> None:
    assert compare([], [TEST], MARGINS, 5.0) == []
    assert across([], boots(1000.0), "before", [TEST], MARGINS, 5.0) == []


def test_like_is_compared_with_like() -> None:
    samples = [
        sample
        for number, (clock, machine, profile) in enumerate(
            [
                (Clock.ICOUNT, "x86_64", "perf"),
                (Clock.WALL, "x86_64", "perf"),
                (Clock.WALL, "aarch64", "perf"),
                (Clock.WALL, "x86_64", "debug"),
            ],
            1,
        )
        for variant in ("mine@1", "stock", "mine")
        for sample in boots(float(number), (1.0, 1.0, 1.0), clock=clock, machine=machine, profile=profile, variant=variant)
    ]
    made = compare(samples, [TEST], MARGINS, 5.0)
    assert [(c.machine, c.profile, c.variant, c.clock) for c in made] == [
        ("aarch64", "perf", "mine@1", Clock.WALL),
        ("aarch64", "perf", "mine", Clock.WALL),
        ("x86_64", "debug", "mine@1", Clock.WALL),
        ("x86_64", "debug", "mine", Clock.WALL),
        ("x86_64", "perf", "mine@1", Clock.ICOUNT),
        ("x86_64", "perf", "mine@1", Clock.WALL),
        ("x86_64", "perf", "mine", Clock.ICOUNT),
        ("x86_64", "perf", "mine", Clock.WALL),
    ]
    assert all((c.change, c.verdict) == (0.0, "same") for c in made)
    assert all(c.margin == MARGINS[c.clock] for c in made)


def test_only_the_given_tests_are_compared_in_their_order() -> None:
    samples = [make.sample(test=test, variant=v) for test in ("c", "a", "b") for v in ("stock", "mine")]
    assert [c.test for c in compare(samples, ["b", "c"], MARGINS, 5.0)] == ["b", "c"]


def test_every_test_of_a_cell_makes_the_others_harder_to_believe() -> None:
    def measured(tests: Sequence[str], clock: Clock = Clock.ICOUNT) -> list[Sample]:
        wide, two = (0.96, 1.0, 1.04), (("stock", 1000.0), ("mine", 1100.0))
        return [s for t in tests for v, cost in two for s in boots(cost, wide, test=t, variant=v, clock=clock)]

    (alone,) = compare(measured("a"), ["a"], MARGINS, 5.0)
    five = compare(measured("abcde"), list("abcde"), MARGINS, 5.0)
    elsewhere = compare([*measured("a"), *measured("bcde", Clock.WALL)], list("abcde"), MARGINS, 5.0)
    assert alone.p is not None
    assert alone.verdict == "slower"
    assert [c.p for c in five] == pytest.approx([5 * alone.p] * 5)
    assert {c.verdict for c in five} == {"undecided"}
    assert 1 < five[0].more < 30, "Holm is why, and more boots are what helps"
    assert elsewhere[0] == alone


def test_what_lacks_a_side_is_no_test_to_correct_for() -> None:
    whole = [*boots(1000.0), *boots(1100.0, variant="mine")]
    (alone,) = compare(whole, [TEST, "b"], MARGINS, 5.0)
    first, second = compare([*whole, *boots(1.0, test="b", variant="mine")], [TEST, "b"], MARGINS, 5.0)
    assert (first, second.verdict) == (alone, "not compared")


def test_two_runs_are_compared_where_both_have_a_cell() -> None:
    before = [*boots(1000.0), *boots(500.0, variant="mine"), *boots(9.0, clock=Clock.WALL), *boots(9.0, machine="gone")]
    after = [*boots(1100.0), *boots(500.0, variant="mine"), *boots(9.0, profile="new"), *boots(9.0, variant="other")]
    made = across(before, after, "20260102-030405-abcd", [TEST], MARGINS, 5.0)
    assert [(c.variant, c.verdict, c.against) for c in made] == [
        ("stock", "slower", "20260102-030405-abcd"),
        ("mine", "same", "20260102-030405-abcd"),
    ]
    stock = made[0]
    assert stock.baseline is not None
    assert stock.measured is not None
    assert (stock.baseline.median, stock.measured.median) == (1000.0, 1100.0)
    assert stock.change == pytest.approx(10.0)
    assert stock.regression


def test_each_patch_is_compared_with_the_one_before() -> None:
    samples = [*boots(1000.0), *boots(1100.0, variant="mine@1"), *boots(1100.0, variant="mine"), *boots(9.0, machine="gone")]
    made = stepwise(samples, {"mine@1": "stock", "mine": "mine@1"}, [TEST], MARGINS, 5.0)
    assert [(c.machine, c.variant, c.against, c.verdict) for c in made] == [
        ("gone", "mine@1", "stock", "not compared"),
        ("x86_64", "mine@1", "stock", "slower"),
        ("x86_64", "mine", "mine@1", "same"),
    ]
    assert [c.regression for c in made] == [False, True, False]


def test_a_comparison_is_the_same_in_whatever_order_its_samples_come() -> None:
    samples = [*boots(1000.0, (0.9, 1.0, 1.1)), *boots(1100.0, (0.9, 1.0, 1.1), variant="mine")]
    assert compare(samples, [TEST], MARGINS, 5.0) == compare(samples[::-1], [TEST], MARGINS, 5.0)


ERROR = make.result("error")
WORSE, BETTER = pair(1000.0, 2000.0), pair(1000.0, 500.0)
SLIGHTLY = pair(1000.0, 1030.0)
UNSURE = msgspec.structs.replace(WORSE, verdict="undecided")


@pytest.mark.parametrize(
    ("comparisons", "findings", "results", "code"),
    [
        ([], [], [make.result()], ExitCode.GOOD),
        ([BETTER], [make.finding(expected="known")], [make.result("xfailed"), make.result("skipped")], ExitCode.GOOD),
        ([SLIGHTLY, UNSURE], [], [], ExitCode.GOOD),
        ([WORSE], [], [], ExitCode.REGRESSION),
        ([WORSE], [make.finding(expected="known")], [], ExitCode.REGRESSION),
        ([WORSE], [make.finding()], [], ExitCode.FINDING),
        ([WORSE], [make.finding()], [ERROR], ExitCode.RIG_FAILED),
        ([], [], [ERROR], ExitCode.RIG_FAILED),
    ],
)
def test_the_worst_decides_the_exit_code(
    comparisons: list[Comparison], findings: list[Finding], results: list[Result], code: int
) -> None:
    provenance = make.provenance(planned=len(results))
    assert exit_code(Outcome(Path("/run"), tuple(comparisons), tuple(findings), tuple(results), provenance)) == code


def test_exit_codes_differ() -> None:
    assert len({ExitCode.GOOD, ExitCode.RIG_FAILED, ExitCode.FINDING, ExitCode.REGRESSION}) == 4
    assert ExitCode.GOOD == 0


def test_a_run_that_is_not_complete_is_not_good() -> None:
    outcome = Outcome(Path("/run"), (), (), (make.result("passed"),), make.provenance(planned=2))
    assert exit_code(outcome) == ExitCode.RIG_FAILED
