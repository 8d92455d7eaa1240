# SPDX-License-Identifier: GPL-2.0-only
"""The checks of a series, for the terminal and for a mail."""

from __future__ import annotations

from rich import box
from rich.table import Table
from rich.text import Text

from harness.model.series_check import Checked
from harness.text import counted


def table(checked: Checked) -> Table:
    """Return a table with a row for each check, and below it what was found."""
    made = Table(box=box.SIMPLE_HEAD, pad_edge=False, title=_title(checked), title_justify="left")
    for column in ("check", "result", "what"):
        made.add_column(column)
    for check in checked.checks:
        made.add_row(check.name, check.state.value, Text("\n".join((check.summary, *check.details))))
    return made


def mail(checked: Checked) -> str:
    """Return the same as plain text."""
    width = max(len(check.name) for check in checked.checks)
    lines = [_title(checked), ""]
    for check in checked.checks:
        lines.append(f"{check.name:{width}}  {check.state.value}: {check.summary}")
        lines += [f"{'':{width}}    {detail}" for detail in check.details]
    return "\n".join(lines) + "\n"


def _title(checked: Checked) -> str:
    return f"{checked.series}: {counted(checked.patches, 'patch', 'patches')} on Linux {checked.base}"
