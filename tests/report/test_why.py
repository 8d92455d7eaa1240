# SPDX-License-Identifier: GPL-2.0-only
"""Differences by function as they are shown: JSON that programs read, and tables that fit a terminal."""

from __future__ import annotations

import json

import pytest

from harness.report import why as shows
from harness.stats import why
from harness.stats.why import Why
from tests.support.counted import counted, function, line, locked
from tests.support.screen import lines_on_terminal


def example() -> list[Why]:
    before = function("alloc_vmap_area", 120.0, line(400, "addr = ALIGN(x[0], align);", 120.0))
    after = function(
        "alloc_vmap_area",
        164.0,
        line(500, "addr = ALIGN(x[0], align);", 120.0),
        line(77, "while (va)", 44.0, inlined="fit_free_area"),
    )
    stock = counted(before, function("[unknown]", 5.0, file=""), function("test", 9.0, module="vmalloc_test", file="timed.c"))
    mine = counted(
        after, function("next_free_area", 301.125), function("test", 9.0, module="vmalloc_test", file="timed.c"), variant="mine"
    )
    return why.explain([stock, mine])


def test_json_has_every_function_that_differs() -> None:
    place = {"machine": "x86_64", "profile": "perf", "test": "ne_fit_alloc_test", "variant": "mine"}
    assert json.loads(shows.as_json(example())) == [
        {**place, "function": "next_free_area", "file": "mm/vmalloc.c", "stock": 0.0, "value": 301.125, "change": 301.125},
        {**place, "function": "alloc_vmap_area", "file": "mm/vmalloc.c", "stock": 120.0, "value": 164.0, "change": 44.0},
        {**place, "function": "[unknown]", "file": "", "stock": 5.0, "value": 0.0, "change": -5.0},
    ]
    assert list(json.loads(shows.as_json(example()))[0]) == [*place, "function", "file", "stock", "value", "change"]


def test_json_has_the_lines_where_they_are_asked_for() -> None:
    (row,) = json.loads(shows.as_json(example(), lines=True))
    assert row == {
        "machine": "x86_64",
        "profile": "perf",
        "test": "ne_fit_alloc_test",
        "variant": "mine",
        "function": "alloc_vmap_area",
        "file": "mm/vmalloc.c",
        "inlined": "fit_free_area",
        "line_file": "mm/vmalloc.c",
        "line": 77,
        "text": "while (va)",
        "stock": 0.0,
        "value": 44.0,
        "change": 44.0,
    }


def test_json_of_nothing_is_an_empty_array() -> None:
    assert json.loads(shows.as_json([])) == []
    same = counted(function("f", 1.0))
    assert json.loads(shows.as_json(why.explain([same, counted(function("f", 1.0004), variant="mine")]))) == []


def test_the_table_has_functions_the_rest_and_the_sum() -> None:
    rows = lines_on_terminal(shows.tables(example()), width=80)
    assert " ".join(rows[:2]) == (
        "ne_fit_alloc_test, x86_64, mine against stock: +340.1 instructions/op (+253.8 %); by the clock 134.0 and 474.1"
    )
    cells = [row.split() for row in rows]
    assert ["next_free_area", "mm/vmalloc.c", "0.0", "301.1", "+301.1"] in cells
    assert ["alloc_vmap_area", "mm/vmalloc.c", "120.0", "164.0", "+44.0"] in cells
    assert ["in", "it,", "fit_free_area", "+44.0"] in cells
    assert ["[unknown]", "5.0", "0.0", "-5.0"] in cells, "a name in brackets is no markup"
    assert ["1", "others", "9.0", "9.0", "+0.0"] in cells
    assert ["sum", "134.0", "474.1", "+340.1"] in cells


def test_lines_have_their_text() -> None:
    rows = [row.split() for row in lines_on_terminal(shows.tables(example(), lines=True), width=200)]
    assert ["fit_free_area:", "while", "(va)", "vmalloc.c:77", "0.0", "44.0", "+44.0"] in rows
    assert ["fit_free_area", "+44.0"] not in [row[-2:] for row in rows]


@pytest.mark.parametrize("width", [60, 80])
@pytest.mark.parametrize("lines", [False, True])
def test_a_table_fits_the_terminal(width: int, lines: bool) -> None:
    name, file = "__rb_insert_augmented_with_a_long_name", "drivers/gpu/drm/amd/display/dc/dce110/dce110_hw_sequencer.c"
    text = "if (unlikely(!(va->flags & VM_LAZY_FREE) && va->va_end[0] > addr + size)) return ERR_PTR(-EBUSY);"
    stock = counted(function("f", 123456.0))
    mine = counted(function(name, 123456.7, line(12345, text, 9999.0, inlined="helper", file=file), file=file), variant="mine@12")
    rows = lines_on_terminal(shows.tables(why.explain([stock, mine]), lines=lines), width=width)
    assert max(map(len, rows)) <= width
    told = "".join("".join(row.split()) for row in rows)
    assert "+123,456.7" in told


def test_a_sum_that_is_doubted_is_said_below_the_table() -> None:
    found = why.explain([counted(function("f", 100.0)), counted(function("f", 100.0), measured=200.0, variant="mine")])
    assert lines_on_terminal(shows.tables(found), width=200)[-1].startswith(
        "The functions of mine add up to 100.0 instructions/op, but 200.0"
    )


def test_no_more_than_so_many_functions_are_shown() -> None:
    stock = counted(*(function(f"f{number:02}", 100.0) for number in range(30)))
    mine = counted(*(function(f"f{number:02}", 200.0 + number) for number in range(30)), variant="mine")
    (found,) = why.explain([stock, mine])
    shown = shows.shown(found, 5)
    assert [row.function for row in shown.rows] == ["f29", "f28", "f27", "f26", "f25"]
    assert (shown.others.function, shown.largest, shown.id) == ("25 others", 129.0, "why-x86_64-perf-ne_fit_alloc_test-mine")
    assert sum(row.change for row in shown.rows) + shown.others.change == shown.sum.change == found.change


def test_without_a_sum_there_is_no_share() -> None:
    (found,) = why.explain([counted(), counted(function("f", 5.0), variant="mine")])
    assert shows.shown(found).title == "ne_fit_alloc_test, x86_64, mine against stock: +5.0 instructions/op"


def test_the_longest_section_of_each_test_is_that_of_any_function() -> None:
    of = [
        locked("a", 10),
        locked("b", 90),
        locked("c", 90),
        locked("d", 5, variant="mine"),
        locked("e", 1, test="le_fit_alloc_test"),
        locked("f", 9, test="sweep_churn", axis="busy", size=1000),
    ]
    found = [(each.function, each.variant, each.test) for each in shows.longest(of)]
    assert found == [("b", "stock", "ne_fit_alloc_test"), ("d", "mine", "ne_fit_alloc_test"), ("e", "stock", "le_fit_alloc_test")]
    assert shows.longest([]) == []
