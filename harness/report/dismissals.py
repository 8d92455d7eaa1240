# SPDX-License-Identifier: GPL-2.0-only
"""Dismissals in words, and as a table for the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from harness import text
from harness.report.fitted import Fitted
from harness.stats.dismissals import Dismissal


def table(dismissals: Sequence[Dismissal]) -> RenderableType:
    """Return a row for each dismissal."""
    if not dismissals:
        return Text("Nothing is dismissed.")
    shown = Table("fingerprint", "since", "finding", "reason", box=box.SIMPLE_HEAD, pad_edge=False)
    for one in dismissals:
        shown.add_row(*(Text(text.plain(cell)) for cell in (one.fingerprint, one.date[:10], one.title, one.why)))
    return Fitted(shown)


def done(of: Dismissal) -> str:
    """Return a sentence about a finding that was dismissed."""
    return (
        f"{of.fingerprint} is dismissed ({of.title}): {of.why}. Later reports list it as dismissed;"
        " `invoke report RUN` makes that of an earlier run again."
    )


def undone(of: Dismissal) -> str:
    """Return a sentence about a dismissal that was taken back."""
    return f"{of.fingerprint} is no longer dismissed ({of.title}; the reason was: {of.why})."
