# SPDX-License-Identifier: GPL-2.0-only
"""What an audit found, on the terminal."""

from __future__ import annotations

from rich import box
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from harness import text
from harness.model.audit import Audit


def tables(found: Audit) -> RenderableType:
    """Return a line for each file of a cell, and below them what the audit comes to."""
    title = f"{found.cell}: kernel {found.key}, built again without any cache in {found.seconds:.0f} s"
    table = Table(title=escape(title), title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("file", no_wrap=True)
    table.add_column("cache against built again", overflow="fold")
    for one in found.compared:
        style = "bold red" if one.difference else "yellow" if one.skipped else ""
        table.add_row(escape(one.file), escape(text.plain(one.words)), style=style)
    return Group(table, *(Text(text.plain(line), style="bold red" if found.differing else "") for line in found.sentences))
