# SPDX-License-Identifier: GPL-2.0-only
"""Tells which lines of a series ran, by the blocks that did."""

from __future__ import annotations

import bisect
from collections import defaultdict
from collections.abc import Iterable, Sequence

from harness.model.coverage import BETWEEN, BOOT, ChangedLine
from harness.vm.blocks import Block, Dump


def reached(lines: Sequence[ChangedLine], blocks: Iterable[Block]) -> dict[str, tuple[int, ...]]:
    """Return the lines of which a statement ran, ascending by file."""
    by_address: dict[int, list[ChangedLine]] = defaultdict(list)
    for line in lines:
        for address in line.addresses:
            by_address[address].append(line)
    wanted = sorted(by_address)
    ran: dict[str, set[int]] = defaultdict(set)
    for block in blocks:
        if bisect.bisect_left(wanted, block.start) == bisect.bisect_left(wanted, block.end):
            continue
        for address in block.addresses:
            for line in by_address.get(address, ()):
                ran[line.file].add(line.line)
    return {file: tuple(sorted(numbers)) for file, numbers in sorted(ran.items())}


def by_test(test: str, dumps: Sequence[Dump]) -> dict[str, list[Block]]:
    """Return the blocks of `dumps`, which came in the course of one `test`, by the test that they belong to.

    The first of a VM's files has what ran before the first test.
    """
    blocks: dict[str, list[Block]] = defaultdict(list)
    for dump in dumps:
        if dump.kind != "loop":
            blocks[test if dump.kind == "test" else BETWEEN if dump.number else BOOT] += dump.blocks
    return blocks
