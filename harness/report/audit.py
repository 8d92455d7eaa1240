# SPDX-License-Identifier: GPL-2.0-only
"""Results of an audit, for the terminal."""

from __future__ import annotations

from rich import box
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from harness import text
from harness.model.audit import Audit


def tables(audit: Audit) -> RenderableType:
    """Return a table with a line for each file of a cell, and the conclusion of the audit below it."""
    title = f"{audit.cell}: kernel {audit.key}, built again without any cache in {audit.seconds:.0f} s"
    table = Table(title=escape(title), title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("file", no_wrap=True)
    table.add_column("cache against built again", overflow="fold")
    for one in audit.compared:
        style = "bold red" if one.difference else "yellow" if one.skipped else ""
        table.add_row(escape(one.file), escape(text.plain(one.words)), style=style)
    return Group(table, *(Text(text.plain(line), style="bold red" if audit.differing else "") for line in audit.sentences))
