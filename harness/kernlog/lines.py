# SPDX-License-Identifier: GPL-2.0-only
"""One line of a log: what the kernel said, without what consoles, journals and terminals put around it."""

from __future__ import annotations

import re
from typing import NamedTuple

LONGEST = 2048
"""bytes of a line that are looked at; a printk record has at most 1024"""

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
USUAL = re.compile(r"\[ {0,4}(\d{1,7}\.\d{6})\](?:\[ *([TC]\d+)\])? (?!kernel: |[\w.-]+ kernel: |<)")
"""what the console puts before most lines: the time, and whose line it is"""
_INSIDE = re.compile(r"\[ *(?P<time>\d{1,7}\.\d{6})\](?:\[ *(?P<caller>[TC]\d+)\])? ?")
_ANSI = re.compile(r"\x9b[0-9;?]*[ -/]*[@-~]|\x1b(?:\[[0-9;?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\^_c78=>])")


class LogLine(NamedTuple):
    """What one line says."""

    text: str
    """what the kernel said, with the blanks that it begins with"""
    stream: str
    """whose lines it belongs among: the caller's tag, such as ``T123`` or ``C0``; ``-`` for the kernel's where there is none,
    empty for lines that do not say that they are the kernel's"""
    stamp: str | None
    """seconds since the boot, as the log has them"""

    @property
    def time(self) -> float | None:
        """Seconds since the boot."""
        return float(self.stamp) if self.stamp else None


def shown(raw: bytes) -> str:
    """Return a line as text, without its end and without anything that a terminal does not show."""
    return visible((raw if len(raw) <= LONGEST else raw[:LONGEST]).decode(errors="ignore"))


def visible(text: str) -> str:
    """Return a line's text without its end and without anything that a terminal does not show."""
    text = text.rstrip()
    if text.isprintable() or ("\t" in text and text.replace("\t", " ").isprintable()):
        return text
    text = _ANSI.sub("", text)
    return "".join(c for c in text if c.isprintable() or c == "\t").rstrip()


def clean(text: str) -> LogLine | None:
    """Take a line apart; None for one that a journal says is not the kernel's."""
    found = USUAL.match(text)
    if found:
        return LogLine(text[found.end() :], found[2] or "-", found[1])
    found = _PREFIX.match(text)
    if not found or not found.end():
        return LogLine(text, "", None)
    program, stamp, time, caller, journal = found.group("program", "stamp", "time", "caller", "journal")
    if program and program != "kernel":
        return None
    mine = caller or ("-" if stamp or program or journal else "")
    return LogLine(text[found.end() :], mine, time)


def torn(line: LogLine) -> list[LogLine]:
    """Return the lines that begin within `line`, each at a time stamp, last first: consoles tear what several CPUs print."""
    return [LogLine(line.text[found.end() :], found["caller"] or "-", found["time"]) for found in _INSIDE.finditer(line.text)][::-1]
