# SPDX-License-Identifier: GPL-2.0-only
"""Lines of a series that ran, over all machines and profiles of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from harness.model.coverage import ChangedLines, Reached
from harness.stats import coverage as coverages
from harness.stats.coverage import Coverage, Where
from tests.support.counted import changed, reached


def coverage(
    changed: Sequence[ChangedLines], reached: Sequence[Reached], patches: Mapping[str, Sequence[str]] | None = None
) -> list[Coverage]:
    return coverages.coverage(changed, reached, patches or {})


def test_a_line_has_every_test_in_which_it_ran() -> None:
    (found,) = coverage(
        [changed(10, 11)],
        [reached("boot", 10), reached("a_test", 10), reached("a_test", 10, boot=3), reached("a_test", 10, profile="debug")],
    )
    assert found.lines[0].reached == (
        Where("x86_64", "perf", "boot"),
        Where("x86_64", "perf", "a_test"),
        Where("x86_64", "debug", "a_test"),
    )
    assert found.lines[0].profiles == ("perf", "debug")
    assert (found.variant, found.unreached, [line.line for line in found.files[0].unreached]) == ("mine", 1, [11])


def test_lines_of_all_cells_count_once() -> None:
    cells = [changed(10), changed(10, 12, profile="debug"), changed(11, machine="aarch64")]
    (found,) = coverage(cells, [reached("a_test"), reached("a_test", profile="debug"), reached("a_test", machine="aarch64")])
    assert [line.line for line in found.lines] == [10, 11, 12]
    assert found.unreached == 3


def test_files_are_told_apart_by_patch_in_the_order_of_lines() -> None:
    one, two = changed(30, patch="0001-a.patch"), changed(10, patch="0002-b.patch")
    other = changed(5, file="lib/rbtree.c", patch="0002-b.patch")
    merged = ChangedLines("x86_64", "mine", "perf", (*one.lines, *two.lines, *other.lines))
    (found,) = coverage([merged], [reached("a_test", 10, file="lib/rbtree.c"), reached("a_test", 10)])
    assert sorted((of.patch, of.file, len(of.lines), len(of.unreached)) for of in found.files) == [
        ("0001-a.patch", "mm/vmalloc.c", 1, 1),
        ("0002-b.patch", "lib/rbtree.c", 1, 1),
        ("0002-b.patch", "mm/vmalloc.c", 1, 0),
    ]


def test_another_variants_lines_do_not_count() -> None:
    found = coverage([changed(10), changed(10, variant="other")], [reached("a_test", 10, variant="other")])
    assert [(of.variant, of.unreached) for of in found] == [("other", 0)], "nothing of the first was watched"


def test_of_a_cell_that_was_not_watched_nothing_is_known() -> None:
    (found,) = coverage([changed(10), changed(10, 11, profile="latency")], [reached("a_test", 10)])
    assert [line.line for line in found.lines] == [10]
    assert coverage([changed(10)], []) == []


def test_a_variant_without_changed_lines_is_not_there() -> None:
    assert coverage([changed(variant="stock"), changed()], [reached("a_test", 10)]) == []


def test_patches_are_in_the_order_of_the_series() -> None:
    lines = (*changed(50, 60, patch="z-first").lines, *changed(10, patch="a-second").lines, *changed(1, patch="gone").lines)
    (found,) = coverage(
        [ChangedLines("x86_64", "mine", "perf", lines)], [reached("a_test")], {"stock": (), "mine": ("z-first", "a-second")}
    )
    assert [of.patch for of in found.files] == ["z-first", "a-second", "gone"]
    assert [line.line for line in found.lines] == [50, 60, 10, 1]
