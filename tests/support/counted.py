# SPDX-License-Identifier: GPL-2.0-only
"""Made-up records of what QEMU's plugin counted, of which a test says only what matters to it."""

from __future__ import annotations

from typing import Any

from harness.model.attribution import Counted, FunctionCount, LineCount, LockedSection
from harness.model.clock import Clock
from harness.model.coverage import ChangedLine, ChangedLines, Reached

PLACE: dict[str, Any] = {
    "machine": "x86_64",
    "variant": "stock",
    "profile": "perf",
    "clock": Clock.ICOUNT,
    "boot": 2,
    "test": "ne_fit_alloc_test",
}


def function(name: str, instructions: float, *lines: LineCount, module: str = "", file: str = "mm/vmalloc.c") -> FunctionCount:
    """Return a function of the kernel's."""
    return FunctionCount(name, module, file, instructions, lines)


def line(number: int, text: str, instructions: float, *, inlined: str = "", file: str = "mm/vmalloc.c") -> LineCount:
    """Return a line of a function."""
    return LineCount(inlined, file, number, text, instructions)


def counted(*functions: FunctionCount, measured: float = 0.0, **other: Any) -> Counted:
    """Return the functions of stock in ne_fit_alloc_test; by the clock they took as many instructions as they add up to."""
    total = sum(of.instructions for of in functions)
    return Counted(operations=1000, measured=measured or total, functions=functions, **{**PLACE, **other})


def locked(name: str, longest: int, **other: Any) -> LockedSection:
    """Return the sections of a function of stock's."""
    fields: dict[str, Any] = {"module": "", "ended": name, "times": 1000, "operations": 1000, "instructions": 100.0}
    return LockedSection(function=name, longest=longest, **{**PLACE, **fields, **other})


def reached(test: str, *numbers: int, file: str = "mm/vmalloc.c", **other: Any) -> Reached:
    """Return lines of the variant ``mine`` that ran."""
    return Reached(lines={file: numbers}, **{**PLACE, "variant": "mine", **other, "test": test})


def changed(*numbers: int, file: str = "mm/vmalloc.c", patch: str = "0001-a.patch", **other: Any) -> ChangedLines:
    """Return the lines that ``mine`` changes, of which there is code."""
    fields: dict[str, Any] = {"machine": "x86_64", "variant": "mine", "profile": "perf"}
    lines = tuple(ChangedLine(file, number, f"\tline {number};", patch, (number,)) for number in numbers)
    return ChangedLines(lines=lines, **{**fields, **other})


def allocating(instructions: float = 100.0, **other: Any) -> Counted:
    """Return a test that spends `instructions` in alloc_vmap_area, and 50 in the module."""
    search = function("alloc_vmap_area", instructions, line(410, "addr = ALIGN(addr, align);", instructions))
    return counted(search, function("ne_fit_op", 50.0, module="vmalloc_test", file="test_module/perf/perf.c"), **other)
