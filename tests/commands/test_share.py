# SPDX-License-Identifier: GPL-2.0-only
"""How much of a suite is done, and how long the rest takes: from the tests that took long, not from their number."""

from __future__ import annotations

import pytest

from harness import text
from harness.commands.share import Share


def ids(boots: int, *tests: str, machine: str = "x86_64") -> list[str]:
    return [f"x.py::test_module[{machine}/stock/perf/icount/{boot}.0/{test}]" for boot in range(boots) for test in tests]


def test_a_long_test_weighs_more() -> None:
    now = 0.0
    tests = ids(4, "long_test", "short_test")
    share = Share(tests, lambda: now)
    assert str(share) == "0 of 4 boots done, 0 %"
    for nodeid, seconds in zip(tests, (90.0, 10.0, 90.0), strict=False):
        share.spent(nodeid, seconds)
        share.ended(nodeid)
    now = 300.0
    assert str(share) == "1 of 4 boots done, 47 %, about 6 min left", "190 of 400 s"


def test_a_test_that_nobody_knows_is_expected_to_take_as_long_as_others() -> None:
    share = Share([*ids(1, "a", "b"), *ids(1, "a", "b", machine="aarch64")], lambda: 0.0)
    for nodeid in ids(1, "a", "b"):
        share.spent(nodeid, 5.0)
        share.ended(nodeid)
        share.ended(nodeid)
    assert str(share) == "1 of 2 boots done, 50 %, about 10 s left"


def test_the_end_and_nothing_have_no_time_left() -> None:
    (nodeid,) = ids(1, "a")
    share = Share([nodeid], lambda: 0.0)
    share.spent(nodeid, 1.0)
    share.ended(nodeid)
    assert str(share) == "1 of 1 boots done, 100 %"
    assert str(Share()) == ""


@pytest.mark.parametrize(
    ("seconds", "said"), [(0, "10 s"), (34, "30 s"), (59, "60 s"), (61, "1 min"), (170, "3 min"), (5399, "90 min"), (9000, "2.5 h")]
)
def test_a_duration_is_said_as_people_say_it(seconds: float, said: str) -> None:
    assert text.duration(seconds) == said
