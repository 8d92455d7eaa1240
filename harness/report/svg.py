# SPDX-License-Identifier: GPL-2.0-only
"""Matplotlib's figures as SVG that lives in a page: its colours and its font, no ids that collide, the same bytes each time.

Colours are drawn as sentinels, which the text of the SVG then has replaced by CSS variables of the
page; so one drawing serves light and dark. Figures are laid out in CSS pixels.
"""

from __future__ import annotations

import html
import io
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from harness import text

INK = "#010200"
FAINT = "#010201"
WARN = "#010202"
_SERIES = 0x10
COLOURS = 6
"""number of variants that have a colour of their own"""
MACHINES = 2
"""number of machines that have a colour of their own; shapes tell more apart"""
_VARIABLES = {INK: "currentColor", FAINT: "var(--line)", WARN: "var(--bad)"}
MARKERS = "os^DvP"
DASHES: tuple[str | tuple[int, tuple[float, ...]], ...] = ("-", (0, (6, 2)), (0, (2, 1.5)), (0, (7, 2, 1.5, 2)), (0, (1, 1)), "-")
_SETTINGS: dict[Any, Any] = {
    "svg.fonttype": "none",
    "text.parse_math": False,
    "font.family": ["DejaVu Sans"],
    "font.size": 11,
    "text.color": INK,
    "axes.edgecolor": FAINT,
    "axes.labelcolor": INK,
    "axes.titlesize": 12,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titley": 1.0,
    "axes.labelsize": 11,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.formatter.use_mathtext": False,
    "grid.color": FAINT,
    "grid.linewidth": 0.7,
    "xtick.color": FAINT,
    "ytick.color": FAINT,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "xtick.minor.size": 0,
    "ytick.minor.size": 0,
    "legend.frameon": False,
    "legend.fontsize": 11,
    "lines.linewidth": 1.6,
}
_UNDATED: dict[Any, Any] = {"Date": None}
_DPI = 72
_MARGINS = (58, 8, 26, 40)
"""pixels that a facet leaves free left, right, above and below"""


def colour(index: int) -> str:
    """Return the sentinel of the variant with this number; stock is 0."""
    return f"#0102{_SERIES + index % COLOURS:02x}"


def machine(index: int) -> str:
    """Return the sentinel of the machine with this number: colours that no variant has."""
    return f"#0102{_SERIES + COLOURS + index % MACHINES:02x}"


@contextmanager
def drawing() -> Iterator[None]:
    """Draw with the rig's settings; all that makes a figure belongs inside."""
    with matplotlib.rc_context(_SETTINGS):
        yield


def label(name: str, most: int = 40) -> str:
    """Return a name as a figure can show it: without control characters, in glyphs that the font has, not too long."""
    plain = text.plain(name).encode("ascii", "replace").decode()
    return plain if len(plain) <= most else plain[: most - 3] + "..."


def middle(name: str, most: int) -> str:
    """Return a name as label() does, but cut in its middle: the prefixes of a series differ in their ends."""
    plain = label(name, len(name))
    tail = max(most - 2, 2) // 2
    return plain if len(plain) <= most else f"{plain[: max(most - 2 - tail, 1)]}..{plain[-tail:]}"


def facets(
    titles: Sequence[str],
    *,
    columns: int,
    width: int = 1040,
    height: int = 200,
    top: int = 30,
    margins: tuple[int, int, int, int] = _MARGINS,
) -> tuple[Figure, list[Axes]]:
    """Return a figure with one titled plot for each of the titles, row by row; `height` is a row's, `top` is left for a legend."""
    columns = min(columns, max(len(titles), 1))
    rows = -(-len(titles) // columns)
    whole = top + rows * height
    figure = Figure(figsize=(width / _DPI, whole / _DPI), dpi=_DPI)
    figure.patch.set_alpha(0)
    left, right, above, below = margins
    plots = []
    for number, title in enumerate(titles):
        row, column = divmod(number, columns)
        x = column * width / columns + left
        y = whole - top - (row + 1) * height + below
        size = (width / columns - left - right, height - above - below)
        axes = figure.add_axes((x / width, y / whole, size[0] / width, size[1] / whole))
        axes.patch.set_alpha(0)
        axes.set_title(label(title), pad=6)
        plots.append(axes)
    return figure, plots


def element(figure: Figure, name: str, caption: str) -> str:
    """Return a figure as an ``<svg>`` element; `name` has to be unique in a page, `caption` is read out to who cannot see it."""
    file = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": name}):
        figure.savefig(file, format="svg", metadata=_UNDATED)
    drawn = file.getvalue()
    body = drawn[drawn.index("<svg") :]
    body = re.sub(r"<!--.*?-->|<metadata>.*?</metadata>|<style.*?</style>", "", body, flags=re.DOTALL)
    box = re.search(r'viewBox="([^"]*)"', body)
    content = body[body.index(">") + 1 :]
    used = set(re.findall(r'(?:href="|url\()#([^")]+)', content))
    content = re.sub(r' id="([^"]*)"', lambda match: match[0] if match[1] in used else "", content)
    content = re.sub(r"<[^>]+>", lambda tag: _tag(tag[0]), content)
    content = re.sub(r"\s*\n\s*", "\n", content)
    before = ""
    while before != content:
        before, content = content, re.sub(r"<(g|defs)>\s*</\1>\n?|<g/>\n?", "", content)
    size = box[1] if box else "0 0 0 0"
    return f'<svg viewBox="{size}" role="img" aria-label="{html.escape(caption)}">{content}'


def _tag(tag: str) -> str:
    """Return a tag with the page's colours and font, and no more digits than a screen can show."""
    tag = re.sub(r"#0102[0-9a-f]{2}", lambda match: _VARIABLES.get(match[0]) or f"var(--v{int(match[0][5:], 16) - _SERIES})", tag)
    tag = re.sub(r"(\d+\.\d)\d+(?=[ \"\n])", r"\1", tag)
    return re.sub(r" transform=\"rotate\(-0 [^\"]*\"|font-family: 'DejaVu Sans'; |; stroke-linecap: square", "", tag)
