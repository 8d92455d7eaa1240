# SPDX-License-Identifier: GPL-2.0-only
"""The tests of the module, for the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.console import RenderableType
from rich.table import Table

from harness.model import catalog


def tables(names: Sequence[str]) -> RenderableType:
    """Return a table with the tests `names`, in the order in which they run."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("test", no_wrap=True)
    table.add_column("kind")
    table.add_column("one operation")
    operations = catalog.operations()
    for test in catalog.suite().tests:
        if test.name in names:
            table.add_row(test.name, test.kind, operations[test.name].replace("`", ""))
    return table
