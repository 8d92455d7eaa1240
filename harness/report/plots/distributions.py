# SPDX-License-Identifier: GPL-2.0-only
"""Every sample as a dot: boot by boot, each test's baseline beside its variants."""

from __future__ import annotations

import math
from collections.abc import Sequence

from matplotlib.axes import Axes

from harness.report import phrases, svg
from harness.report.plots import canvas
from harness.report.plots.canvas import Palette
from harness.stats.compare import Comparison, Summary

_WIDE = 0.36
"""distance that a variant's dots reach to both sides"""
_PLOT = 265
"""pixels that all names below a plot have"""
_LINE = 14
"""pixels: height of a line of them"""
_MOST_LINES = 3


def plot(items: Sequence[Comparison], palette: Palette, name: str, heading: str) -> str | None:
    """Draw the comparisons on one machine, in one profile and under one clock; None without a sample."""
    tests = {test: _sides([item for item in items if item.test == test]) for test in dict.fromkeys(item.test for item in items)}
    tests = {test: sides for test, sides in tests.items() if sides}
    if not tests:
        return None
    names = palette.ordered(side for sides in tests.values() for side in sides)
    lines = _lines(names)
    with svg.drawing():
        figure = canvas.small_multiples(
            tests,
            lambda axes, sides: _facet(axes, sides, palette, lines),
            height=210 + _LINE * (lines - 1),
            margins=(58, 10, 30, 30 + _LINE * (lines - 1)),
        )
        canvas.legend(figure, palette, names, "dot")
        return svg.element(figure, name, f"Every sample of {heading}, by test, variant and boot")


def _sides(items: Sequence[Comparison]) -> dict[str, Summary]:
    sides = [side for item in items for side in ((phrases.baseline(item), item.baseline), (item.variant, item.measured))]
    return {name: side for name, side in sides if side is not None and side.count}


def _lines(names: Sequence[str]) -> int:
    """Return the number of lines that the names below a plot take in turns, so that neighbours do not overlap."""
    wide = max(len(name) for name in names) * canvas.CHARACTER + canvas.CHARACTER
    return min(math.ceil(wide * len(names) / _PLOT), len(names), _MOST_LINES)


def _facet(axes: Axes, sides: dict[str, Summary], palette: Palette, lines: int) -> None:
    names = palette.ordered(sides)
    values = [value for side in sides.values() for boot in side.values for value in boot]
    for place, name in enumerate(names):
        side, looks = sides[name], palette.looks(name)
        across = [(place + x, value) for x, value in _spread(side)]
        axes.plot(
            *zip(*across, strict=True),
            linestyle="",
            marker=palette.marker(name),
            markersize=4.5,
            color=looks["color"],
            alpha=0.7,
            markeredgewidth=0,
        )
        axes.plot([place - 0.44, place + 0.44], [side.median] * 2, color=looks["color"], linewidth=1.4)
    canvas.fitting(axes.yaxis, values)
    canvas.bare(axes, "x")
    most = int(_PLOT / len(names) * lines / canvas.CHARACTER) - 1
    axes.set_xticks([])
    below = axes.get_xaxis_transform()
    for place, name in enumerate(names):
        down = (0, -_LINE * (1 + place % lines))
        axes.annotate(svg.middle(name, most), (place, 0), down, xycoords=below, textcoords="offset points", ha="center")
    axes.set_xlim(-0.6, len(names) - 0.4)


def _spread(side: Summary) -> list[tuple[float, float]]:
    """Return the places of a side's dots: its boots side by side, a boot's samples close together."""
    wide = 2 * _WIDE / side.boots
    return [
        (-_WIDE + wide * (number + 0.15 + 0.7 * (place + 0.5) / len(boot)), value)
        for number, boot in enumerate(side.values)
        for place, value in enumerate(boot)
    ]
