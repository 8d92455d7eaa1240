# SPDX-License-Identifier: GPL-2.0-only
"""Results of a self check, for the terminal."""

from __future__ import annotations

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from harness.model.clock import Clock
from harness.report.fitted import Fitted
from harness.stats.sensitivity import Sensitivity, Trial


def tables(of: Sensitivity) -> RenderableType:
    """Return one table per clock and machine: injected and measured changes, and the verdicts of the experiments."""
    groups: dict[tuple[Clock, str], list[Trial]] = {}
    for trial in of.trials:
        groups.setdefault((trial.clock, trial.machine), []).append(trial)
    shown: list[RenderableType] = [Fitted(_table(of, clock, machine, trials)) for (clock, machine), trials in groups.items()]
    shown += [
        Text(f"{machine}: two builds from scratch {'are the same, byte for byte' if same else 'differ'}.")
        for machine, same in of.identical.items()
    ]
    return Group(*shown, Text(f"Self check of {of.sentence()}"))


def _table(of: Sensitivity, clock: Clock, machine: str, trials: list[Trial]) -> Table:
    title = f"{machine}, {clock}: per cent more than stock, and the verdicts of experiments with {of.boots} boots each"
    table = Table(title=f"{title} (margin {of.margins[clock]:g} %)", title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("test")
    changes = sorted({trial.injected for trial in trials})
    for injected in changes:
        table.add_column(f"+{injected:.2f} %" if injected else "twin")
    by_place = {(trial.test, trial.injected): _cell(trial) for trial in trials}
    for test in dict.fromkeys(trial.test for trial in trials):
        cells = [by_place.get((test, injected), Text("-")) for injected in changes]
        table.add_row(f"{test} *" if test == of.yardstick else test, *cells)
    table.caption = (
        "* The changes are parts of this test's cost; the other tests cost more or less, so that they have other shares."
    )
    table.caption_justify = "left"
    return table


def _cell(trial: Trial) -> Text:
    verdicts = ", ".join(f"{trial.verdicts.count(verdict)} {verdict}" for verdict in dict.fromkeys(trial.verdicts))
    return Text(f"{trial.measured:+.2f}: {verdicts}", style="" if trial.right else "yellow" if trial.injected else "bold red")
