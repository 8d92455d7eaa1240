# SPDX-License-Identifier: GPL-2.0-only
"""Every sample as a dot: boot by boot, each test's baseline beside its variants."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes

from harness.compare import Comparison, Summary
from harness.report import svg, text
from harness.report.plots import canvas
from harness.report.plots.canvas import Palette, Plot

_LOG_FROM = 6.0
"""the highest by the lowest sample, from which on a plot is logarithmic"""
_WIDE = 0.36
"""how far a variant's dots reach to both sides"""


def plot(items: Sequence[Comparison], palette: Palette, name: str, heading: str) -> Plot | None:
    """Draw what was compared on one machine, in one profile and under one clock; None without a sample."""
    tests = {test: _sides([item for item in items if item.test == test]) for test in dict.fromkeys(item.test for item in items)}
    tests = {test: sides for test, sides in tests.items() if sides}
    if not tests:
        return None
    with svg.drawing():
        figure, facets = svg.facets(list(tests), columns=3, height=210, margins=(58, 10, 30, 30))
        for axes, sides in zip(facets, tests.values(), strict=True):
            _facet(axes, sides, palette)
        canvas.legend(figure, palette, (side for sides in tests.values() for side in sides), "dot")
        return Plot(heading, svg.text(figure, name, f"Every sample of {heading}, by test, variant and boot"))


def _sides(items: Sequence[Comparison]) -> dict[str, Summary]:
    sides = [side for item in items for side in ((text.baseline(item), item.baseline), (item.variant, item.measured))]
    return {name: side for name, side in sides if side is not None and side.count}


def _facet(axes: Axes, sides: dict[str, Summary], palette: Palette) -> None:
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
    if min(values) > 0 and max(values) / min(values) > _LOG_FROM:
        canvas.log(axes.yaxis, min(values), max(values))
        axes.set_ylim(min(values) / 1.2, max(values) * 1.2)
    else:
        axes.set_ylim(*canvas.bounds(values))
        canvas.linear(axes.yaxis)
    canvas.bare(axes, "x")
    axes.set_xticks(range(len(names)), [svg.label(name, 60 // max(len(names), 2)) for name in names])
    axes.set_xlim(-0.6, len(names) - 0.4)


def _spread(side: Summary) -> list[tuple[float, float]]:
    """Return where a side's dots stand: its boots side by side, a boot's samples close together."""
    wide = 2 * _WIDE / side.boots
    return [
        (-_WIDE + wide * (number + 0.15 + 0.7 * (place + 0.5) / len(boot)), value)
        for number, boot in enumerate(side.values)
        for place, value in enumerate(boot)
    ]
