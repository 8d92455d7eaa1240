# SPDX-License-Identifier: GPL-2.0-only
"""Findings in words: a line for each cause, and the lines of the log that matter."""

from __future__ import annotations

import msgspec

from harness import excerpt
from harness.causes import Cause
from harness.report import text
from harness.trouble import Trouble

_USUAL = ("perf",)
"""profiles that go without saying"""
_SCREEN = 40
"""lines of a log that fit on one"""


def sentence(cause: Cause) -> str:
    """Return all of a cause in a line: who showed what, blamed on what, in which tests and how many boots."""
    trouble = cause.first.trouble
    placed = text.placed(trouble)
    profiles = "" if cause.profiles == _USUAL else f", {text.listed(cause.profiles)}"
    where = f"{cause.variant} on {text.listed(cause.machines)}{profiles}"
    blamed = f" ({placed})" if placed else ""
    seen = f"{_tests(cause)}, {boots(cause)}"
    if cause.expected:
        return f"known bug: {where}: {trouble.kind}: {trouble.title} in {seen}: {cause.expected}"
    return f"FINDING: {where}: {trouble.kind}: {trouble.title}{blamed} in {seen}"


def short(trouble: Trouble) -> str:
    """Return what a trouble is in a few words: its kind and whom to blame, or its title where nobody is known."""
    placed = text.placed(trouble)
    return f"{trouble.kind} {placed}" if placed else f"{trouble.kind}: {trouble.title}"


class Log(msgspec.Struct, frozen=True):
    """A finding's lines of a log, as a page shows them: a screen at once, and the rest when asked."""

    shown: str
    rest: str
    more: str
    """what the rest is called"""


def log(trouble: Trouble) -> Log:
    """Return the lines that a page shows; of a test that failed only those that matter, whatever its record has besides."""
    if trouble.kind == "test-failed":
        return Log(excerpt.matters(trouble, excerpt.BEFORE + excerpt.AFTER + 1), "", "")
    lines = trouble.text.splitlines()
    rest = lines[_SCREEN:]
    return Log("\n".join(lines[:_SCREEN]), "\n".join(rest), f"{text.number(len(rest), 'more line')} of the log")


def boots(cause: Cause) -> str:
    """Return in how many boots it was seen, such as ``x 3 boots``."""
    return f"x {text.number(cause.boots, 'boot')}"


def _tests(cause: Cause) -> str:
    first, *others = cause.tests
    return f"{first} and {text.number(len(others), 'more test')}" if others else first
