# SPDX-License-Identifier: GPL-2.0-only
"""Shows what every cell is doing: live on a terminal, as plain lines elsewhere."""

from __future__ import annotations

import threading
import time
from collections import Counter
from types import TracebackType

import pytest
from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from harness import text
from harness.commands import timings
from harness.commands.share import Share
from harness.stats.causes import alike
from harness.suite.calling import Stopped
from harness.suite.nodeid import name, why

_EVERY = 30.0
"""seconds between two plain lines about the same work"""


class Progress:
    """The work under way; a context manager that may be used from any thread."""

    def __init__(self, stage: str, console: Console | None = None) -> None:
        """Show the work of `stage`, such as ``build``."""
        self._stage = stage
        self._console = console or Console()
        self._rows: dict[str, tuple[str, bool]] = {}
        self._shown: dict[str, float] = {}
        self._lock = threading.Lock()
        self._started = time.monotonic()
        self._overall = ""
        self._live = Live(console=self._console, get_renderable=self._table, refresh_per_second=4)

    def __enter__(self) -> Progress:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None) -> None:
        if self._console.is_terminal:
            self._live.stop()

    def say(self, name: str, text: str) -> None:
        """Show that `name` is at `text`."""
        self._set(name, text, done=False)

    def done(self, name: str, text: str) -> None:
        """Show that `name` has ended, with `text`."""
        self._set(name, text, done=True)

    def leave(self, name: str, text: str) -> None:
        """Show that `name` has ended, with `text`, and no longer than that: there are more than fit on a screen."""
        self._set(name, text, done=True)
        with self._lock:
            del self._rows[name]

    def overall(self, text: str) -> None:
        """Show `text` of all the work."""
        self._overall = text

    def line(self, text: str) -> None:
        """Print one line that stays. A terminal would end its lines within words; a file has its own reader to do that."""
        self._console.print(text, markup=False, highlight=False, soft_wrap=not self._console.is_terminal)

    def _set(self, name: str, text: str, *, done: bool) -> None:
        if done:
            timings.HERE.ended(self._stage, name)
        else:
            timings.HERE.at(self._stage, name, text)
        with self._lock:
            new = name not in self._rows or done
            self._rows[name] = (text, done)
            if self._console.is_terminal:
                return
            now = time.monotonic()
            if new or now - self._shown.get(name, 0.0) >= _EVERY:
                self._shown[name] = now
                self.line(f"{self._stage} {name}: {text}{f'; in all {self._overall}' if self._overall else ''}")

    def _table(self) -> Table:
        with self._lock:
            table = Table.grid(padding=(0, 2))
            for name, (text, done) in self._rows.items():
                style = "dim" if done else ""
                table.add_row(Text(self._stage, style="bold"), Text(name), Text(text), style=style)
            whole = Table.grid()
            whole.add_row(table)
            so_far = f"{time.monotonic() - self._started:.0f} s"
            whole.add_row(Text(f"{self._overall}; {so_far}" if self._overall else so_far, style="dim"))
            return whole


class Repeats:
    """Puts in short what was said of a variant before, in another place."""

    def __init__(self) -> None:
        """Nothing was said yet."""
        self._said: dict[tuple[str, str], tuple[str, int]] = {}

    def short(self, variant: str, reason: str, where: str) -> str:
        """Return `reason`, or where it was given first, and how often it was by now."""
        key = variant, alike(reason)
        first, count = self._said.get(key, (where, 0))
        self._said[key] = first, count + 1
        return f"as in {first}, x {count + 1}" if count else reason


class SuiteProgress(Stopped):
    """A pytest plugin that shows each VM's test, and each finding when it is made."""

    def __init__(self, progress: Progress) -> None:
        """Show on `progress`."""
        super().__init__()
        self._progress = progress
        self._share = Share()
        self._begun: dict[str, set[str]] = {}
        self._known: Counter[str] = Counter()
        self._repeats = Repeats()

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, node: object, ids: list[str]) -> None:
        """Count the tests of each VM. All workers have the same ones, and one that takes the place of another is later."""
        del node
        if not self._share.tests:
            self._share = Share(ids)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, error: object | None) -> None:
        """Say that a worker died; which test that cost its result, if any, is said of that one."""
        if error:
            self._progress.line("a worker process of the suite died; another one goes on")

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """Show the test that a VM is at."""
        of = name(nodeid)
        self._begun.setdefault(of.vm, set()).add(nodeid)
        self._progress.say(of.vm, f"test {len(self._begun[of.vm])} of {self._share.tests[of.vm] or '?'}: {of.test}")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Print a failure as soon as it is known."""
        of = name(report.nodeid)
        self._begun.setdefault(of.vm, set()).add(report.nodeid)
        self._share.spent(report.nodeid, report.duration)
        if report.failed:
            where = f"{of.vm} {of.test}"
            self._progress.line(text.plain(f"FAILED {where}: {self._repeats.short(of.cell.split('/')[1], why(report), where)}"))
        elif hasattr(report, "wasxfail") and report.skipped:
            self._known[of.vm] += 1  # the table at the end says which
        if report.when not in ("setup", "call"):
            self._share.ended(report.nodeid)
            self._progress.overall(str(self._share))
            if len(self._begun[of.vm]) == self._share.tests[of.vm]:
                known = f", {self._known[of.vm]} with a known bug" if self._known[of.vm] else ""
                self._progress.leave(of.vm, f"{self._share.tests[of.vm]} tests done{known}")
