# SPDX-License-Identifier: GPL-2.0-only
"""What came of the allocator in user space, for the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from harness.model.userspace import Outcome


def tables(outcomes: Sequence[Outcome]) -> RenderableType:
    """Return a table with a line for each leg, and the place of what failed."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in ("variant", "address space"):
        table.add_column(column)
    for column in ("CPUs", "operations", "refused", "memory failed", "seconds"):
        table.add_column(column, justify="right")
    table.add_column("result", overflow="fold")
    for outcome in outcomes:
        counts = [count for count in outcome.counts if count[0] != "failing"]
        failing = sum(count for name, count, _ in outcome.counts if name == "failing")
        numbers = (sum(count for _, count, _ in counts), sum(refused for _, _, refused in counts), failing)
        shown = [f"{number:,}" if outcome.counts else "-" for number in numbers]
        result = Text(f"{outcome.kind}: {outcome.title}" if outcome.kind else "passed")
        leg = outcome.leg
        table.add_row(outcome.variant, leg.layout, str(leg.cpus), *shown, f"{outcome.seconds:.1f}", result)
    places = [Text(f"{outcome.variant} {outcome.leg.name}: {outcome.log}") for outcome in outcomes if outcome.kind]
    return Group(table, *places)
