# SPDX-License-Identifier: GPL-2.0-only
"""The published change beside ours: the range over rows, and every row as a dot."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from harness.report import svg
from harness.report.plots import canvas
from harness.report.plots.canvas import Palette
from harness.stats.published import Beside


def plot(items: Sequence[Beside], palette: Palette, name: str) -> str | None:
    """Draw all machines beside one another."""
    if not items:
        return None
    groups: dict[tuple[str, str, str], list[Beside]] = {}
    for item in items:
        groups.setdefault((item.machine, item.board, item.clock), []).append(item)
    rows = max(len({item.test for item in group}) * (1 + len({item.variant for item in group})) for group in groups.values())
    with svg.drawing():
        titles = [f"{machine} ({clock}) and {board}" for machine, board, clock in groups]
        figure, facets = svg.facets(titles, columns=2, height=rows * 20 + 90, margins=(180, 14, 26, 40))
        for axes, group in zip(facets, groups.values(), strict=True):
            _facet(axes, group, palette)
        theirs = Line2D([], [], linestyle="", marker="D", color=svg.INK, markersize=5, label="published")
        canvas.legend(figure, palette, (item.variant for item in items), "dot", [theirs])
        return svg.element(figure, name, "Change from stock to patched in per cent, published and ours")


def _facet(axes: Axes, group: Sequence[Beside], palette: Palette) -> None:
    tests = list(dict.fromkeys(item.test for item in group))
    for row, test in enumerate(tests):
        mine = [item for item in group if item.test == test]
        step = 0.8 / (1 + len(mine))
        _range(axes, row - 0.4 + step / 2, mine[0].their_changes, svg.INK, "D")
        for place, item in enumerate(sorted(mine, key=lambda item: palette.number(item.variant)), 1):
            marker = palette.marker(item.variant)
            _range(axes, row - 0.4 + step * (place + 0.5), item.our_changes, palette.looks(item.variant)["color"], marker)
    axes.axvline(0, color=svg.INK, linewidth=1)
    axes.set_ylim(len(tests) - 0.5, -0.5)
    other = {item.test for item in group if item.direction == "size"}
    axes.set_yticks(range(len(tests)), [svg.label(test, 28) + ("\n(other size)" if test in other else "") for test in tests])
    canvas.bare(axes, "y")
    canvas.linear(axes.xaxis, sign="+")
    axes.set_xlabel("change of the cost in per cent, a plus costs more")


def _range(axes: Axes, y: float, changes: Sequence[float], colour: str, marker: str) -> None:
    if not changes:
        return
    axes.plot([min(changes), max(changes)], [y, y], color=colour, linewidth=5, alpha=0.35)
    axes.plot(changes, [y] * len(changes), linestyle="", marker=marker, markersize=4.5, color=colour, markeredgewidth=0)
