# SPDX-License-Identifier: GPL-2.0-only
"""The contents of the cache, for the terminal."""

from __future__ import annotations

import datetime
from collections.abc import Sequence

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from harness import text
from harness.model.cache import Entry


def tables(entries: Sequence[Entry]) -> RenderableType:
    """Return a table with a line for each kind of entry, the largest first, and the sums below it."""
    kinds: dict[str, list[Entry]] = {}
    for entry in entries:
        kinds.setdefault(entry.kind, []).append(entry)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("kind")
    for column in ("entries", "size", "may go", "used last"):
        table.add_column(column, justify="right")
    for kind, members in sorted(kinds.items(), key=lambda item: -_size(item[1])):
        last = datetime.date.fromtimestamp(max(entry.used for entry in members)).isoformat()
        free = [entry for entry in members if not entry.kept]
        table.add_row(kind, f"{len(members):,}", text.size(_size(members)), text.size(_size(free)) if free else "-", last)
    free = [entry for entry in entries if not entry.kept]
    return Group(table, Text(f"{text.size(_size(entries))} in all, of which {text.size(_size(free))} may go."))


def _size(entries: Sequence[Entry]) -> int:
    return sum(entry.size for entry in entries)
