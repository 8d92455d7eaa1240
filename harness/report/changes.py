# SPDX-License-Identifier: GPL-2.0-only
"""What each variant changes, as the rows of a table and the lists below it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import msgspec

from harness.model.changes import CellChanges, Change

TITLE = "What the series changes"
_SHOWN = 10
"""functions that are listed at once"""
MOST = 200
"""functions, or data objects, of a kernel that a page has: a changed header can change thousands"""


class Line(msgspec.Struct, frozen=True):
    """A function or data object that differs."""

    name: str
    file: str
    """empty for what other files can name too"""
    size: str
    """bytes, before and after"""
    kind: str


class Row(msgspec.Struct, frozen=True):
    """A kernel beside that of the variant before it."""

    machine: str
    variant: str
    profile: str
    against: str
    said: str
    counts: tuple[int, int, int]
    """functions that are changed, added and removed"""
    nothing: bool
    """whether no function's code differs"""
    functions: tuple[Line, ...]
    data: tuple[Line, ...]

    @property
    def cell(self) -> str:
        """The kernel's cell."""
        return f"{self.machine}/{self.variant}/{self.profile}"

    @property
    def shown(self) -> Sequence[Line]:
        """The functions that are listed at once."""
        return self.functions[:_SHOWN]

    @property
    def more(self) -> int:
        """How many functions are not."""
        return len(self.functions[_SHOWN:])


def rows(found: Iterable[CellChanges]) -> list[Row]:
    """Return a row for each kernel, in the order in which they were built."""
    return [_row(of) for of in found]


def _row(of: CellChanges) -> Row:
    kinds = Counter(change.kind for change in of.changes.functions)
    return Row(
        of.machine,
        of.variant,
        of.profile,
        of.against,
        of.changes.sentence,
        (kinds["changed"], kinds["added"], kinds["removed"]),
        not of.changes.functions,
        tuple(map(_line, of.changes.functions)),
        tuple(map(_line, of.changes.data)),
    )


def _line(change: Change) -> Line:
    sizes = {"added": f"{change.after:,}", "removed": f"{change.before:,}"}
    both = f"{change.before:,} to {change.after:,}" if change.before != change.after else f"{change.after:,}"
    return Line(change.name, change.file, sizes.get(change.kind, both), change.kind)
