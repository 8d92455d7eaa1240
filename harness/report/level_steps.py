# SPDX-License-Identifier: GPL-2.0-only
"""The steps of the history in words: where the level of a figure changed, by how much, and the runs before and after."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec
from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from harness import text
from harness.report import phrases
from harness.report.fitted import Fitted
from harness.stats import level_steps
from harness.stats.level_steps import FEWEST, MOST, SHORTEST, SIGNIFICANT, SMALLEST, LevelStep
from harness.stats.trend import Trend

_LAST = 10
"""steps that the terminal shows"""
ABOUT = (
    "At a step the level of a figure changed from one run to the next, by more than its noise. Here a plus means that it costs"
    f" more since then. A level is at least {SHORTEST} runs long: a step is not told before there are so many. It is at least"
    f" {SMALLEST:g} %, and p, corrected for all places, is below {SIGNIFICANT:g}. The last {MOST} runs are searched."
)


class Row(msgspec.Struct, frozen=True):
    """A step with the trend that it is in."""

    trend: Trend
    step: LevelStep

    @property
    def where(self) -> str:
        """The machine, clock, kernel, toolchain, amount of work and profile."""
        of = self.trend.of
        profile = "" if of.profile == "perf" else f", profile {of.profile}"
        return f"{of.machine}, {of.clock}, Linux {of.built}, scale {of.work}{profile}"

    @property
    def change(self) -> str:
        """The change in per cent; a plus costs more."""
        return f"{phrases.percent(self.step.change)} %"

    @property
    def before(self) -> str:
        """The level before, with its number of runs."""
        return _level(self.step.before, self.step.runs[0])

    @property
    def after(self) -> str:
        """The level since, with its number of runs."""
        return _level(self.step.after, self.step.runs[1])


def rows(trends: Sequence[Trend]) -> list[Row]:
    """Return the steps of all trends, newest first."""
    found = [Row(trend, step) for trend in trends for step in level_steps.steps(trend)]
    return sorted(found, key=lambda row: (row.step.first.started, row.step.first.run), reverse=True)


def conclusion(trends: Sequence[Trend], found: Sequence[Row]) -> str:
    """Return a sentence with the number of steps, and of the trends that are too short for one."""
    short = sum(len(trend.figures) < FEWEST for trend in trends)
    if short == len(trends):
        return f"No trend has {FEWEST} runs yet; fewer are too few to tell a step from noise."
    count = f"{phrases.number(len(found), 'step')}, newest first" if found else "No step"
    few = f"; {short} of {phrases.number(len(trends), 'trend')} have fewer than {FEWEST} runs, too few to tell" if short else ""
    return f"{count}{few}."


def terminal(trends: Sequence[Trend]) -> RenderableType:
    """Return the newest steps for the terminal; nothing where there is no trend."""
    if not trends:
        return Group()
    found = rows(trends)
    said = conclusion(trends, found)
    if not found:
        return Text(f"{said}\n", style="dim")
    more = f" The first {_LAST} are here, all are on the page." if len(found) > _LAST else ""
    title = f"{said}{more}"
    tables = (_table(title, found[:_LAST], name) for name in (str, phrases.short_test))
    return Group(Fitted(*tables), Text(f"{ABOUT}\n", style="dim"))


def _table(title: str, found: Sequence[Row], name: Callable[[str], str]) -> Table:
    """Return the steps as a table in which tests are called what `name` makes of their names."""
    table = Table(title=Text(title), title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("between these runs")
    table.add_column("test, variant")
    for column in ("before", "after", "change"):
        table.add_column(column, justify="right")
    for row in found:
        of, step = row.trend.of, row.step
        test = f"{name(of.test)}\n{of.variant}, {row.where}"
        cells = (f"{step.last.run}\n{step.first.run}", test, row.before, row.after, row.change)
        table.add_row(*(Text(text.plain(cell)) for cell in cells), style="bold" if step.change > 0 else "")
    return table


def _level(median: float, runs: int) -> str:
    return f"{text.figure(median)}\n{phrases.number(runs, 'run')}"
