# SPDX-License-Identifier: GPL-2.0-only
"""The tests within a foreign module, in words and for a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from harness import text
from harness.stats.within import Tally

TITLE = "Tests within the module"
HEADS = ("passed", "failed", "skipped", "not run")
"""heads of the columns of `counts`"""


def counts(tally: Tally) -> tuple[str, ...]:
    """Return the numbers of a tally's loads; a dash stands for none."""
    return tuple(str(number or "-") for number in (tally.passed, tally.failed, tally.skipped, tally.missing))


def told(tallies: Sequence[Tally]) -> list[Tally]:
    """Return the tallies of the tests that did not pass in each load of each kernel."""
    bad = {tally.test for tally in tallies if not tally.good}
    return [tally for tally in tallies if tally.test in bad]


def sentence(tallies: Sequence[Tally]) -> str:
    """Return how many tests there are, and how many of them always passed."""
    every = len({tally.test for tally in tallies})
    bad = len({tally.test for tally in told(tallies)})
    return f"{text.counted(every, 'test')} within the module: {every - bad} passed in each load of each kernel."


def shown(tallies: Sequence[Tally]) -> RenderableType:
    """Return the sentence, and a table of the tests that it does not take in; nothing without tests."""
    if not tallies:
        return Group()
    table = Table(title=f"{TITLE}: number of loads", title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for head in ("test", "machine", "variant"):
        table.add_column(head)
    for head in HEADS:
        table.add_column(head, justify="right")
    for of in told(tallies):
        named = (escape(text.plain(name)) for name in (of.test, f"{of.machine}, {of.profile}", of.variant))
        table.add_row(*named, *counts(of), style="bold red" if of.failed else "")
    return Group(*([table] if table.row_count else []), Text(sentence(tallies)))
