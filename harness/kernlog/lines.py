# SPDX-License-Identifier: GPL-2.0-only
"""Parses a line of a log: the kernel's text without the prefixes of consoles, journals and terminals."""

from __future__ import annotations

import re
from typing import NamedTuple

LONGEST = 2048
"""maximum bytes of a line that are read; a printk record has at most 1024"""

_PREFIX = re.compile(
    r"(?:\*\* \d+ printk messages dropped \*\* ?)?"
    r"(?:<\d{1,3}>)?"
    r"(?:(?:kern|user|daemon|auth|syslog|local\d) *:\w+ *: ?)?"
    r"(?:(?:[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d|\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d[\d.,:+-]*Z?):? +"
    r"(?:(?:[\w.-]+ +)(?:\w+\.\w+ +)?(?P<program>[\w./@()-]+)(?:\[\d+\])?: +)?)?"
    r"(?:<\d{1,3}>)?"
    r"(?:(?P<stamp>\[)(?: *(?P<time>\d+\.\d+)|[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \d{4})\] ?)?"
    r"(?:<\d{1,3}>)?"
    r"(?:\[ *(?P<caller>[TC]\d+)\] ?)?"
    r"(?:[\w.-]+ (?P<journal>kernel): )?"
)
_ANSI = re.compile(r"\x9b[0-9;?]*[ -/]*[@-~]|\x1b(?:\[[0-9;?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\^_c78=>])")


class LogLine(NamedTuple):
    """A line of a log, parsed."""

    text: str
    """text of the kernel's message with its leading blanks"""
    stream: str
    """source of the line: the caller's tag, such as ``T123`` or ``C0``; ``-`` for a line of the kernel's without a tag;
    empty if the line may not be the kernel's"""
    stamp: str | None
    """time since the boot, as text of the log: seconds with a point, or microseconds without one"""

    @property
    def time(self) -> float | None:
        """Seconds since the boot."""
        if not self.stamp:
            return None
        return float(self.stamp) if "." in self.stamp else int(self.stamp[:18]) / 1e6


def shown(raw: bytes) -> str:
    """Return a line as text, without trailing blanks and without unprintable characters."""
    return visible((raw if len(raw) <= LONGEST else raw[:LONGEST]).decode(errors="ignore"))


def visible(text: str) -> str:
    """Return a line's text without trailing blanks and without unprintable characters."""
    text = text.rstrip()
    if text.isprintable() or ("\t" in text and text.replace("\t", " ").isprintable()):
        return text
    text = _ANSI.sub("", text)
    return "".join(c for c in text if c.isprintable() or c == "\t").rstrip()


def clean(text: str) -> LogLine | None:
    """Parse a line; None if a journal marks it as another program's."""
    match = _PREFIX.match(text)
    if not match or not match.end():
        return LogLine(text, "", None)
    program, stamp, time, caller, journal = match.group("program", "stamp", "time", "caller", "journal")
    if program and program != "kernel":
        return None
    mine = caller or ("-" if stamp or program or journal else "")
    return LogLine(text[match.end() :], mine, time)
