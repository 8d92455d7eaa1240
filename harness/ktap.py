# SPDX-License-Identifier: GPL-2.0-only
"""Reads the test module's KTAP lines out of a kernel log."""

from __future__ import annotations

import re

import msgspec

_PREFIX = "vmalloc_test: "
_RESULT = re.compile(r"^(ok|not ok) (\d{1,20}) (\w+)(?: # ?(.*))?$")
_PLAN = re.compile(r"^1\.\.(\d{1,20})$")
_SAMPLE = re.compile(r"^# sample test=(\w+) repeat=(\d{1,20}) thread=(\d{1,20}) cpu=\d{1,20} ops=(\d{1,20}) ns=(\d{1,20})$")


class Timing(msgspec.Struct, frozen=True):
    """One sample as the module prints it."""

    test: str
    repeat: int
    thread: int
    operations: int
    nanoseconds: int


class Outcome(msgspec.Struct, frozen=True):
    """One test's result line."""

    test: str
    ok: bool
    skipped: bool
    reason: str


class Report(msgspec.Struct, frozen=True):
    """What a load of the module reported."""

    planned: int | None
    """how many tests it announced; None if it did not get so far"""
    outcomes: tuple[Outcome, ...]
    timings: tuple[Timing, ...]

    @property
    def complete(self) -> bool:
        """Whether every announced test has a result."""
        return self.planned is not None and self.planned == len(self.outcomes)


def parse(log: str) -> Report:
    """Return what the lines of the module in a kernel log say; all others are passed over."""
    planned: int | None = None
    outcomes: list[Outcome] = []
    timings: list[Timing] = []
    for line in log.split("\n")[:-1]:  # what follows the last line's end is a line that was never finished
        _, prefix, text = line.partition(_PREFIX)
        text = text.rstrip()
        if not prefix:
            continue
        if plan := _PLAN.match(text):
            planned = int(plan[1])
        elif sample := _SAMPLE.match(text):
            timings.append(Timing(sample[1], *(int(sample[number]) for number in range(2, 6))))
        elif result := _RESULT.match(text):
            reason = result[4] or ""
            skipped = reason.upper().startswith("SKIP")
            outcomes.append(Outcome(result[3], result[1] == "ok", skipped, reason))
    return Report(planned, tuple(outcomes), tuple(timings))
