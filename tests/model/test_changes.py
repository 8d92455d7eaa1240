# SPDX-License-Identifier: GPL-2.0-only
"""In what two kernels differ, and which two are held against each other."""

from __future__ import annotations

import pytest

from harness.model.changes import Change, Changes, KernelContents, Symbol, changes, predecessor
from harness.model.matrix import variant_order

RUN = ("stock", "mine", "mine@1", "mine@3", "mine@10", "mine-too", "mine-too@2")


def contents(*functions: Symbol, loaded: str = "1", data: tuple[Symbol, ...] = ()) -> KernelContents:
    return KernelContents(loaded, functions, data)


def test_functions_are_compared_by_file_and_name() -> None:
    before = contents(
        Symbol("init", "b.c", 8, "00"), Symbol("init", "a.c", 8, "00"), Symbol("gone", "a.c", 20, "01"), Symbol("kept", "", 4, "02")
    )
    after = contents(
        Symbol("kept", "", 4, "02"),
        Symbol("init", "b.c", 12, "03"),
        Symbol("init", "a.c", 8, "00"),
        Symbol("new", "a.c", 16, "04"),
        loaded="2",
    )
    assert changes(before, after) == Changes(
        functions=(
            Change("removed", "gone", "a.c", 20, 0),
            Change("added", "new", "a.c", 0, 16),
            Change("changed", "init", "b.c", 8, 12),
        ),
    )


def test_functions_of_one_name_in_one_file_have_no_order() -> None:
    one, two, three = Symbol("show", "core.c", 8, "01"), Symbol("show", "core.c", 9, "02"), Symbol("show", "core.c", 10, "03")
    assert changes(contents(one, two), contents(two, one)).functions == ()
    assert changes(contents(one, two), contents(two, three)).functions == (Change("changed", "show", "core.c", 17, 19),)
    assert changes(contents(one), contents(one, one)).functions == (Change("changed", "show", "core.c", 8, 16),)


@pytest.mark.parametrize(
    ("after", "said"),
    [
        (contents(Symbol("f", "", 4, "0")), "these patches change nothing in this configuration"),
        (
            contents(Symbol("f", "", 4, "0"), loaded="2"),
            "these patches change no function's code in this configuration, only data or line numbers",
        ),
        (
            contents(Symbol("f", "", 4, "0"), loaded="2", data=(Symbol("table", "", 4, "0"),)),
            "these patches change no function's code in this configuration, only data or line numbers",
        ),
        (contents(Symbol("f", "", 4, "1"), Symbol("g", "", 4, "0"), loaded="2"), "functions: 1 changed, 1 added"),
        (contents(loaded="2"), "functions: 1 removed"),
    ],
)
def test_three_cases_are_told_apart_in_words(after: KernelContents, said: str) -> None:
    assert changes(contents(Symbol("f", "", 4, "0")), after).sentence == said


@pytest.mark.parametrize(
    ("variant", "before"),
    [
        ("stock", None),
        ("mine@1", "stock"),
        ("mine@2", "mine@1"),
        ("mine@3", "mine@1"),
        ("mine@11", "mine@10"),
        ("mine", "mine@10"),
        ("mine-too@2", "stock"),
        ("mine-too", "mine-too@2"),
        ("other", "stock"),
    ],
)
def test_a_variant_is_held_against_the_next_shorter_prefix(variant: str, before: str | None) -> None:
    assert predecessor(variant, RUN) == before


@pytest.mark.parametrize("odd", ["mine@x", "mine@", "mine@-1", "mine@" + "9" * 5000])
def test_a_name_that_is_no_prefix_is_passed_over(odd: str) -> None:
    assert predecessor("mine", (*RUN, odd)) == "mine@10"
    assert sorted([odd, "mine@2", "stock"], key=variant_order) == ["stock", "mine@2", odd]


def test_without_stock_the_first_has_nothing_before_it() -> None:
    assert predecessor("mine@1", ("mine@1", "mine")) is None
    assert predecessor("mine", ("mine@1", "mine")) == "mine@1"
