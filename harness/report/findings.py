# SPDX-License-Identifier: GPL-2.0-only
"""Findings in words: a line for each cause, the reasons for which tests ended, and the lines of the log that matter."""

from __future__ import annotations

import msgspec

from harness.kernlog import excerpt
from harness.model.trouble import Trouble
from harness.report import phrases
from harness.stats.causes import Cause, Reason, Recurring

_USUAL = ("perf",)
"""profiles that go without saying"""
_SCREEN = 40
"""lines of a log that fit on a screen"""


def sentence(cause: Cause) -> str:
    """Return a cause in one line: variant, machines, trouble, function, tests, number of boots and fingerprint."""
    where, seen = places(cause)
    if cause.expected:
        return f"known bug: {where}: {cause.first.trouble.kind}: {cause.first.trouble.title} in {seen}: {cause.expected}"
    told = f"{where}: {what(cause)} in {seen} [{cause.fingerprint}]"
    return f"dismissed {cause.dismissed} ({told})" if cause.dismissed else f"FINDING: {told}"


def what(cause: Cause) -> str:
    """Return the trouble of a cause: its kind, title and place."""
    trouble = cause.first.trouble
    placed = phrases.placed(trouble)
    return f"{trouble.kind}: {trouble.title}{f' ({placed})' if placed else ''}"


def places(cause: Cause) -> tuple[str, str]:
    """Return where a cause was seen: the cells, and the tests with the number of boots."""
    profiles = "" if cause.profiles == _USUAL else f", {phrases.listed(cause.profiles)}"
    return f"{cause.variant} on {phrases.listed(cause.machines)}{profiles}", f"{_tests(cause)}, {boots(cause)}"


def where(reason: Reason) -> str:
    """Return whose tests ended for a reason: their cells and tests, and in how many boots if it was more than one result."""
    cells = dict.fromkeys(f"{one.machine}/{one.variant}/{one.profile}" for one in reason.results)
    again = f", {boots(reason)}" if len(reason.results) > 1 else ""
    return f"{phrases.listed(tuple(cells))} {_tests(reason)}{again}"


def short(trouble: Trouble) -> str:
    """Return a trouble in a few words: its kind and the function to blame, or its title if no function is known."""
    placed = phrases.placed(trouble)
    return f"{trouble.kind} {placed}" if placed else f"{trouble.kind}: {trouble.title}"


class Log(msgspec.Struct, frozen=True):
    """A finding's lines of a log, as a page shows them: a screen at once, and the rest when asked."""

    shown: str
    rest: str
    more: str
    """title of the rest"""


def log(trouble: Trouble) -> Log:
    """Return the lines that a page shows; of a failed test only those that matter."""
    if trouble.kind == "test-failed":
        return Log(excerpt.matters(trouble, excerpt.BEFORE + excerpt.AFTER + 1), "", "")
    lines = trouble.text.splitlines()
    rest = lines[_SCREEN:]
    return Log("\n".join(lines[:_SCREEN]), "\n".join(rest), f"{phrases.number(len(rest), 'more line')} of the log")


def boots(of: Recurring) -> str:
    """Return the number of boots that showed it, such as ``x 3 boots``."""
    return f"x {phrases.number(of.boots, 'boot')}"


def _tests(of: Recurring) -> str:
    sizes: dict[str, list[str]] = {}
    for test in of.tests:
        sizes.setdefault(test.partition("@")[0], []).append(test)
    (first, names), *others = sizes.items()
    label = f"{first} at {len(names)} sizes" if len(names) > 1 else names[0]
    return f"{label} and {phrases.number(len(others), 'more test')}" if others else label
