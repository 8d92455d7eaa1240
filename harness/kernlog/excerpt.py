# SPDX-License-Identifier: GPL-2.0-only
"""Selects the lines of a log that matter: the line that reports a failure, with its context."""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from harness.model.trouble import OWN, Trouble

BEFORE, AFTER = 10, 5
"""lines of context around the line that reports a test's failure"""
_ENOUGH = 3
"""words of a title that identify its line: the title lacks the addresses, which come later in the line"""
_WORD = re.compile(r"\w+")


class Excerpt(msgspec.Struct, frozen=True):
    """Some lines of a log."""

    text: str
    first: int
    """number of the first line in the log, from 1"""
    last: int


def failure(log: str, first: int, test: str) -> Excerpt:
    """Return the line of a console's log in which the module reports that `test` failed, with its context.

    `test` may be of a subtest, ``SUITE.TEST``, or empty for the module itself. `first` is the number of the log's first line.
    If no line reports the failure, the last lines of the log are returned.
    """
    lines = log.splitlines()
    name = re.escape(test.rpartition(".")[2] or test)  # of a subtest, whose suite has lines of its own
    result = re.compile(rf"not ok \d+ (?:- )?{name}\b|Summary: {name} ")
    results = [number for number, line in enumerate(lines) if test and result.search(line)]
    start, end = (results[-1] - BEFORE, results[-1] + AFTER + 1) if results else (len(lines) - BEFORE - AFTER - 1, len(lines))
    start = max(start, 0)
    chosen = lines[start:end]
    return Excerpt("\n".join(chosen), first + start, first + start + max(len(chosen) - 1, 0))


def matters(of: Trouble, most: int) -> str:
    """Return at most `most` lines of a trouble's text, those that matter most.

    For a kernel's report these are the line of its title and the lines after it; for a test that failed its result
    with context; for a trouble that the rig saw itself, such as a hang, the last lines before it.
    """
    lines = [line for line in of.text.splitlines() if line.strip()]
    if of.kind == "test-failed":
        place = _result(of, lines)
        start = len(lines) - most if place is None else min(place - most // 2, len(lines) - most)
    elif of.kind in OWN:
        start = len(lines) - most
    else:
        start = _title(of, lines)
    return "\n".join(lines[max(start, 0) :][:most])


def _result(of: Trouble, lines: Sequence[str]) -> int | None:
    """Return the number, from 0, of the line with the result of the test that failed."""
    results = [number for number, line in enumerate(lines) if "not ok " in line]
    return next((number for number in results if of.title in lines[number]), results[-1] if results else None)


def _title(of: Trouble, lines: Sequence[str]) -> int:
    """Return the number, from 0, of the line with the title of a kernel's report; 0 if no line has it."""
    words = " ".join(_WORD.findall(of.title)[:_ENOUGH])
    return next((number for number, line in enumerate(lines) if words in " ".join(_WORD.findall(line))), 0)
