# SPDX-License-Identifier: GPL-2.0-only
"""Lines of a series that ran, by the blocks that did, and the tests that these belong to."""

from __future__ import annotations

from harness.model.coverage import BETWEEN, BOOT, ChangedLine
from harness.suite import coverage
from harness.vm.blocks import Block, Dump


def line(number: int, *addresses: int, file: str = "mm/vmalloc.c") -> ChangedLine:
    return ChangedLine(file, number, f"line {number}", "a.patch", addresses)


def dump(number: int, kind: str, *starts: int) -> Dump:
    return Dump(number, kind, tuple(Block(start, 1, "4") for start in starts))


def test_a_line_ran_if_one_of_its_statements_did() -> None:
    lines = [line(10, 0x100, 0x200), line(11, 0x104), line(12, 0x10C), line(9, 0x108, file="lib/rbtree.c")]
    assert coverage.reached(lines, [Block(0x100, 3, "444")]) == {"lib/rbtree.c": (9,), "mm/vmalloc.c": (10, 11)}
    assert coverage.reached(lines, [Block(0x200, 1, "1")]) == {"mm/vmalloc.c": (10,)}


def test_lines_can_share_an_address() -> None:
    assert coverage.reached([line(10, 0x100), line(3, 0x100)], [Block(0x100, 1, "4")]) == {"mm/vmalloc.c": (3, 10)}


def test_a_block_ends_before_its_last_address() -> None:
    lines = [line(10, 0x108)]
    assert coverage.reached(lines, [Block(0x100, 1, "44")]) == {}
    assert coverage.reached(lines, [Block(0x109, 1, "4")]) == {}
    assert coverage.reached(lines, [Block(0x104, 1, "8")]) == {}, "no instruction begins there"
    assert coverage.reached([], [Block(0x108, 1, "4")]) == coverage.reached(lines, []) == {}


def starts(test: str, *dumps: Dump) -> dict[str, list[int]]:
    return {name: [block.start for block in ran] for name, ran in coverage.by_test(test, dumps).items()}


def test_the_first_file_has_the_boot_and_later_ones_what_is_between_tests() -> None:
    first = (dump(0, "other", 1), dump(1, "loop", 2), dump(2, "loop", 3), dump(3, "test", 4))
    assert starts("first", *first) == {BOOT: [1], "first": [4]}
    assert starts("second", dump(4, "other", 5), dump(5, "test", 6)) == {BETWEEN: [5], "second": [6]}


def test_a_guest_that_ends_in_a_test_has_that_in_its_last_file() -> None:
    assert starts("crashes", dump(4, "other", 5), dump(5, "loop", 6), dump(6, "test", 7)) == {BETWEEN: [5], "crashes": [7]}
    assert starts("crashes", dump(0, "other", 5), dump(1, "test", 7)) == {BOOT: [5], "crashes": [7]}


def test_what_follows_the_last_test_is_between_tests() -> None:
    assert starts("last", dump(4, "other", 5), dump(5, "test", 6), dump(6, "other", 7)) == {BETWEEN: [5, 7], "last": [6]}


def test_a_guest_that_was_killed_has_no_last_file() -> None:
    assert starts("killed") == {}
