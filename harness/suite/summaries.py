# SPDX-License-Identifier: GPL-2.0-only
"""Reads the lines in which the kernel's own lib/test_vmalloc.c reports its tests, as it does since Linux 5.1."""

from __future__ import annotations

import re
from collections.abc import Iterable

import msgspec

_SUMMARY = re.compile(
    r"Summary: (\S+) passed: (\d{1,15}) failed: (\d{1,15})(?: xfailed: (\d{1,15}))? repeat: (\d{1,15})"
    r" loops: (\d{1,15}) avg: (\d{1,15}) usec$"
)
"""one for each test and worker; later releases count tests that were to fail apart"""
_OVER = re.compile(r"All test took (?:CPU|worker)(\d{1,9})=\d+ cycles$")
"""behind the summaries of a worker; 5.1 calls it by its CPU"""


class Summary(msgspec.Struct, frozen=True):
    """All repeats of one test in one worker."""

    test: str
    worker: int
    passed: int
    failed: int
    xfailed: int
    """number that failed as they were to"""
    repeats: int
    loops: int
    microseconds: int
    """mean time of a repeat"""

    @property
    def fault(self) -> str:
        """The reason why it counts as failed; empty if there is none."""
        if self.failed:
            return f"{self.failed} of {self.repeats} repeats failed"
        done = self.passed + self.xfailed
        return f"{done} of {self.repeats} repeats have a result" if done != self.repeats or not done else ""

    @property
    def timed(self) -> bool:
        """True if its time is that of operations that were done: each repeat passed, and the clock has seen it."""
        return not self.fault and not self.xfailed and self.loops > 0 and self.microseconds > 0


class Report(msgspec.Struct, frozen=True):
    """The lines of one load."""

    summaries: tuple[Summary, ...]
    unfinished: bool
    """True if summaries came of a worker that did not end"""


def parse(lines: Iterable[str]) -> Report:
    """Return what `lines` of a kernel log report, whatever is before it in a line."""
    done: list[Summary] = []
    waiting: list[Summary] = []
    for line in lines:
        if match := _SUMMARY.search(line):
            passed, failed, xfailed, repeats, loops, microseconds = (int(match[n] or 0) for n in range(2, 8))
            waiting.append(Summary(match[1], 0, passed, failed, xfailed, repeats, loops, microseconds))
        elif match := _OVER.search(line):
            done += (msgspec.structs.replace(summary, worker=int(match[1])) for summary in waiting)
            waiting = []
    return Report((*done, *waiting), unfinished=bool(waiting))
