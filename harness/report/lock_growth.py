# SPDX-License-Identifier: GPL-2.0-only
"""Tables of the longest sections under a lock against size, for a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table

from harness.stats.lock_growth import LockGrowth


def tables(rows: Sequence[LockGrowth]) -> RenderableType:
    """Return one table per machine, profile and axis: the longest section under a lock of each workload at each size."""
    groups: dict[tuple[str, ...], list[LockGrowth]] = {}
    for row in rows:
        groups.setdefault((row.machine, row.profile, row.axis), []).append(row)
    shown = []
    for (machine, profile, axis), items in groups.items():
        table = Table(
            title=f"{machine}, {profile}: instructions of the longest section under a lock against {axis}",
            title_justify="left",
            box=box.SIMPLE_HEAD,
            pad_edge=False,
            collapse_padding=True,
        )
        sizes = sorted({size for item in items for size in item.longest})
        table.add_column("workload")
        table.add_column("variant")
        for size in sizes:
            table.add_column(f"{size:,}", justify="right")
        table.add_column("largest by smallest", justify="right")
        for item in items:
            cells = (f"{item.longest[size]:,}" if size in item.longest else "-" for size in sizes)
            table.add_row(escape(item.workload), escape(item.variant), *cells, f"{item.spread:.2f}")
        shown.append(table)
    return Group(*shown)
