# SPDX-License-Identifier: GPL-2.0-only
"""Changes of each variant's kernel, as the rows of a table and the lists below it."""

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


class ChangedSymbol(msgspec.Struct, frozen=True):
    """A function or data object that differs."""

    name: str
    file: str
    """empty for a name that other files can have too"""
    size: str
    """bytes, before and after"""
    kind: str


class ChangeRow(msgspec.Struct, frozen=True):
    """A kernel, compared with that of the variant before it."""

    machine: str
    variant: str
    profile: str
    against: str
    sentence: str
    counts: tuple[int, int, int]
    """functions that are changed, added and removed"""
    nothing: bool
    """True if no function's code differs"""
    functions: tuple[ChangedSymbol, ...]
    data: tuple[ChangedSymbol, ...]

    @property
    def cell(self) -> str:
        """The kernel's cell."""
        return f"{self.machine}/{self.variant}/{self.profile}"

    @property
    def shown(self) -> Sequence[ChangedSymbol]:
        """The functions that are listed at once."""
        return self.functions[:_SHOWN]

    @property
    def more(self) -> int:
        """Number of functions that are not listed at once."""
        return len(self.functions[_SHOWN:])


def rows(changes: Iterable[CellChanges]) -> list[ChangeRow]:
    """Return a row for each kernel, in the order in which they were built."""
    return [_row(of) for of in changes]


def _row(of: CellChanges) -> ChangeRow:
    kinds = Counter(change.kind for change in of.changes.functions)
    return ChangeRow(
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


def _line(change: Change) -> ChangedSymbol:
    sizes = {"added": f"{change.after:,}", "removed": f"{change.before:,}"}
    both = f"{change.before:,} to {change.after:,}" if change.before != change.after else f"{change.after:,}"
    return ChangedSymbol(change.name, change.file, sizes.get(change.kind, both), change.kind)
