# SPDX-License-Identifier: GPL-2.0-only
"""The history on the terminal and as a page: the runs, and each test's figure from run to run."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

import msgspec
from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from harness import text
from harness.model.matrix import variant_order
from harness.report import level_steps, phrases
from harness.report.fitted import Fitted
from harness.report.template import render
from harness.stats.trend import RunRow, Trend

_BARS = "▁▂▃▄▅▆▇"
"""an odd number, so that a steady value lies in the middle of a bar, and noise does not move it to another"""
_LAST = 30
"""runs that the terminal shows"""
_FLAT = 0.04
"""share of the middle that a sparkline spans at least, so that noise is drawn flat"""
UNPROVEN = (
    "Kernels are not proven if their boots did not show that they ran what was built. Older runs had no such check: on x86_64 the"
    " image of another series may have run in them."
)
_LIMIT = "Changes here are of medians alone; `invoke compare` says whether they are significant."


class _Table(msgspec.Struct, frozen=True):
    """Trends that share a table: one machine, clock, kernel, toolchain and amount of work."""

    title: str
    trends: tuple[Trend, ...]


def runs(rows: Sequence[RunRow]) -> RenderableType:
    """Return the newest runs, newest last, for the terminal."""
    title = f"{len(rows)} run{'' if len(rows) == 1 else 's'}" + (f", the last {_LAST}" if len(rows) > _LAST else "")
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("run")
    for name in ("Linux", "work", "clock", "tests"):
        table.add_column(name)
    for row in rows[-_LAST:]:
        name = f"{row.name} (baseline)" if row.baseline else row.name
        style = "bold red" if row.unexpected or row.outcomes.get("error") else "" if row.complete else "yellow"
        table.add_row(*_cells(name, row.built, row.work, " ".join(row.clocks), went(row)), style=style)
    return Group(Fitted(table), *([] if all(row.proven for row in rows) else [Text(UNPROVEN, style="dim")]))


def terminal(trends: Sequence[Trend]) -> RenderableType:
    """Return a table for each kind of run: a sparkline of the last runs, the newest figure and its changes."""
    tables = []
    for group in _groups(trends):
        table = Table(
            title=Text(text.plain(f"{group.title}: median ±spread")), title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False
        )
        table.add_column("test")
        table.add_column("variant")
        table.add_column("last runs")
        for name in ("newest", "since previous", "since baseline"):
            table.add_column(name, justify="right")
        for trend in group.trends:
            line = sparkline([figure.median for figure in trend.figures[-_LAST:]])
            table.add_row(*_cells(trend.of.test, _variant(trend), line, phrases.value(trend.last.summary), *changes(trend)))
        tables.append(Fitted(table))
    return Group(*tables, Text(f"{phrases.SIGN} {_LIMIT}" if tables else "The history has no figures yet.", style="dim"))


def sparkline(values: Sequence[float]) -> str:
    """Return one bar a value. The scale goes from the lowest to the highest, and is wider if these are close."""
    low, high = min(values), max(values)
    short = max(_FLAT * (low + high) / 2 - (high - low), 0.0)
    low, high = low - short / 2, high + short / 2
    span = high - low or 1.0
    return "".join(_BARS[min(int((value - low) / span * len(_BARS)), len(_BARS) - 1)] for value in values)


def changes(trend: Trend) -> tuple[str, str]:
    """Return the changes since the previous run and since the baseline; ``-`` if there is none."""
    return phrases.changed(trend.since_previous), phrases.changed(trend.since_baseline)


def went(row: RunRow) -> str:
    """Return the outcomes of a run's tests, in words."""
    parts = phrases.outcomes(row.outcomes)
    if not row.complete:
        parts.append(f"{row.planned - row.results} missing")
    if not row.proven:
        parts.append("kernels not proven")
    if row.unexpected:
        parts.append(f"{row.unexpected} unexpected finding{'s' if row.unexpected > 1 else ''}")
    if row.dismissed:
        parts.append(f"{phrases.number(row.dismissed, 'finding')} dismissed")
    return ", ".join(parts) or "none"


def page(rows: Sequence[RunRow], trends: Sequence[Trend]) -> str:
    """Return the history as an HTML page that needs no network."""
    # Matplotlib takes half a second to import, which the terminal should not wait for.
    from harness.report.plots import trends as plots
    from harness.report.plots.canvas import Palette

    palette = Palette(tuple(sorted({trend.of.variant for trend in trends}, key=variant_order)))
    groups = [
        (group, plots.plot(group.trends, palette, f"trend-{number}", group.title)) for number, group in enumerate(_groups(trends))
    ]
    return render(
        "history.html.j2",
        {"changes": changes, "went": went, "value": phrases.value},
        runs=rows[::-1],
        groups=groups,
        steps=(found := level_steps.rows(trends)),
        steps_told=level_steps.conclusion(trends, found),
        steps_about=level_steps.ABOUT,
        palette=palette,
        limit=" ".join((phrases.SIGN, _LIMIT, *([] if all(row.proven for row in rows) else [UNPROVEN]))),
    )


def _groups(trends: Sequence[Trend]) -> list[_Table]:
    def key(trend: Trend) -> tuple[str, ...]:
        of = trend.of
        return of.machine, of.clock, of.built, of.work, of.unit

    return [
        _Table(f"{machine}, {clock}, Linux {built}, scale {work}, {unit}", tuple(group))
        for (machine, clock, built, work, unit), group in groupby(sorted(trends, key=key), key=key)
    ]


def _cells(*words: str) -> list[Text]:
    return [Text(text.plain(word)) for word in words]


def _variant(trend: Trend) -> str:
    """Return the variant, and the profile where it is not the usual one."""
    return trend.of.variant if trend.of.profile == "perf" else f"{trend.of.variant}/{trend.of.profile}"
