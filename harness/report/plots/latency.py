# SPDX-License-Identifier: GPL-2.0-only
"""Durations of single operations over their percentile: the rarer, the farther right (as HdrHistogram draws it)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from harness.report import svg
from harness.report.plots import canvas
from harness.report.plots.canvas import Palette

Curve = Sequence[tuple[float, float]]
"""percentiles above 0 and below 100, ascending, each with the duration that so many operations stay within"""
_TICKS = (50, 90, 99, 99.9, 99.99, 99.999, 99.9999, 99.99999)
_POINTS = 160
"""of a curve: more than a plot of this width can show apart"""


def plot(curves: Mapping[str, Mapping[str, Curve]], unit: str, palette: Palette, name: str, heading: str) -> str | None:
    """Draw the curves of one machine, in one profile and under one clock, by test and variant."""
    tests = {test: {variant: curve for variant, curve in by.items() if curve} for test, by in curves.items()}
    tests = {test: by for test, by in tests.items() if by}
    if not tests:
        return None
    with svg.drawing():
        figure = canvas.small_multiples(tests, lambda axes, by: _facet(axes, by, palette), height=220, margins=(58, 14, 30, 42))
        figure.axes[0].set_ylabel(unit, labelpad=2)
        canvas.legend(figure, palette, (variant for by in tests.values() for variant in by))
        return svg.element(figure, name, f"Latency over percentile, {heading}, by test and variant")


def _facet(axes: Axes, by: Mapping[str, Curve], palette: Palette) -> None:
    most, values = 2.0, []
    for variant in palette.ordered(by):
        drawn = _across(by[variant])
        most = max(most, drawn[-1][0])
        values += [value for _, value in drawn]
        axes.plot(*zip(*drawn, strict=True), drawstyle="steps-pre", **palette.looks(variant))
        axes.plot(
            *drawn[-1], marker=palette.marker(variant), markersize=5, markeredgewidth=0, color=palette.looks(variant)["color"]
        )
    positive = [value for value in values if value > 0]
    low, high = (min(positive), max(positive)) if positive else (1.0, 1.0)
    canvas.log(axes.yaxis, low, high)
    axes.set_ylim(low / 1.15, max(high, low * 2) * 1.2)
    axes.set_xscale("log")
    axes.set_xlim(1, most * 1.3)
    ticks = [tick for tick in _TICKS if 1 / (1 - tick / 100) <= most * 1.05]
    axes.xaxis.set_major_locator(FixedLocator([1 / (1 - tick / 100) for tick in ticks]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{round(100 * (1 - 1 / x), 6):g}"))
    axes.set_xlabel("percentile")


def _across(curve: Curve) -> list[tuple[float, float]]:
    """Return a curve's points over 1/(1-q), no denser than a screen shows. The last point, the longest operation, is kept."""
    points = [(1 / (1 - percentile / 100), value) for percentile, value in curve]
    step = (points[-1][0] / points[0][0]) ** (1 / _POINTS)
    kept = points[:1]
    for number, point in enumerate(points[1:], 1):
        if point[0] >= kept[-1][0] * step or number == len(points) - 1:
            kept.append(point)
    return kept
