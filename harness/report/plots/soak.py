# SPDX-License-Identifier: GPL-2.0-only
"""Memory over the hours of a soak: each round as a line, the fitted slope with its interval as a band."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, MaxNLocator

from harness.model.records import Look
from harness.report import svg
from harness.report.plots import canvas
from harness.report.plots.canvas import Palette
from harness.stats import slopes
from harness.stats.slopes import COUNTS, Slope, levels

_MOST = 240
"""points of a line; days of rounds have more than a screen shows"""
_LITTLE = 0.05
"""part of a level; an axis that spans less shows distances, since all of its levels would read the same"""
_ROOM = 4096
"""bytes that an axis shows at least above and below"""


def plot(looks: Sequence[Look], slopes: Sequence[Slope], palette: Palette, name: str, heading: str) -> str | None:
    """Draw all figures of one machine and profile, a plot each; None without a look."""
    figures = {slope.figure: [s for s in slopes if s.figure == slope.figure] for slope in slopes}
    if not looks or not figures:
        return None
    with svg.drawing():
        figure = canvas.small_multiples(figures, lambda axes, mine: _facet(axes, looks, mine, palette), margins=(66, 12, 30, 40))
        fitted = Line2D([], [], color=svg.INK, linewidth=5, alpha=0.25, label="fitted slope and its interval")
        canvas.legend(figure, palette, (slope.variant for slope in slopes), more=[fitted])
        return svg.element(figure, name, f"Memory over a soak, {heading}, by figure and variant")


def _facet(axes: Axes, looks: Sequence[Look], slopes: Sequence[Slope], palette: Palette) -> None:
    figure = slopes[0].figure
    lines = [(slope.variant, line) for slope in slopes for line in _lines(looks, slope)]
    seen = [value for _, line in lines for _, value in line]
    low, high = min(seen), max(seen)
    zero = low if high - low < _LITTLE * high else 0.0
    for variant, line in lines:
        looks_of = {**palette.looks(variant), "linewidth": 0.9}
        axes.plot([hours for hours, _ in line], [value - zero for _, value in line], alpha=0.7, **looks_of)
    for slope in slopes:
        _fitted(axes, slope, zero, palette.looks(slope.variant)["color"])
    room = max((high - low) * 0.1, 1 if figure in COUNTS else _ROOM)
    axes.set_ylim(low - zero - room, high - zero + room)
    axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.yaxis.set_major_locator(MaxNLocator(4, integer=True) if figure in COUNTS else canvas.binary(high - low + 2 * room))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: _tick(figure, y, zero)))
    axes.set_xlabel("hours", labelpad=1)


def _lines(looks: Sequence[Look], slope: Slope) -> list[list[tuple[float, float]]]:
    """Return a variant's levels by boot, no more of them than a screen shows."""
    boots: dict[int, list[Look]] = {}
    for look in looks:
        if look.variant == slope.variant:
            boots.setdefault(look.boot, []).append(look)
    lines = (levels(mine, slope.figure) for mine in boots.values())
    return [line[:: -(-len(line) // _MOST)] for line in lines if line]


def _tick(figure: str, y: float, zero: float) -> str:
    """Return a tick's label. If a figure moves little it is the distance from the lowest level, which stands at the tick at 0.

    Below that is room, and nothing has a size there.
    """
    if y < -1e-6:
        return ""
    return slopes.amount(figure, zero + y) if not zero or abs(y) < 1e-6 else f"+{slopes.amount(figure, y)}"


def _fitted(axes: Axes, slope: Slope, zero: float, colour: str) -> None:
    """Draw the fitted line through the middle of the blocks, where the slope does not change the level."""
    if slope.per_hour is None or slope.interval is None:
        return
    start, end = slope.kept
    across = (start, (start + end) / 2, end)
    low, high = (bound * slope.rounds_per_hour for bound in slope.interval)
    level = slope.middle - zero
    one, other = ([level + rate * (x - across[1]) for x in across] for rate in (low, high))
    axes.fill_between(across, one, other, color=colour, alpha=0.15, linewidth=0)
    axes.plot(across, [level + slope.per_hour * (x - across[1]) for x in across], color=colour, linewidth=1.8)
