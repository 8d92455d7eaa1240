# SPDX-License-Identifier: GPL-2.0-only
"""Parts that all plots share: a plot for each test, the style of each variant, axes and legends."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

import msgspec
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, MultipleLocator, NullLocator

from harness import text
from harness.report import svg

Drawn = TypeVar("Drawn")
CHARACTER = 6.6
"""pixels that a character of a figure is wide, on average"""
_LEGEND, _HANDLE = 1030, 44
"""pixels: width of a legend, and of what an entry has beside its name"""
_COLUMNS = 8
"""most entries of a legend's row"""
_LOG_FROM = 6.0
"""the highest by the lowest value, from which on an axis is logarithmic"""


class Palette(msgspec.Struct, frozen=True):
    """The variants of a report, in the order of their colours; baselines come first."""

    names: tuple[str, ...]

    def number(self, name: str) -> int:
        """Return a variant's place; one that is not known gets the place after the last."""
        return self.names.index(name) if name in self.names else len(self.names)

    def ordered(self, names: Iterable[str]) -> list[str]:
        """Return the distinct names in this palette's order."""
        return sorted(dict.fromkeys(names), key=self.number)

    def looks(self, name: str) -> dict[str, Any]:
        """Return colour and dashes of a variant's line."""
        number = self.number(name)
        return {"color": svg.colour(number), "linestyle": svg.DASHES[number % len(svg.DASHES)]}

    def marker(self, name: str) -> str:
        """Return the shape of a variant's dots."""
        return svg.MARKERS[self.number(name) % len(svg.MARKERS)]


def small_multiples(
    of: Mapping[str, Drawn],
    draw: Callable[[Axes, Drawn], None],
    *,
    height: int = 210,
    margins: tuple[int, int, int, int] = (58, 10, 30, 30),
) -> Figure:
    """Return a figure with three plots to a row, one for each title, drawn by `draw`; `margins` as those of svg.facets()."""
    figure, axes = svg.facets(list(of), columns=3, height=height, margins=margins)
    for each, drawn in zip(axes, of.values(), strict=True):
        draw(each, drawn)
    return figure


def legend(figure: Figure, palette: Palette, names: Iterable[str], shape: str = "line", more: Sequence[Line2D] = ()) -> None:
    """Put the legend of the variants on top of a figure; `shape` is ``line``, ``dot`` or ``bar``."""
    handles = []
    shown = palette.ordered(names)
    most = int((_LEGEND / min(len(shown) + len(more), _COLUMNS) - _HANDLE) / CHARACTER)
    for name in shown:
        looks = palette.looks(name) if shape == "line" else {"color": palette.looks(name)["color"], "linestyle": ""}
        marker = {"line": "", "dot": palette.marker(name), "bar": "s"}[shape]
        size = 9 if shape == "bar" else 6
        handles.append(Line2D([], [], label=svg.middle(name, most), marker=marker, markersize=size, markeredgewidth=0, **looks))
    figure.legend(
        handles=[*handles, *more], loc="upper left", bbox_to_anchor=(0.0, 1.0), ncols=_COLUMNS, borderaxespad=0.2, handletextpad=0.5
    )


def log(axis: Axis, low: float, high: float, *, unit: str = "") -> None:
    """Make an axis logarithmic, with ticks that people can read, however short it is."""
    scale = axis.axes.set_xscale if axis is axis.axes.xaxis else axis.axes.set_yscale
    scale("log")
    decades = math.log10(high / low) if low > 0 else 1
    subs: tuple[float, ...] = (1.0,) if decades > 2.5 else (1.0, 2.0, 5.0) if decades > 0.8 else (1.0, 1.5, 2.0, 3.0, 5.0, 7.0)
    axis.set_major_locator(LogLocator(subs=subs, numticks=9))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda x, _: text.short(x) + unit))


def linear(axis: Axis, *, ticks: int = 5, sign: str = "") -> None:
    """Give a linear axis few ticks, with as many digits as their distance asks for; a `sign` of ``+`` is that of changes."""

    def tick(x: float, _: int) -> str:
        low, high = axis.get_view_interval()
        digits = max(0, math.ceil(-math.log10(abs(high - low) / ticks or 1)))
        return text.short(x) if abs(high - low) >= 5000 else f"{x:{sign if round(x, digits) else ''},.{digits}f}"

    axis.set_major_locator(MaxNLocator(ticks))
    axis.set_major_formatter(FuncFormatter(tick))


def fitting(axis: Axis, values: Sequence[float], *, floor: float = 0.02) -> None:
    """Make an axis hold the values: logarithmic where they span a multiple, else linear as bounds() has it."""
    low, high = min(values), max(values)
    limit = axis.axes.set_xlim if axis is axis.axes.xaxis else axis.axes.set_ylim
    if low > 0 and high / low > _LOG_FROM:
        log(axis, low, high)
        limit(low / 1.2, high * 1.2)
    else:
        limit(*bounds(values, floor=floor))
        linear(axis)


def binary(span: float) -> MultipleLocator:
    """Return the ticks of an axis of bytes that is `span` long: at two to four powers of two."""
    return MultipleLocator(2.0 ** max(0, math.ceil(math.log2(max(span, 1.0) / 4))))


def bounds(values: Sequence[float], *, floor: float = 0.02) -> tuple[float, float]:
    """Return limits for a linear axis around the values, at least `floor` of the middle apart."""
    low, high = min(values), max(values)
    room = max((high - low) * 0.08, (abs(low + high) / 2 * floor - (high - low)) / 2, 1e-9)
    return low - room, high + room


def bare(axes: Axes, which: str) -> None:
    """Leave out the grid of one axis."""
    axes.grid(visible=False, axis=which)  # type: ignore[arg-type]
