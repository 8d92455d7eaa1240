# SPDX-License-Identifier: GPL-2.0-only
"""Cost against size, both logarithmic, each workload with every variant."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes

from harness.report import phrases, svg
from harness.report.plots import canvas
from harness.report.plots.canvas import Palette
from harness.stats.growth import Growth

_AXES = {"busy": "busy areas", "holes": "free holes"}
_LEGEND = 15
"""pixels that a line of a legend takes"""


def plot(fits: Sequence[Growth], palette: Palette, name: str, heading: str) -> str | None:
    """Draw the growth of cost on one machine along one axis; sizes and costs of 0 have no place on such a plot."""
    fits = [fit for fit in fits if _drawn(fit)]
    if not fits:
        return None
    workloads = list(dict.fromkeys(fit.workload for fit in fits))
    with svg.drawing():
        legend = _LEGEND * max(sum(fit.workload == workload for fit in fits) for workload in workloads)
        figure, facets = svg.facets(workloads, columns=3, height=196 + legend, top=4, margins=(52, 12, 26 + legend, 40))
        for axes, workload in zip(facets, workloads, strict=True):
            axes.set_title(svg.label(workload), pad=8 + legend)
            _facet(axes, [fit for fit in fits if fit.workload == workload], palette)
            axes.set_xlabel(_AXES.get(fits[0].axis, svg.label(fits[0].axis)))
        return svg.element(figure, name, f"{fits[0].unit} against size, {heading}, by workload and variant")


def _drawn(fit: Growth) -> list[tuple[int, float]]:
    return [(size.size, size.median) for size in fit.sizes if size.size > 0 and min(size.values) > 0]


def _facet(axes: Axes, fits: Sequence[Growth], palette: Palette) -> None:
    sizes, values = set(), []
    for fit in sorted(fits, key=lambda fit: palette.number(fit.variant)):
        marker, looks = palette.marker(fit.variant), palette.looks(fit.variant)
        dots = [(size.size, value) for size in fit.sizes if size.size > 0 and min(size.values) > 0 for value in size.values]
        label = f"{svg.middle(fit.variant, 20)} {phrases.exponent(fit)}"
        axes.plot(*zip(*_drawn(fit), strict=True), label=label, marker=marker, markersize=4.5, markeredgewidth=0, **looks)
        looks["linestyle"] = ""
        axes.plot(*zip(*dots, strict=True), marker=marker, markersize=3, alpha=0.4, markeredgewidth=0, **looks)
        sizes |= {size for size, _ in dots}
        values += [value for _, value in dots]
    low, high = min(values), max(values)
    room = max(1.15, (2 * low / high) ** 0.5)
    canvas.log(axes.xaxis, min(sizes), max(sizes))
    canvas.log(axes.yaxis, low / room, high * room)
    axes.set_xlim(min(sizes) / 1.25, max(sizes) * 1.25)
    axes.set_ylim(low / room, high * room)
    axes.set_xticks(sorted(sizes))
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), borderaxespad=0, borderpad=0.2, labelspacing=0.15, handlelength=1.6)
