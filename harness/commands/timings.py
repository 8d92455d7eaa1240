# SPDX-License-Identifier: GPL-2.0-only
"""Records what a task was at, and for how long: ``--timings`` behind any task shows it at the end."""

from __future__ import annotations

import atexit
import os
import re
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from rich.console import Console

from harness.model.timing import Span
from harness.report import timings as tables

OPTION = "--timings"
_START_TIME = 19
"""place in /proc/PID/stat, behind the command's name"""
_COUNT = re.compile(r" \d+( of \d+)?$")
"""a count that progress ends with: the work is the same one"""


class Record:
    """The steps of one process; it may be used from any thread."""

    def __init__(self, began: float, now: Callable[[], float] = time.monotonic) -> None:
        """Take `began` for the begin of the process, in seconds of the clock that `now` tells."""
        self._now = now
        self._began = began
        self._spans: list[Span] = []
        self._open: dict[tuple[str, str], tuple[str, float]] = {}
        self._lock = threading.Lock()

    def at(self, stage: str, of: str, text: str) -> None:
        """Note that `of` is at `text`, such as ``configuring``; what it was at before has ended."""
        what = _COUNT.sub("", text)
        with self._lock:
            before = self._open.get((stage, of))
            if before is None or before[0] != what:
                self._end(stage, of)
                self._open[stage, of] = what, self._now()

    def ended(self, stage: str, of: str) -> None:
        """Note that `of` has ended."""
        with self._lock:
            self._end(stage, of)

    def _end(self, stage: str, of: str) -> None:
        if begun := self._open.pop((stage, of), None):
            what, when = begun
            self._spans.append(Span(stage, of, what, when - self._began, self._now() - when))

    def spans(self) -> tuple[Span, ...]:
        """Return all steps in the order in which they began; what is open ends now."""
        with self._lock:
            for stage, of in list(self._open):
                self._end(stage, of)
            return tuple(sorted(self._spans, key=lambda span: span.began))

    @property
    def seconds(self) -> float:
        """Seconds since it began."""
        return self._now() - self._began


def _process_began() -> float:
    """Return when this process was started, in seconds of the monotonic clock."""
    ticks = Path("/proc/self/stat").read_text().rpartition(")")[2].split()[_START_TIME]
    return int(ticks) / os.sysconf("SC_CLK_TCK") - (time.clock_gettime(time.CLOCK_BOOTTIME) - time.monotonic())


HERE = Record(_process_began())
"""of this process"""


def asked(words: list[str]) -> None:
    """Remove the option from the words of a command line; if it was there, show the seconds when the process ends."""
    if OPTION in words:
        words[:] = [word for word in words if word != OPTION]
        atexit.register(_show)


def _show() -> None:
    # Not to standard output, which may be what another program reads, such as the JSON of kernlog.
    Console(file=sys.stderr, width=None if sys.stderr.isatty() else tables.WIDTH).print(tables.table(HERE.spans(), HERE.seconds))
