# SPDX-License-Identifier: GPL-2.0-only
"""What the rounds of a soak do: every test, in an order of its own, for a time of its own, from a seed of its own."""

from __future__ import annotations

import random
from collections.abc import Collection, Sequence

from harness.model.catalog import SuiteTest
from harness.model.clock import Clock
from harness.suite.plan import Step

SHARES = (0.25, 1.0)
"""the least and the most of its operations that a test does"""


def fit(tests: Sequence[SuiteTest]) -> tuple[SuiteTest, ...]:
    """Return the tests that a soak can have: of the kind stress, and content with the one VM that lives long."""
    return tuple(t for t in tests if t.stress and t.clock is Clock.WALL and not t.threads and not t.memory)


def steps(seed: int, cell: str, number: int, tests: Sequence[SuiteTest], known: Collection[str] = ()) -> tuple[Step, ...]:
    """Return round `number` of a cell in a soak with `seed`; the same arguments have the same round.

    The tests `known` to show a bug come first in round 0, and are done there as they are outside of a soak: what they have
    to show they show, and a VM that they end was not yet of use. Of the others, kmemleak forgets before the first what
    was left behind earlier, and looks after the last for what they left: its scans take longer than the tests.
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
