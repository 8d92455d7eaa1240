# SPDX-License-Identifier: GPL-2.0-only
"""Searches the patch from which on a series fails, also where the failure shows in some boots only."""

from __future__ import annotations

import math
from collections.abc import Generator

import msgspec

from harness.model.bisection import Question, Tried

FIRST = 3
"""boots of the whole series, to learn how often it fails"""
MOST = 10
"""boots of the whole series without a failure after which there is nothing to search"""
CHANCE = 0.02
"""chance that a prefix which fails as often as the whole series passes all of its boots, and counts as good"""


class Tally(msgspec.Struct, frozen=True):
    """The results of a prefix in its boots."""

    prefix: int
    tried: int = 0
    failed: int = 0
    what: str = ""
    """its first failure, or the reason for which it cannot be judged"""
    causes: tuple[str, ...] = ()
    """fingerprints of all that it showed"""
    skipped: bool = False
    """True if it does not build or boot"""

    def add(self, one: Tried) -> Tally:
        """Return the tally with one more boot."""
        failed = one.showed != "passed"
        return msgspec.structs.replace(
            self,
            tried=self.tried + 1,
            failed=self.failed + failed,
            what=self.what or one.what,
            causes=tuple(dict.fromkeys((*self.causes, *one.causes))),
        )


class FirstFailure(msgspec.Struct, frozen=True):
    """The result of a search on one machine."""

    whole: Tally
    good: tuple[Tally, ...] = ()
    """prefixes that passed, the shortest first"""
    bad: tuple[Tally, ...] = ()
    """prefixes that failed, the shortest first: the first of them ends in the patch, if nothing between was skipped"""
    skipped: tuple[Tally, ...] = ()
    obstacle: str = ""
    """reason for which nothing was searched; empty if a patch was found"""

    @property
    def found(self) -> bool:
        """True if it has a patch, or a few of which it is one."""
        return not self.obstacle

    @property
    def patches(self) -> range:
        """The numbers of the patches of which one is to blame, from 1: one, unless those between were skipped."""
        return range(self.good[-1].prefix + 1, self.bad[0].prefix + 1) if self.found else range(0)

    @property
    def unjudged(self) -> tuple[Tally, ...]:
        """The skipped prefixes for which the patch to blame is not told from its neighbours."""
        return tuple(of for of in self.skipped if of.prefix in self.patches)

    @property
    def chance(self) -> float:
        """Chance, at most, that one of the prefixes that passed is bad as well, if it fails as often as the whole series."""
        return min(1.0, sum((1 - rate(self.whole)) ** of.tried for of in self.good))


Search = Generator[Question, Tried, FirstFailure]


def rate(whole: Tally) -> float:
    """Return how often a prefix fails at least, as the whole series tells: with one more boot that would have passed."""
    return whole.failed / (whole.tried + 1)


def needed(whole: Tally) -> int:
    """Return in how many boots a prefix has to pass, for a chance of CHANCE that it is bad all the same."""
    return max(1, math.ceil(math.log(CHANCE) / math.log(1 - rate(whole))))


def search(count: int, tries: int = 0) -> Search:
    """Search a series of `count` patches; `tries` says in how many boots a prefix has to pass, 0 that the whole series tells.

    Both ends are proven first. A prefix is bad as soon as it fails once. One that does not build is skipped; so is one that
    does not boot, unless that is how the whole series fails.
    """
    whole, of_boot = yield from _whole(count, tries)
    if whole.skipped or not whole.failed:
        return FirstFailure(whole, obstacle=_not_bad(whole))
    most = tries or needed(whole)
    stock = yield from _judged(0, most, of_boot)
    if stock.skipped or stock.failed:
        word = "cannot be judged" if stock.skipped else "fails too"
        return FirstFailure(whole, obstacle=f"stock {word} ({stock.what}), so that no patch can be found to be the first bad one")
    good, bad, skipped = [stock], [whole], list[Tally]()
    while (middle := between(good[-1].prefix, bad[0].prefix, {of.prefix for of in skipped})) is not None:
        judged = yield from _judged(middle, most, of_boot)
        if judged.skipped:
            skipped.append(judged)
        elif judged.failed:
            bad.insert(0, judged)
        else:
            good.append(judged)
    return FirstFailure(whole, tuple(good), tuple(bad), tuple(skipped))


def between(low: int, high: int, skipped: set[int]) -> int | None:
    """Return the number nearest to the middle of two prefixes that is not skipped; None if there is none."""
    left = [number for number in range(low + 1, high) if number not in skipped]
    return min(left, key=lambda number: (abs(2 * number - low - high), number), default=None)


def _whole(count: int, tries: int) -> Generator[Question, Tried, tuple[Tally, bool]]:
    """Return what the whole series showed, and whether it is its boot that fails."""
    whole, boots = Tally(count), True
    least, most = (1, tries) if tries else (FIRST, MOST)
    while whole.tried < most and (whole.tried < least or not whole.failed):
        one = yield Question(count)
        if one.showed == "no build":
            return _left_out(whole, one), False
        boots = boots and one.showed != "failed"
        whole = whole.add(one)
    return whole, boots and bool(whole.failed)


def _judged(prefix: int, most: int, of_boot: bool) -> Generator[Question, Tried, Tally]:
    tally = Tally(prefix)
    while tally.tried < most and not tally.failed:
        one = yield Question(prefix)
        if one.showed == "no build" or (one.showed == "no boot" and not of_boot):
            return _left_out(tally, one)
        tally = tally.add(one)
    return tally


def _left_out(tally: Tally, one: Tried) -> Tally:
    return msgspec.structs.replace(tally, what=one.what, causes=one.causes, skipped=True)


def _not_bad(whole: Tally) -> str:
    if whole.skipped:
        return f"the whole series cannot be judged ({whole.what})"
    boots = "the one boot" if whole.tried == 1 else f"all {whole.tried} boots"
    return f"the whole series passes in {boots}, so that there is no failure to search"
