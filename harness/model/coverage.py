# SPDX-License-Identifier: GPL-2.0-only
"""Records of a series' lines: those that a kernel has code of, and those that ran in a test."""

from __future__ import annotations

import msgspec

from harness.model.records import Count, DuringTest

BOOT = "boot"
"""test of what ran before the first test"""
BETWEEN = "between tests"
"""test of what ran after one test and before the next"""


class Reached(DuringTest, frozen=True):
    """Lines of the series that ran in a test, in the boot before it, or between two tests."""

    lines: dict[str, tuple[Count, ...]]
    """ascending, by file"""
    told: bool = True
    """False if QEMU did not tell what ran, or not all of it"""


class ChangedLine(msgspec.Struct, frozen=True):
    """A line that a series adds or changes, of which there is code in a kernel."""

    file: str
    line: Count
    """number in the patched source"""
    text: str
    patch: str
    addresses: tuple[int, ...]
    """at which its statements begin"""


class ChangedLines(msgspec.Struct, frozen=True):
    """The lines of a cell's series, without those that the compiler made no code of."""

    machine: str
    variant: str
    profile: str
    lines: tuple[ChangedLine, ...]
