# SPDX-License-Identifier: GPL-2.0-only
"""Tables on a terminal that break their lines between words, which Rich's own do not where there is little room."""

from __future__ import annotations

import re
from collections.abc import Callable

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.measure import Measurement
from rich.table import Column, Table
from rich.text import Text

_WIDE = 10_000
"""columns in which no table is broken"""


class Fitted:
    """The first of some tables whose lines fit into the terminal, or else whose words do; the last one if none does."""

    def __init__(self, *tables: Table) -> None:
        """Choose among `tables`, which show the same in less and less room."""
        self._tables = tables

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for narrowest in (_lines, _words):
            for table in self._tables:
                if widths := _widths(table, console, options, narrowest):
                    for column, width in zip(table.columns, widths, strict=True):
                        column.width = width
                    yield table
                    return
        for column in self._tables[-1].columns:
            column.overflow = "fold"  # rather a broken word than one that is cut off
        yield self._tables[-1]


def _widths(table: Table, console: Console, options: ConsoleOptions, narrowest: Callable[[Column], int]) -> list[int]:
    """Return widths of columns with which the table fits, none below its `narrowest`; empty if there are none."""
    least, widths = list(map(narrowest, table.columns)), list(map(_lines, table.columns))
    frame = Measurement.get(console, options.update_width(_WIDE), table).maximum - sum(widths)
    while sum(widths) > options.max_width - frame:
        spare = [column for column, width in enumerate(widths) if width > least[column]]
        if not spare:
            return []
        widths[max(spare, key=widths.__getitem__)] -= 1
    return widths


def _lines(column: Column) -> int:
    """Return the width of the longest line."""
    return max(cell_len(line) for cell in _cells(column) for line in cell.split("\n"))


def _words(column: Column) -> int:
    """Return the width of the longest word."""
    return max(cell_len(word) for cell in _cells(column) for word in re.split(r"\s", cell))


def _cells(column: Column) -> list[str]:
    return [_plain(cell) for cell in (column.header, *column.cells)]


def _plain(cell: RenderableType) -> str:
    return cell.plain if isinstance(cell, Text) else Text.from_markup(str(cell)).plain
