# SPDX-License-Identifier: GPL-2.0-only
"""The rounds of a soak: which tests, in which order, for how long, and where kmemleak looks."""

from __future__ import annotations

import msgspec

from harness.model import catalog
from harness.suite import soak_rounds


def test_each_round_has_every_test_in_an_order_for_a_time_and_from_a_seed_of_its_own() -> None:
    tests = soak_rounds.fit(catalog.suite().tests)
    made = [soak_rounds.steps(7, "a/b/c", number, tests) for number in range(30)]
    names = sorted(test.name for test in tests)
    assert all(sorted(step.name for step in steps) == names for steps in made)
    assert len({tuple(step.name for step in steps) for steps in made}) > 10
    steps = [step for steps in made for step in steps]
    assert len({step.seed for step in steps}) == len(steps)
    assert all(0 < step.seed < 1 << 31 for step in steps)
    low, high = soak_rounds.SHARES
    assert all(low <= step.share <= high for step in steps)
    assert max(step.share for step in steps) - min(step.share for step in steps) > 0.6


def test_a_round_follows_from_seed_cell_and_number() -> None:
    tests = soak_rounds.fit(catalog.suite().tests)
    assert soak_rounds.steps(7, "a/b/c", 3, tests) == soak_rounds.steps(7, "a/b/c", 3, tests)
    others = [
        soak_rounds.steps(8, "a/b/c", 3, tests),
        soak_rounds.steps(7, "a/b/d", 3, tests),
        soak_rounds.steps(7, "a/b/c", 4, tests),
    ]
    assert soak_rounds.steps(7, "a/b/c", 3, tests) not in others


def test_what_is_known_to_show_a_bug_comes_first_and_whole() -> None:
    tests = soak_rounds.fit(catalog.suite().tests)
    first = soak_rounds.steps(7, "a/b/c", 0, tests, {"align_shift_alloc_test"})
    assert (first[0].name, first[0].seed, first[0].share) == ("align_shift_alloc_test", 0, 1.0)
    assert all(step.seed for step in first[1:])
    assert all(step.seed for step in soak_rounds.steps(7, "a/b/c", 1, tests, {"align_shift_alloc_test"}))


def test_kmemleak_looks_once_a_round_but_after_each_test_that_is_known_to_show_something() -> None:
    tests = soak_rounds.fit(catalog.suite().tests)
    later = soak_rounds.steps(7, "a/b/c", 1, tests, {"pcpu_alloc_test"})
    assert [step.clears for step in later] == [True] + [False] * (len(tests) - 1)
    assert [step.scans for step in later] == [False] * (len(tests) - 1) + [True]
    first = soak_rounds.steps(7, "a/b/c", 0, tests, {"pcpu_alloc_test"})
    assert (first[0].clears, first[0].scans, first[1].clears) == (True, True, True)


def test_tests_that_need_a_machine_of_their_own_have_no_part() -> None:
    (usual, *_) = soak_rounds.fit(catalog.suite().tests)
    others = [
        msgspec.structs.replace(usual, threads=32),
        msgspec.structs.replace(usual, clock="icount"),
        msgspec.structs.replace(usual, memory={"perf": 128}),
        msgspec.structs.replace(usual, kind="performance"),
    ]
    assert soak_rounds.fit([*others, usual]) == (usual,)
