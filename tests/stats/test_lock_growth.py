# SPDX-License-Identifier: GPL-2.0-only
"""The longest sections under a lock against size, as values and on a terminal."""

from __future__ import annotations

from harness.report import lock_growth as shown
from harness.stats import lock_growth
from tests.support.counted import locked
from tests.support.screen import on_terminal

CHURN = {"test": "sweep_churn", "axis": "holes"}
FOUND = [
    locked("alloc_vmap_area", 900, size=5000, **CHURN),
    locked("alloc_vmap_area", 300, size=1000, **CHURN),
    locked("free_vmap_area", 450, size=5000, **CHURN),
    locked("alloc_vmap_area", 100, size=1000, variant="mine", **CHURN),
    locked("alloc_vmap_area", 70_000, size=1000, test="sweep_churn", axis="busy"),
    locked("alloc_vmap_area", 80_000),
]


def test_each_size_has_the_longest_section_of_any_function() -> None:
    rows = lock_growth.by_size(FOUND)
    assert [(row.axis, row.variant, list(row.longest.items()), row.spread) for row in rows] == [
        ("holes", "stock", [(1000, 300), (5000, 900)], 3.0),
        ("holes", "mine", [(1000, 100)], 1.0),
        ("busy", "stock", [(1000, 70_000)], 1.0),
    ]


def test_nothing_of_performance_tests() -> None:
    assert lock_growth.by_size([locked("alloc_vmap_area", 80_000)]) == []


def test_a_section_of_no_instructions_has_a_spread() -> None:
    none, some = (locked("f", longest, size=1 + longest, **CHURN) for longest in (0, 7))
    assert lock_growth.by_size([none, some])[0].spread == 7.0


def test_a_terminal_shows_a_table_of_each_axis_and_what_was_not_measured_as_such() -> None:
    told = [line.split() for line in on_terminal(shown.tables(lock_growth.by_size(FOUND)), width=110).splitlines()]
    assert ["sweep_churn", "stock", "300", "900", "3.00"] in told
    assert ["sweep_churn", "mine", "100", "-", "1.00"] in told
    assert ["sweep_churn", "stock", "70,000", "1.00"] in told
