# SPDX-License-Identifier: GPL-2.0-only
"""Records of where a timed loop's instructions go: to functions and lines, and to sections under a lock."""

from __future__ import annotations

import msgspec

from harness.model.records import Amount, AtLeastOne, Count, DuringTest


class LineCount(msgspec.Struct, frozen=True, array_like=True):
    """Instructions of one source line in a function."""

    inlined: str
    """innermost inlined function that the line belongs to; empty for a line of the function itself"""
    file: str
    line: Count
    text: str
    instructions: Amount
    """an operation"""


class FunctionCount(msgspec.Struct, frozen=True):
    """Instructions of one function, without those of the functions that it calls."""

    function: str
    """symbol; ``[unknown]`` for addresses of no symbol"""
    module: str
    """empty for the kernel itself"""
    file: str
    instructions: Amount
    """an operation"""
    lines: tuple[LineCount, ...] = ()


class Counted(DuringTest, frozen=True):
    """Instructions of a test's timed loop by function, as QEMU's plugin counted them."""

    operations: AtLeastOne
    measured: Amount
    """instructions an operation by the module's clock, in the same loop"""
    functions: tuple[FunctionCount, ...]
    """the largest first"""

    @property
    def sum(self) -> float:
        """Instructions an operation of all functions."""
        return sum(function.instructions for function in self.functions)


class LockedSection(DuringTest, frozen=True):
    """The sections of a test's timed loop in which a function held a spinlock or had interrupts disabled."""

    function: str
    """that took the lock or disabled interrupts, when nothing was held or disabled before"""
    module: str
    ended: str
    """function in which the longest one ended"""
    times: AtLeastOne
    operations: AtLeastOne
    instructions: Amount
    """of all of them, an operation"""
    longest: Count
    """instructions"""
    axis: str = ""
    """size that a sweep made grow; empty for a performance test"""
    size: Count = 0
