# SPDX-License-Identifier: GPL-2.0-only
"""The search of the first bad patch: both ends, steady and rare failures, prefixes that do not build or boot."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Callable

import pytest

from harness.model.bisection import Question, Showed, Tried
from harness.stats import first_failure
from harness.stats.first_failure import CHANCE, FIRST, MOST, FirstFailure, Tally, needed, rate

World = Callable[[int], Showed]
"""tells what a prefix shows in its next boot"""


def searched(count: int, world: World, tries: int = 0) -> tuple[FirstFailure, Counter[int]]:
    """Return the result of a search, and in how many boots each prefix was tried."""
    asked: Counter[int] = Counter()
    search = first_failure.search(count, tries)
    question = next(search)
    while True:
        assert question == Question(question.prefix, 1), "a boot at a time"
        asked[question.prefix] += 1
        showed = world(question.prefix)
        cause = (f"cause {question.prefix}",) if showed == "failed" else ()
        try:
            question = search.send(Tried("m", question.prefix, showed, what=f"{showed} {question.prefix}", causes=cause))
        except StopIteration as end:
            return end.value, asked


def from_patch(culprit: int, *, word: Showed = "failed") -> World:
    return lambda prefix: word if prefix >= culprit else "passed"


@pytest.mark.parametrize("count", [1, 2, 3, 6, 7, 16, 33])
def test_each_patch_can_be_found_with_log2_prefixes(count: int) -> None:
    for culprit in range(1, count + 1):
        found, asked = searched(count, from_patch(culprit))
        assert found.patches == range(culprit, culprit + 1)
        assert found.found
        assert len(asked.keys() - {0, count}) <= math.ceil(math.log2(count))
        assert found.bad[0].what == f"failed {culprit}"


def test_a_steady_failure_takes_three_boots_of_what_is_good_and_one_of_what_is_bad() -> None:
    found, asked = searched(6, from_patch(5))
    assert asked == {6: FIRST, 0: 3, 3: 3, 4: 3, 5: 1}
    assert (found.bad[0].failed, found.bad[0].tried) == (1, 1)
    assert found.chance == pytest.approx(3 * 0.25**3)


def test_a_series_that_passes_has_nothing_to_search() -> None:
    found, asked = searched(6, lambda _: "passed")
    assert not found.found
    assert found.obstacle == f"the whole series passes in all {MOST} boots, so that there is no failure to search"
    assert asked == {6: MOST}
    assert not found.patches


def test_a_stock_that_fails_too_blames_no_patch() -> None:
    found, asked = searched(6, lambda _: "failed")
    assert "stock fails too (failed 0)" in found.obstacle
    assert asked == {6: FIRST, 0: 1}


@pytest.mark.parametrize("word", ["no build", "no boot"])
def test_a_stock_that_cannot_be_tested_proves_nothing(word: Showed) -> None:
    found, _ = searched(4, lambda prefix: {0: word, 4: "failed"}[prefix])
    assert f"stock cannot be judged ({word} 0)" in found.obstacle


def test_a_series_that_does_not_build_proves_nothing() -> None:
    found, asked = searched(4, from_patch(4, word="no build"))
    assert found.obstacle == "the whole series cannot be judged (no build 4)"
    assert asked == {4: 1}


@pytest.mark.parametrize("word", ["no build", "no boot"])
def test_a_prefix_that_cannot_be_tested_is_skipped(word: Showed) -> None:
    def world(prefix: int) -> Showed:
        return word if prefix == 4 else from_patch(7)(prefix)

    found, asked = searched(8, world)
    assert found.patches == range(7, 8)
    assert [of.prefix for of in found.skipped] == [4]
    assert not found.unjudged, "it is not next to the patch"
    assert asked[4] == 1


def test_patches_that_skipped_prefixes_hide_are_all_named() -> None:
    def world(prefix: int) -> Showed:
        return "no build" if prefix in (4, 5) else from_patch(5)(prefix)

    found, _ = searched(8, world)
    assert found.patches == range(4, 7), "3 passes and 6 fails: 4, 5 or 6"
    assert [of.prefix for of in found.unjudged] == [4, 5]


def test_all_prefixes_may_be_skipped() -> None:
    shown: dict[int, Showed] = {0: "passed", 4: "failed"}
    found, _ = searched(4, lambda prefix: shown.get(prefix, "no build"))
    assert found.found
    assert found.patches == range(1, 5)


def test_a_boot_that_fails_is_searched_if_that_is_how_the_series_fails() -> None:
    found, asked = searched(6, from_patch(2, word="no boot"))
    assert found.patches == range(2, 3)
    assert not found.skipped
    assert asked[2] == 1


def test_a_boot_that_fails_is_no_answer_if_the_series_fails_in_its_test() -> None:
    def world(prefix: int) -> Showed:
        return "no boot" if prefix in (2, 3) else from_patch(5)(prefix)

    found, _ = searched(6, world)
    assert found.patches == range(5, 6)
    assert [of.prefix for of in found.skipped] == [3, 2], "the middle, then what is next to it"


def test_a_prefix_is_bad_if_it_ever_fails() -> None:
    """The failure shows in every third boot of a prefix that has it."""
    boots: Counter[int] = Counter()

    def world(prefix: int) -> Showed:
        boots[prefix] += 1
        return "failed" if prefix >= 3 and boots[prefix] % 3 == 0 else "passed"

    found, asked = searched(6, world)
    assert found.patches == range(3, 4)
    assert (found.whole.failed, found.whole.tried) == (1, 3)
    assert asked[3] == 3
    assert (found.bad[0].failed, found.bad[0].tried) == (1, 3)
    assert asked[0] == asked[2] == 14, "a chance of 2 % at a rate of one in four"


@pytest.mark.parametrize("share", [1.0, 0.5, 0.25])
def test_rare_failures_are_found_as_often_as_promised(share: float) -> None:
    """Of many searches of a failure that shows in a share of the boots, those that prove both ends name the patch."""
    dice, named, wrong, most = random.Random(1), 0, 0, 0.0
    for _ in range(200):
        found, _ = searched(8, lambda prefix: "failed" if prefix >= 6 and dice.random() < share else "passed")
        if found.found:
            named += 1
            wrong += found.patches != range(6, 7)
            most += found.chance
    assert named >= 180
    # The rate itself is an estimate, of three boots at least: it may be too high.
    assert wrong / named <= (0.0 if share == 1 else 0.12)
    assert 0.005 < most / named < 5 * CHANCE


def test_a_failure_that_comes_and_goes_names_a_patch_that_brings_it() -> None:
    """Patches 2 and 6 bring it, and 4 takes it back: one of the two is found, as both its ends show."""
    bad = {2, 3, 6, 7, 8}
    found, _ = searched(8, lambda prefix: "failed" if prefix in bad else "passed")
    (number,) = found.patches
    assert number in bad
    assert number - 1 not in bad


def test_the_user_may_say_how_often_a_prefix_has_to_pass() -> None:
    found, asked = searched(6, from_patch(5), tries=1)
    assert asked == {6: 1, 0: 1, 3: 1, 4: 1, 5: 1}
    assert found.patches == range(5, 6)
    found, asked = searched(6, lambda _: "passed", tries=1)
    assert asked == {6: 1}
    assert "passes in the one boot" in found.obstacle


def test_more_causes_of_the_whole_series_are_kept() -> None:
    tally = Tally(1)
    for cause in ("a", "b", "a"):
        tally = tally.add(Tried("m", 1, "failed", what=cause, causes=(cause,)))
    assert (tally.causes, tally.what, tally.failed) == (("a", "b"), "a", 3)


@pytest.mark.parametrize(("failed", "tried", "boots"), [(3, 3, 3), (2, 3, 6), (1, 3, 14), (1, 10, 42), (1, 1, 6)])
def test_how_often_a_good_prefix_has_to_pass(failed: int, tried: int, boots: int) -> None:
    tally = Tally(8, tried, failed)
    assert needed(tally) == boots
    assert (1 - rate(tally)) ** boots <= CHANCE < (1 - rate(tally)) ** (boots - 1)
