# SPDX-License-Identifier: GPL-2.0-only
"""Two variants compared function by function: what differs, by how much, and whether the sums can be believed."""

from __future__ import annotations

import pytest

from harness.stats import why
from harness.stats.why import Why
from tests.support.counted import counted, function, line


def only(*records: object) -> Why:
    (found,) = why.explain(records)  # type: ignore[arg-type]
    return found


def test_the_largest_difference_comes_first() -> None:
    stock = counted(function("both", 100.0), function("gone", 40.0), function("same", 7.0))
    mine = counted(function("both", 90.0), function("new", 300.0), function("same", 7.0), variant="mine")
    found = only(stock, mine)
    assert [(row.function, row.stock, row.value, row.change) for row in found.rows] == [
        ("new", 0.0, 300.0, 300.0),
        ("gone", 40.0, 0.0, -40.0),
        ("both", 100.0, 90.0, -10.0),
        ("same", 7.0, 7.0, 0.0),
    ]
    assert (found.variant, found.against, found.change) == ("mine", "stock", 250.0)
    assert sum(row.change for row in found.rows) == found.change


def test_a_change_below_a_thousandth_of_stock_is_none_to_show() -> None:
    stock = counted(function("large", 1000.0), function("small", 1000.0))
    mine = counted(function("large", 1002.0), function("small", 998.1), variant="mine")
    assert [row.function for row in only(stock, mine).changed] == ["large"]
    assert [row.function for row in only(mine, stock).rows] == ["large", "small"]


def test_functions_of_one_name_are_told_apart_by_file_and_module() -> None:
    stock = counted(
        function("init", 1.0, file="a.c"), function("init", 2.0, file="b.c"), function("init", 4.0, module="vmalloc_test")
    )
    mine = counted(function("init", 1.0, file="a.c"), function("init", 5.0, file="b.c"), variant="mine")
    found = {(row.file, row.module): row.change for row in only(stock, mine).rows}
    assert found == {("mm/vmalloc.c", "vmalloc_test"): -4.0, ("b.c", ""): 3.0, ("a.c", ""): 0.0}


def test_lines_are_told_apart_by_their_text_since_a_series_moves_them() -> None:
    before = function("f", 30.0, line(10, "a = b;", 20.0), line(11, "old();", 10.0))
    after = function("f", 36.0, line(90, "a = b;", 20.0), line(91, "new();", 12.0), line(95, "inner;", 4.0, inlined="helper"))
    (row,) = only(counted(before), counted(after, variant="mine")).rows
    assert [(of.inlined, of.line, of.text, of.stock, of.value, of.change) for of in row.lines] == [
        ("", 91, "new();", 0.0, 12.0, 12.0),
        ("", 11, "old();", 10.0, 0.0, -10.0),
        ("helper", 95, "inner;", 0.0, 4.0, 4.0),
    ]
    assert row.inlined == (("helper", 4.0),)


def test_lines_of_one_text_are_one() -> None:
    before = function("f", 6.0, line(10, "}", 1.0), line(20, "}", 5.0))
    after = function("f", 9.0, line(30, "}", 9.0))
    (row,) = only(counted(before), counted(after, variant="mine")).rows
    assert [(of.line, of.stock, of.value) for of in row.lines] == [(30, 6.0, 9.0)]


def test_a_line_without_its_text_goes_by_its_number() -> None:
    before, after = function("f", 5.0, line(10, "", 5.0)), function("f", 7.0, line(11, "", 7.0))
    (row,) = only(counted(before), counted(after, variant="mine")).rows
    assert [(of.text, of.change) for of in row.lines] == [("line 11", 7.0), ("line 10", -5.0)]


@pytest.mark.parametrize(("measured", "doubted"), [(1000.0, False), (1004.9, False), (995.1, False), (1010.0, True), (990.0, True)])
def test_a_sum_that_is_not_what_was_measured_is_doubted(measured: float, doubted: bool) -> None:
    stock, mine = counted(function("f", 1000.0)), counted(function("f", 1000.0), measured=measured, variant="mine")
    doubts = only(stock, mine).doubts
    assert bool(doubts) is doubted
    if measured == 990.0:
        assert doubts == ("The functions of mine add up to 1,000.0 instructions/op, but 990.0 were measured (+1.01 %).",)


def test_each_machine_test_and_variant_is_compared_with_its_own_stock() -> None:
    records = [
        counted(function("f", float(10 * machine + 2 * test + variant)), machine=m, test=t, variant=v)
        for machine, m in enumerate(("x86_64", "aarch64"))
        for test, t in enumerate(("le_fit_alloc_test", "b_fit_alloc_test"))
        for variant, v in enumerate(("stock", "mine", "mine@1"))
    ]
    found = why.explain(records)
    assert [(of.machine, of.test, of.variant) for of in found] == [
        (m, t, v) for m in ("x86_64", "aarch64") for t in ("le_fit_alloc_test", "b_fit_alloc_test") for v in ("mine", "mine@1")
    ]
    assert [of.change for of in found] == [1.0, 2.0] * 4


def test_without_stock_there_is_nothing_to_compare_with() -> None:
    assert why.explain([counted(function("f", 1.0), variant="mine")]) == []
    assert why.explain([]) == []
    steps = why.explain([counted(function("f", 1.0), variant="mine@1"), counted(function("f", 3.0), variant="mine")], "mine@1")
    assert [(of.variant, of.against, of.change) for of in steps] == [("mine", "mine@1", 2.0)]
