# SPDX-License-Identifier: GPL-2.0-only
"""The steps of a task and their seconds, for the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich import box
from rich.table import Table
from rich.text import Text

from harness import text
from harness.model.timing import Span

WIDTH = 110
"""columns where no terminal has a say"""
_SHORT = 0.05
"""seconds below which time between two stages is left out"""


def table(spans: Sequence[Span], total: float) -> Table:
    """Return a table of all steps, and of the time between stages; what is done side by side has a line each."""
    rows = Table(box=box.SIMPLE_HEAD, pad_edge=False, title=f"{total:.1f} s in all", title_justify="left")
    for column, justify in (("from", "right"), ("seconds", "right"), ("stage", "left"), ("of", "left"), ("at", "left")):
        rows.add_column(column, justify=justify)  # type: ignore[arg-type]
    for span in sorted((*spans, *_between(spans, total)), key=lambda span: (span.began, span.of)):
        words = (Text(text.plain(word)) for word in (span.stage, span.of, span.what))
        rows.add_row(f"{span.began:.1f}", f"{span.seconds:.1f}", *words)
    return rows


def _between(spans: Sequence[Span], total: float) -> Iterator[Span]:
    """Yield the times in which no step was under way."""
    end, last = 0.0, ""
    for span in sorted(spans, key=lambda span: span.began):
        if span.began - end > _SHORT:
            yield Span("", "", f"between {last} and {span.stage}" if last else "start", end, span.began - end)
        if span.began + span.seconds > end:
            end, last = span.began + span.seconds, span.stage
    if total - end > _SHORT:
        yield Span("", "", f"after {last}" if last else "all", end, total - end)
