# SPDX-License-Identifier: GPL-2.0-only
"""A test's figure from run to run: the median as a line, the lowest to the highest sample as a band."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes

from harness.report import svg
from harness.report.plots import canvas
from harness.report.plots.canvas import Palette
from harness.stats import level_steps
from harness.stats.trend import Trend


def plot(trends: Sequence[Trend], palette: Palette, name: str, heading: str) -> str:
    """Draw the trends of one machine, clock and amount of work, a facet for each test; there has to be one."""
    tests = {test: [trend for trend in trends if trend.of.test == test] for test in dict.fromkeys(t.of.test for t in trends)}
    runs = sorted({(figure.started, figure.run) for trend in trends for figure in trend.figures})
    with svg.drawing():
        figure = canvas.small_multiples(tests, lambda axes, members: _facet(axes, members, runs, palette))
        canvas.legend(figure, palette, (trend.of.variant for trend in trends))
        return svg.element(figure, name, f"{heading}: each test's figure from run to run, by variant")


def _facet(axes: Axes, trends: Sequence[Trend], runs: Sequence[tuple[str, str]], palette: Palette) -> None:
    for trend in trends:
        looks = palette.looks(trend.of.variant)
        across = [runs.index((figure.started, figure.run)) for figure in trend.figures]
        axes.fill_between(
            across, [f.low for f in trend.figures], [f.high for f in trend.figures], color=looks["color"], alpha=0.15, linewidth=0
        )
        axes.plot(
            across,
            [f.median for f in trend.figures],
            marker=palette.marker(trend.of.variant),
            markersize=4,
            markeredgewidth=0,
            **looks,
        )
        for step in level_steps.steps(trend):
            between = (across[step.at - 1] + across[step.at]) / 2
            axes.axvline(between, color=looks["color"], linewidth=0.8, linestyle=(0, (5, 2)))
            shape = "^" if step.change > 0 else "v"
            axes.plot(across[step.at], step.first.median, marker=shape, markersize=9, color=looks["color"])
        for place, figure in zip(across, trend.figures, strict=True):
            if figure.baseline:
                axes.axvline(place, color=svg.INK, linewidth=0.8, linestyle=(0, (1, 2)))
    values = [value for trend in trends for figure in trend.figures for value in (figure.low, figure.high)]
    canvas.fitting(axes.yaxis, values, floor=0.05)
    canvas.bare(axes, "x")
    ends = sorted({0, len(runs) - 1})
    axes.set_xticks(ends, [runs[place][0][:10] for place in ends])
    if len(ends) > 1:
        first, last = axes.get_xticklabels()
        first.set_horizontalalignment("left")
        last.set_horizontalalignment("right")
    axes.set_xlim(-0.3, len(runs) - 0.7)
