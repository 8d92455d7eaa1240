# SPDX-License-Identifier: GPL-2.0-only
"""Memory over a soak: rows of figures and slopes, for the terminal, a page and a mail."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from rich import box
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table

from harness import text
from harness.report.fitted import Fitted
from harness.stats import slopes
from harness.stats.slopes import FEWEST, Slope

_STYLES = {"leak": "bold red", "undecided": "yellow"}
_OF_SLABS = ("SUnreclaim", "slab_objects", "Slab", "MemUsed")
_LONG = 1000.0
"""hours; longer times are written as more than this"""
METHOD = (
    "Each look is taken at rest: after a test whose module is gone, with page cache and empty slabs dropped. A figure's value in a"
    " round is the median of its looks. Of the boot with the most rounds the first third is warm-up; the rest is cut into eight"
    " blocks, and the slope is the mean difference of neighbouring blocks. All intervals of a soak hold at once with 95 %"
    " confidence, for noise, drift without aim and single steps alike. Growth is a leak if its interval excludes zero, it does"
    " not slow down, and it is a page or an area a round at least, which is the smallest step of these figures."
)


class FigureRow(msgspec.Struct, frozen=True):
    """A slope, in words."""

    slope: Slope
    first: str
    last: str
    per_round: str
    interval: str
    per_hour: str
    verdict: str
    cache: str
    """the slab cache that grew most, if the figure grew and slab caches are part of it"""


def rows(slopes: Sequence[Slope]) -> list[FigureRow]:
    """Return a row for each figure, in the order in which they come."""
    return [_row(slope) for slope in slopes]


def tables(slopes: Sequence[Slope]) -> RenderableType:
    """Return one table per cell."""
    cells: dict[str, list[Slope]] = {}
    for slope in slopes:
        cells.setdefault(f"{slope.machine}/{slope.variant}/{slope.profile}", []).append(slope)
    return Group(*(Fitted(_table(cell, members)) for cell, members in cells.items()))


def verdict(slope: Slope) -> str:
    """Return a verdict, for an undecided one with the hours that would decide it; ``-`` for a figure that is not judged."""
    if not slope.judged:
        return "-"
    if slope.verdict != "undecided" or slope.more is None:
        return {"none": "no leak", "small": "grows, but too little"}.get(slope.verdict, slope.verdict)
    more = f"{slope.more:.2g} h" if slope.more <= _LONG else f"more than {_LONG:g} h"
    return f"undecided, +{more}"


def _table(cell: str, slopes: Sequence[Slope]) -> Table:
    first = slopes[0]
    few = f"; it takes {FEWEST} for a slope" if first.rounds < FEWEST else ""
    table = Table(
        title=f"{escape(cell)}: memory at rest, boot {first.boot}, {first.rounds} rounds{few}",
        title_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        collapse_padding=True,
    )
    table.add_column("figure")
    for name in ("first to last", "a round", "95 % interval", "an hour"):
        table.add_column(name, justify="right")
    table.add_column("verdict")
    for row in rows(slopes):
        style = _STYLES.get(row.slope.verdict, "") if row.slope.judged else "dim"
        cells = (row.slope.figure, f"{row.first} to {row.last}", row.per_round, row.interval, row.per_hour, row.verdict)
        table.add_row(*cells, style=style)
    return table


def _row(slope: Slope) -> FigureRow:
    name = slope.figure
    return FigureRow(
        slope,
        slopes.amount(name, slope.first),
        slopes.amount(name, slope.last),
        _change(name, slope.per_round),
        "-" if slope.interval is None else " to ".join(_change(name, end) for end in slope.interval),
        _change(name, slope.per_hour),
        verdict(slope),
        slope.cache if slope.figure in _OF_SLABS and (slope.per_round or 0) > 0 else "",
    )


def _change(figure: str, number: float | None) -> str:
    """Return a change of a figure with its sign; ``-`` if there is none."""
    return "-" if number is None else text.signed(number, slopes.amount(figure, number))
