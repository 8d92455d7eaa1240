# SPDX-License-Identifier: GPL-2.0-only
"""Differences by function: a table on a terminal, JSON, and the rows of a page and of a mail."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec
from rich import box
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from harness.model.attribution import LockedSection
from harness.report.fitted import Fitted
from harness.stats.why import FunctionRow, LineRow, Why

ABOUT = (
    "Instructions an operation that QEMU counted in the timed loop, in a boot of its own: those of a function itself, without"
    " what it calls. A function is shown that differs by at least a thousandth of stock's sum. As that boot is one more, the"
    " change may lie outside of the interval of the comparison."
)
LOCKS = (
    "Counted exactly by QEMU in the timed loop of the same boot: from where a function took a spinlock or disabled interrupts, with"
    " nothing held and nothing disabled before, to where the last lock was released and interrupts were enabled. An interrupt in"
    " the middle counts, and a tick of the clock may decide which short section is the longest. The profile latency's tracer sees"
    " all of preemption, but costs instructions itself."
)
_MOST = 20
"""functions of a table on a terminal"""
_LINES = 6
"""lines of a function"""


class Shown(msgspec.Struct, frozen=True):
    """The functions of one comparison that are shown, and the sum of all others."""

    of: Why
    rows: tuple[FunctionRow, ...]
    others: FunctionRow
    sum: FunctionRow

    @property
    def id(self) -> str:
        """Anchor in a page."""
        return f"why-{self.of.machine}-{self.of.profile}-{self.of.test}-{self.of.variant}".replace("@", "_at_").replace("/", "_")

    @property
    def title(self) -> str:
        """A heading: what is compared, and the difference of the sums."""
        of = self.of
        share = f" ({100 * of.share:+.1f} %)" if of.stock.sum else ""
        none = "" if self.rows else "; no function differs by a thousandth"
        return f"{of.test}, {of.machine}, {of.variant} against {of.against}: {of.change:+,.1f} instructions/op{share}{none}"

    @property
    def largest(self) -> float:
        """The largest difference, which a bar of full length stands for."""
        return max((abs(row.change) for row in self.rows), default=0.0)


def shown(of: Why, most: int = _MOST) -> Shown:
    """Return at most `most` functions that differ, and the rest as one row."""
    rows = of.changed[:most]
    named = {(row.module, row.file, row.function) for row in rows}
    rest = [row for row in of.rows if (row.module, row.file, row.function) not in named]
    others = FunctionRow(f"{len(rest)} others", "", "", sum(row.stock for row in rest), sum(row.value for row in rest), ())
    return Shown(of, rows, others, FunctionRow("sum", "", "", of.stock.sum, of.value.sum, ()))


def tables(every: Iterable[Why], *, lines: bool = False) -> RenderableType:
    """Return a table for each comparison; with `lines` each function has the source lines that differ most."""
    return Group(*(part for of in every for part in _parts(shown(of), lines=lines)))


def _parts(of: Shown, *, lines: bool) -> list[RenderableType]:
    measured = f"by the clock {of.of.stock.measured:,.1f} and {of.of.value.measured:,.1f}"
    doubts = [Text(doubt, style="bold yellow") for doubt in of.of.doubts]
    title = Text(f"{of.title}; {measured}", style="bold")
    if not of.rows:
        return [title, *doubts]
    return [title, Fitted(_table(of, lines=lines, narrow=False), _table(of, lines=lines, narrow=True)), *doubts]


def _table(of: Shown, *, lines: bool, narrow: bool) -> Table:
    """Return a table; a `narrow` one has no files."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    table.add_column("function")
    if not narrow:
        table.add_column("file")
    for title in (of.of.against, of.of.variant, "change"):
        table.add_column(escape(title), justify="right")
    for row in (*of.rows, of.others, of.sum):
        figures = [f"{row.stock:,.1f}", f"{row.value:,.1f}", f"{row.change:+,.1f}"]
        cells = [row.function, *([] if narrow else [place(row)]), *figures]
        table.add_row(*map(escape, cells), style="bold" if row is of.sum else "dim" if row is of.others else "")
        if lines:
            for line in row.lines[:_LINES]:
                where = f"{line.file.rpartition('/')[2]}:{line.line}"
                name = f"  {worded(line)}" if not narrow else f"  {where} {worded(line)}"
                numbers = [f"{line.stock:,.1f}", f"{line.value:,.1f}", f"{line.change:+,.1f}"]
                table.add_row(*map(escape, [name, *([] if narrow else [where]), *numbers]), style="cyan")
        else:
            for inlined, change in parts(row):
                table.add_row(escape(f"  in it, {inlined}"), *([] if narrow else [""]), "", "", f"{change:+,.1f}", style="dim")
    return table


def longest(locked: Iterable[LockedSection]) -> list[LockedSection]:
    """Return the longest section of each machine, profile, performance test and variant, in the order given."""
    groups: dict[tuple[str, str, str, str], LockedSection] = {}
    for of in (one for one in locked if not one.axis):
        key = (of.machine, of.profile, of.test, of.variant)
        if key not in groups or of.longest > groups[key].longest:
            groups[key] = of
    places = list(dict.fromkeys((of.machine, of.profile) for of in groups.values()))
    tests = list(dict.fromkeys(of.test for of in groups.values()))
    return sorted(groups.values(), key=lambda of: (places.index((of.machine, of.profile)), tests.index(of.test)))


def place(row: FunctionRow) -> str:
    """Return the file of a function, with the module that it is part of."""
    return f"{row.file} [{row.module}]" if row.module else row.file


def worded(line: LineRow) -> str:
    """Return a line's text, behind the inlined function that it belongs to."""
    return f"{line.inlined}: {line.text}" if line.inlined else line.text


def parts(row: FunctionRow) -> Sequence[tuple[str, float]]:
    """Return the inlined functions that make up at least a tenth of a function's difference, at most three."""
    return [(name, change) for name, change in row.inlined if abs(change) >= max(abs(row.change) / 10, 1.0)][:3]


def as_json(every: Iterable[Why], *, lines: bool = False) -> str:
    """Return all functions that differ, or with `lines` their source lines, as a JSON array."""
    rows = [_object(of, row, line) for of in every for row in of.rows for line in (row.lines if lines else (None,))]
    return msgspec.json.format(msgspec.json.encode([row for row in rows if row["change"]])).decode()


def _object(of: Why, row: FunctionRow, line: LineRow | None) -> dict[str, object]:
    counted = line or row
    figures = {"stock": round(counted.stock, 3), "value": round(counted.value, 3)}
    named: dict[str, object] = {
        "machine": of.machine,
        "profile": of.profile,
        "test": of.test,
        "variant": of.variant,
        "function": row.function,
        "file": row.file,
    }
    if line:
        named |= {"inlined": line.inlined, "line_file": line.file, "line": line.line, "text": line.text}
    return named | figures | {"change": round(counted.change, 3)}
