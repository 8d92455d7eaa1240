# SPDX-License-Identifier: GPL-2.0-only
"""The longest stretches without preemption as bars, with the line that the proposal drew at 1 ms."""

from __future__ import annotations

import math
from collections.abc import Sequence

from harness import text
from harness.model.records import CriticalSection
from harness.report import phrases, svg
from harness.report.plots import canvas
from harness.report.plots.canvas import Palette
from harness.stats import latency

LINE = 1000.0
"""microseconds: what the proposal says that audio and a user interface can wait"""


def plot(sections: Sequence[CriticalSection], palette: Palette, name: str, heading: str) -> str | None:
    """Draw the sections of one machine, in one profile and under one clock."""
    if not sections:
        return None
    most = latency.longest(sections)
    tests = list(dict.fromkeys(item.test for item in most))
    variants = palette.ordered(item.variant for item in most)
    by = {(item.test, item.variant): phrases.stretch(item.microseconds, item.clock)[0] for item in most}
    line, unit = phrases.stretch(LINE, most[0].clock)
    thick = 0.8 / len(variants)
    with svg.drawing():
        height = len(tests) * (14 * len(variants) + 14) + 62
        figure, (axes,) = svg.facets([""], columns=1, height=height, margins=(190, 90, 16, 40))
        low = 10 ** math.floor(math.log10(max(1.0, min(by.values()))) - 0.3)
        high = max(*by.values(), line) * 1.6
        for place, variant in enumerate(variants):
            for row, test in enumerate(tests):
                value = by.get((test, variant))
                if value is None:
                    continue
                y = row - 0.4 + thick * (place + 0.5)
                axes.barh(y, max(value, low) - low, left=low, height=thick * 0.86, color=palette.looks(variant)["color"])
                axes.annotate(text.short(value), (max(value, low), y), (4, 0), textcoords="offset points", va="center", fontsize=10)
        axes.axvline(line, color=svg.WARN, linestyle=(0, (4, 3)), linewidth=1.4)
        label = f"1 ms = {text.short(line)} {unit}" if phrases.of_the_clock(most[0].clock) else "1 ms"
        axes.annotate(label, (line, 1), (4, 2), xycoords=("data", "axes fraction"), textcoords="offset points", color=svg.WARN)
        canvas.log(axes.xaxis, low, high)
        axes.set_xlim(low, high)
        axes.set_ylim(len(tests) - 0.5, -0.5)
        axes.set_yticks(range(len(tests)), [svg.label(test, 28) for test in tests])
        canvas.bare(axes, "y")
        axes.set_xlabel(f"{unit} of the longest stretch with preemption off, log scale")
        canvas.legend(figure, palette, variants, "bar")
        return svg.element(figure, name, f"Longest stretch with preemption off, {heading}, by test and variant")
