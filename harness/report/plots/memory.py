# SPDX-License-Identifier: GPL-2.0-only
"""Memory over time, for tests that were looked at while they ran."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator

from harness import text
from harness.model import clock
from harness.model.records import Memory
from harness.report import svg
from harness.report.plots import canvas
from harness.report.plots.canvas import Palette

AREAS = "areas"
"""the one value that is a count and not bytes"""
_MOST = 6
"""values that are drawn side by side"""
_MOST_LINES = 2
"""of a variant; more could not be distinguished"""
_HEIGHT = 168


def plot(looks: Sequence[Memory], palette: Palette, name: str, heading: str) -> str | None:
    """Draw the looks at one machine, in one profile and under one clock; None where no test was looked at while it ran."""
    watched = {(look.test, look.variant, look.boot) for look in looks if look.at == "during"}
    looks = [look for look in looks if (look.test, look.variant, look.boot) in watched]
    tests, values = list(dict.fromkeys(look.test for look in looks)), _values(looks)
    if not tests or not values:
        return None
    with svg.drawing():
        titles = values * len(tests)
        margins = (56, 8, 48, 36)
        figure, facets = svg.facets(titles, columns=len(values), height=_HEIGHT, margins=margins)
        whole = figure.get_figheight() * figure.dpi
        for number, axes in enumerate(facets):
            test, value = tests[number // len(values)], values[number % len(values)]
            if value == values[0]:
                y = axes.get_position().y1 + (margins[2] - 16) / whole
                figure.text(4 / (figure.get_figwidth() * figure.dpi), y, svg.label(test, 60), fontsize=12, fontweight="bold")
            axes.set_title(svg.label(value.replace("_", " "), 20), fontweight="normal", fontsize=11)
            _facet(axes, [look for look in looks if look.test == test and value in look.values], value, palette)
        canvas.legend(figure, palette, (look.variant for look in looks))
        return svg.element(figure, name, f"Memory over time, {heading}, by test and variant")


def _values(looks: Sequence[Memory]) -> list[str]:
    """Return the values to draw: those recorded during a test that change, without single slab caches."""
    during = [look for look in looks if look.at == "during"]
    names = dict.fromkeys(name for look in during for name in look.values if not name.startswith("slab:"))
    return [name for name in names if len({look.values[name] for look in looks if name in look.values}) > 1][:_MOST]


def _lines(looks: Sequence[Memory]) -> list[list[Memory]]:
    """Return one variant's looks by boot and round: each time that a test is run, time begins again."""
    lines: dict[tuple[int, int], list[Memory]] = {}
    rounds: dict[int, int] = {}
    for look in looks:
        if look.at == "before":
            rounds[look.boot] = rounds.get(look.boot, -1) + 1
        lines.setdefault((look.boot, rounds.get(look.boot, 0)), []).append(look)
    return list(lines.values())


def _facet(axes: Axes, looks: Sequence[Memory], value: str, palette: Palette) -> None:
    """Draw the first lines of every variant. A value that is large and moves little is drawn from its lowest on."""
    if not looks:
        return
    worth, unit = clock.unit(looks[0].clock)
    scale, unit = (1.0, "s") if unit == "ns" else (worth * 1e9, unit)
    seen = [look.values[value] for look in looks]
    written: Callable[[float], str] = text.short if value == AREAS else text.size
    moves_little = min(seen) > 0.9 * max(seen) and min(seen) < max(seen)
    span = max(seen) - min(seen) if moves_little else max(seen)
    ticks = MaxNLocator(4, integer=True) if value == AREAS else canvas.binary(span)
    zero = min(seen) if moves_little else 0
    for variant in palette.ordered(look.variant for look in looks):
        for line in _lines([look for look in looks if look.variant == variant])[:_MOST_LINES]:
            along = [(look.seconds * scale, look.values[value] - zero) for look in line]
            axes.plot(*zip(*along, strict=True), linewidth=1.3, **palette.looks(variant))
    axes.set_ylim(0, max(span * 1.08, 1))
    axes.xaxis.set_major_locator(MaxNLocator(3))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: text.short(x)))
    axes.yaxis.set_major_locator(ticks)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: written(y) if not zero else f"+{written(y)}" if y else written(zero)))
    axes.set_xlabel(unit, labelpad=1)
