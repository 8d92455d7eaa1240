# SPDX-License-Identifier: GPL-2.0-only
"""Outcomes of the allocator in user space, for the terminal."""

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
        known = f", but for {len(outcome.known)} known bug{'s' if len(outcome.known) > 1 else ''}" if outcome.known else ""
        result = Text(outcome.failure or f"passed{known}")
        leg = outcome.leg
        table.add_row(outcome.variant, leg.layout, str(leg.cpus), *shown, f"{outcome.seconds:.1f}", result)
    places = [Text(line) for outcome in outcomes if outcome.kind and outcome.log.name for line in _places(outcome)]
    bugs = dict.fromkeys(f"Known bug of {outcome.variant}: {bug.reason}." for outcome in outcomes for bug in outcome.known)
    return Group(table, *map(Text, bugs), *places)


def _places(outcome: Outcome) -> list[str]:
    """Return lines with the log of a failure, and with its shortest trace."""
    lines = [f"{outcome.variant} {outcome.leg.name}: {outcome.log}"]
    if outcome.shortest:
        lines.append(f"  {outcome.shortest} operations repeat it: {outcome.trace}")
    return lines
