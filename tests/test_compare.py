# SPDX-License-Identifier: GPL-2.0-only
"""Comparing what was measured, and the exit code that follows."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.compare import Comparison, compare, summarise
from harness.matrix import Clock
from harness.outcome import ExitCode, Outcome, exit_code
from harness.records import Finding, Result
from tests import make

TEST = "le_fit_alloc_test"


def pair(stock: float, patched: float, threshold: float = 5.0) -> Comparison:
    (made,) = compare([make.sample(stock), make.sample(patched, variant="mine")], threshold, [TEST])
    return made


@pytest.mark.parametrize(
    ("patched", "change", "verdict"),
    [
        (50.0, 50.0, "better"),
        (94.9, 5.1, "better"),
        (95.0, 5.0, "close"),
        (100.0, 0.0, "close"),
        (105.0, -5.0, "close"),
        (105.1, -5.1, "worse"),
        (300.0, -200.0, "worse"),
    ],
)
def test_positive_is_cheaper_than_stock(patched: float, change: float, verdict: str) -> None:
    made = pair(100.0, patched)
    assert made.change == pytest.approx(change)
    assert made.verdict == verdict


def test_the_threshold_is_the_callers() -> None:
    assert pair(100.0, 101.0, threshold=0.0).verdict == "worse"
    assert pair(100.0, 100.0, threshold=0.0).verdict == "close"
    assert pair(100.0, 120.0, threshold=50.0).verdict == "close"


def test_the_median_is_compared_and_the_spread_is_half_the_range() -> None:
    side = summarise([90.0, 100.0, 1000.0, 95.0, 105.0], "ns/op")
    assert (side.count, side.median, side.low, side.high, side.unit) == (5, 100.0, 90.0, 1000.0, "ns/op")
    assert side.spread == pytest.approx(455.0)
    assert summarise([7.0], "ns/op").spread == 0.0
    assert summarise([0.0, 0.0], "ns/op").spread == 0.0


@pytest.mark.parametrize("variant", ["stock", "mine"])
def test_one_side_alone_is_shown_as_not_compared(variant: str) -> None:
    (made,) = compare([make.sample(variant=variant)], 5.0, [TEST])
    assert made.change is None
    assert made.verdict == "not compared"
    assert (made.stock is None) is (variant == "mine")
    assert (made.patched is None) is (variant == "stock")


def test_nothing_is_compared_with_nothing() -> None:
    assert pair(0.0, 100.0).verdict == "not compared"
    assert compare([], 5.0, [TEST]) == []


def test_like_is_compared_with_like() -> None:
    samples = [
        make.sample(clock=clock, machine=machine, profile=profile, variant=variant, value=float(number))
        for number, (clock, machine, profile) in enumerate(
            [
                (Clock.ICOUNT, "x86_64", "perf"),
                (Clock.WALL, "x86_64", "perf"),
                (Clock.WALL, "aarch64", "perf"),
                (Clock.WALL, "x86_64", "debug"),
            ],
            1,
        )
        for variant in ("stock", "mine", "mine@1")
    ]
    made = compare(samples, 5.0, [TEST])
    assert len(made) == 8
    assert all(c.change == 0.0 for c in made)
    assert {c.variant for c in made} == {"mine", "mine@1"}
    assert [c.machine for c in made] == sorted(c.machine for c in made)


def test_only_the_given_tests_are_compared_in_their_order() -> None:
    samples = [make.sample(test=test, variant=v) for test in ("c", "a", "b") for v in ("stock", "mine")]
    assert [c.test for c in compare(samples, 5.0, ["b", "c"])] == ["b", "c"]


ERROR = make.result("error")
WORSE, BETTER = pair(100.0, 200.0), pair(100.0, 50.0)


@pytest.mark.parametrize(
    ("comparisons", "findings", "results", "code"),
    [
        ([], [], [make.result()], ExitCode.GOOD),
        ([BETTER], [make.finding(expected="known")], [make.result("xfailed"), make.result("skipped")], ExitCode.GOOD),
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
