# SPDX-License-Identifier: GPL-2.0-only
"""The tests within a foreign module, counted by load, and on a terminal."""

from __future__ import annotations

from typing import Any

from harness.model.records import Within
from harness.report import within as words
from harness.stats import within
from harness.stats.within import Tally
from tests.support import content, make
from tests.support.screen import on_terminal


def one(outcome: str = "passed", test: str = "a", **other: Any) -> Within:
    """Return how a test within the module `mine` went in a load."""
    return make.within(outcome, test=f"mine/{test}", **other)


def loads(count: int, **other: Any) -> list[Any]:
    """Return the results of so many loads, each in a boot of its own."""
    return [make.result(test="mine", boot=boot, **other) for boot in range(count)]


def counted(found: list[Within], results: list[Any]) -> list[tuple[str, str, int, int, int, int]]:
    return [(of.test, of.variant, of.passed, of.failed, of.skipped, of.missing) for of in within.tallies(found, results)]


def test_each_load_counts_once() -> None:
    found = [one(), one(boot=1), one("failed", boot=2), one("skipped", "b"), one("failed", "b", boot=1, round=1)]
    results = [*loads(3), make.result(test="mine", boot=1, round=1)]
    assert counted(found, results) == [("mine/a", "stock", 2, 1, 0, 1), ("mine/b", "stock", 0, 1, 1, 2)]


def test_the_worst_of_its_workers_counts() -> None:
    assert counted([one("failed"), one()], loads(1)) == [("mine/a", "stock", 0, 1, 0, 0)]
    assert counted([one("skipped"), one()], loads(1)) == [("mine/a", "stock", 1, 0, 0, 0)]


def test_a_kernel_that_did_not_get_there_has_not_run_it() -> None:
    results = [*loads(1), *loads(2, variant="mine", outcome="failed"), make.result(test="boot")]
    assert counted([one()], results) == [("mine/a", "stock", 1, 0, 0, 0), ("mine/a", "mine", 0, 0, 0, 2)]


def test_a_run_of_the_rigs_own_module_has_none() -> None:
    assert within.tallies([], loads(2)) == []
    assert on_terminal(words.shown([])).strip() == ""


def test_a_terminal_shows_what_did_not_pass_and_counts_the_rest() -> None:
    found = [one(), one(test="b"), one(variant="mine"), one("failed", "b", variant="mine")]
    seen = on_terminal(words.shown(within.tallies(found, [*loads(1), *loads(1, variant="mine")])))
    assert "2 tests within the module: 1 passed in each load of each kernel." in seen
    assert "mine/a" not in seen
    rows = [line.split() for line in seen.splitlines() if "mine/b" in line]
    assert rows == [
        ["mine/b", "x86_64,", "perf", "stock", "1", "-", "-", "-"],
        ["mine/b", "x86_64,", "perf", "mine", "-", "1", "-", "-"],
    ]


def test_a_guest_does_not_steer_the_terminal() -> None:
    seen = on_terminal(words.shown([Tally("x86_64", "perf", "stock", content.EVIL, 0, 1, 0, 0)]))
    assert "[31mred" in seen
    assert "\x1b[31mred" not in seen
    assert "\x07" not in seen
