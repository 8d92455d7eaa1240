# SPDX-License-Identifier: GPL-2.0-only
"""Draws the rounds of a soak: every test once, with the order, the length and the seed drawn anew for each round."""

from __future__ import annotations

import random
from collections.abc import Collection, Sequence

from harness.model.catalog import SuiteTest
from harness.model.clock import Clock
from harness.suite.plan import Step

SHARES = (0.25, 1.0)
"""lowest and highest share of its operations that a test does"""


def fit(tests: Sequence[SuiteTest]) -> tuple[SuiteTest, ...]:
    """Return the tests that a soak can have: stress tests that need no VM of their own."""
    return tuple(t for t in tests if t.stress and t.clock is Clock.WALL and not t.threads and not t.memory)


def steps(seed: int, cell: str, number: int, tests: Sequence[SuiteTest], known: Collection[str] = ()) -> tuple[Step, ...]:
    """Return round `number` of a cell in a soak with `seed`; the same arguments have the same round.

    The tests `known` to show a bug come first in round 0, and run as outside of a soak: they show their bug, and if they end
    the VM little is lost. For the others kmemleak is cleared before the first, and scans after the last, since its scans take
    longer than the tests.
    """
    chance = random.Random(f"{seed} {cell} {number}")  # noqa: S311 - it has to repeat
    first = [test for test in tests if number == 0 and test.name in known]
    others = [test for test in tests if test not in first]
    chance.shuffle(others)
    whole = tuple(Step(test, number) for test in first)
    drawn = tuple(
        Step(
            test,
            number,
            seed=chance.randrange(1, 1 << 31),
            share=round(chance.uniform(*SHARES), 3),
            clears=test is others[0],
            scans=test is others[-1],
        )
        for test in others
    )
    return whole + drawn
