# SPDX-License-Identifier: GPL-2.0-only
"""A forest plot: each test's ratio with its interval, all machines in one picture, beside the line of no change."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import accumulate
from typing import Any

import msgspec
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedFormatter, FixedLocator, MaxNLocator, NullLocator

from harness.report import phrases, svg
from harness.stats import cost
from harness.stats.compare import Comparison
from harness.stats.geomean import GeometricMean

_WIDTH = 420
"""pixels: narrow, so that a telephone shows it whole, and a wide page several beside each other"""
_MARGINS = (26, 76, 4, 26)
_TITLE, _ROW, _GAP = 20, 16, 8
"""pixels: height of a test's name, of each machine's row, and of what parts tests"""
_BETWEEN = 8
"""pixels between the labels of two ticks"""
_CHARACTER = 7.0
"""pixels that a character of them is wide"""
_NARROW = 1.8
"""the highest by the lowest ratio, below which ticks are round changes"""
_STEPS = (1.0, 1.5, 2.0, 3.0, 5.0, 7.0)
_Point = Comparison | GeometricMean


class _Block(msgspec.Struct, frozen=True):
    """A test, or the mean of all: a row for each machine that has it."""

    title: str
    rows: tuple[_Point, ...]


def plot(comparisons: Sequence[Comparison], means: Sequence[GeometricMean], machines: Sequence[str], name: str) -> str | None:
    """Draw one variant in one profile and under one clock, on all `machines`; None if nothing was compared."""
    blocks = _blocks(comparisons, means, machines)
    if not blocks:
        return None
    heights = [_TITLE + _ROW * len(block.rows) + _GAP for block in blocks]
    with svg.drawing():
        left, right, above, below = _MARGINS
        figure, (axes,) = svg.facets(
            [""], columns=1, width=_WIDTH, height=sum(heights) + above + below, top=24, margins=(left, right, above, below)
        )
        low, high = _limits([row for block in blocks for row in block.rows])
        axes.set_xscale("log")
        axes.set_xlim(low, high)
        axes.set_ylim(sum(heights), 0)
        for block, top in zip(blocks, accumulate(heights, initial=0), strict=False):
            _draw(axes, block, top, machines)
        _ticks(axes, low, high)
        figure.legend(
            handles=_legend(blocks, machines),
            loc="upper left",
            bbox_to_anchor=(0.0, 1.0),
            ncols=4,
            borderaxespad=0.2,
            handlelength=1,
        )
        return svg.element(figure, name, _caption(comparisons[0], blocks))


def _blocks(comparisons: Sequence[Comparison], means: Sequence[GeometricMean], machines: Sequence[str]) -> list[_Block]:
    place = {machine: number for number, machine in enumerate(machines)}
    tests: dict[str, list[_Point]] = {}
    for one in comparisons:
        if one.ratio is not None:
            tests.setdefault(one.test, []).append(one)
    for mean in means:
        tests.setdefault(phrases.mean(mean), []).append(mean)
    return [_Block(title, tuple(sorted(rows, key=lambda row: place[row.machine]))) for title, rows in tests.items()]


def _draw(axes: Axes, block: _Block, top: float, machines: Sequence[str]) -> None:
    """Draw a block whose first pixel is at `top`."""
    across = axes.get_yaxis_transform()
    low, high = axes.get_xlim()
    margin, rows = block.rows[0].margin, (top + _TITLE, top + _TITLE + _ROW * len(block.rows))
    # The name above the rows is left free of lines.
    axes.fill_betweenx(rows, max(cost.ratio(-margin), low), min(cost.ratio(margin), high), color=svg.FAINT, linewidth=0)
    axes.vlines(1, *rows, color=svg.INK, linewidth=1)
    if isinstance(block.rows[0], GeometricMean):
        axes.axhline(top + 2, color=svg.FAINT, linewidth=1)
    start = -_MARGINS[0] / (_WIDTH - _MARGINS[0] - _MARGINS[1])
    axes.text(start, top + _TITLE / 2 + 2, svg.label(block.title, 48), transform=across, va="center", ha="left", fontsize=13)
    for number, row in enumerate(block.rows):
        y = top + _TITLE + _ROW * (number + 0.5)
        looks = _looks(machines.index(row.machine))
        if row.interval:
            ends = [min(max(end, low), high) for end in row.interval]
            axes.plot(ends, [y, y], color=looks["color"], linewidth=2)
            for end, edge, arrow in zip(row.interval, (low, high), "<>", strict=True):
                if not low <= end <= high:
                    axes.plot([edge], [y], marker=arrow, color=looks["color"], markersize=6, markeredgewidth=0, clip_on=False)
        face = looks["color"] if row.interval else "none"
        axes.plot([row.ratio or 1.0], [y], linestyle="", markersize=7, markerfacecolor=face, markeredgewidth=1, **looks)
        axes.text(1 - start / 5, y, phrases.change(row), transform=across, va="center", ha="left", fontsize=13)


def _looks(number: int) -> dict[str, Any]:
    return {"color": svg.machine(number), "marker": svg.MARKERS[number % len(svg.MARKERS)]}


def _limits(rows: Sequence[_Point]) -> tuple[float, float]:
    """Return limits around all ratios, 1 and the margin; intervals may widen them to twice that, and are cut beyond it."""
    ratios = [1.0, *(cost.ratio(side * min(row.margin, 99.0)) for row in rows for side in (-1, 1))]
    ratios += [row.ratio for row in rows if row.ratio]
    low, high = math.log(min(ratios)), math.log(max(ratios))
    room = max(high - low, math.log(1.05)) / 2
    ends = [math.log(end) for row in rows if row.interval for end in row.interval if end > 0]
    low, high = max(min(low, *ends, low), low - room), min(max(high, *ends, high), high + room)
    pad = (high - low) * 0.04
    return math.exp(low - pad), math.exp(high + pad)


def _ticks(axes: Axes, low: float, high: float) -> None:
    """Put ticks at round ratios, or at round changes where the axis is short; the first is "same"."""
    if high / low < _NARROW:
        wanted = [cost.ratio(change) for change in MaxNLocator(5).tick_values(cost.change(low), cost.change(high))]
    else:
        powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
        wanted = [step * 10.0**power for power in powers for step in _STEPS]
    pixels = (_WIDTH - _MARGINS[0] - _MARGINS[1]) / math.log(high / low)
    ticks = {1.0: "same"}
    for tick in sorted((tick for tick in wanted if low <= tick <= high), key=lambda tick: abs(math.log(tick))):
        label = _tick(cost.change(tick))
        gaps = (abs(math.log(tick / at)) * pixels - (len(label) + len(other)) / 2 * _CHARACTER for at, other in ticks.items())
        if min(gaps) >= _BETWEEN:
            ticks[tick] = label
    axes.xaxis.set_major_locator(FixedLocator(list(ticks)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FixedFormatter(list(ticks.values())))
    axes.set_yticks([])


def _tick(change: float) -> str:
    return f"{change:+.0e} %" if abs(change) >= 1e5 else f"{change:+,.0f} %" if abs(change) >= 100 else f"{change:+.3g} %"


def _legend(blocks: Sequence[_Block], machines: Sequence[str]) -> list[Line2D]:
    shown = {row.machine for block in blocks for row in block.rows}
    return [
        Line2D([], [], label=svg.label(machine), linestyle="", markersize=7, markeredgewidth=0, **_looks(number))
        for number, machine in enumerate(machines)
        if machine in shown
    ]


def _caption(of: Comparison, blocks: Sequence[_Block]) -> str:
    """Return all that the plot shows, for who cannot see it."""
    told = [f"{block.title}: {', '.join(map(_told, block.rows))}" for block in blocks]
    return f"Change of the cost of {of.variant} against {of.against} with 95 % intervals. {'; '.join(told)}."


def _told(row: _Point) -> str:
    return f"{row.machine} {phrases.change(row)} ({phrases.interval(row)})"
