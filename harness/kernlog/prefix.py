# SPDX-License-Identifier: GPL-2.0-only
"""Judges what stands before the kernel's words in a line, and makes a form of it that fits the lines around.

There are more loggers than anybody can list. So a prefix is not looked up, but judged by what it is made of:
it ends with the kernel's own time stamp, it names the kernel, or it is mechanical, that is made of numbers, dates and
signs alone. What is none of these may still be a prefix: doubt.py waits for lines that prove it.
"""

from __future__ import annotations

import functools
import re
from typing import NamedTuple

_LEVEL = "emerg|alert|crit(?:ical)?|err(?:or)?|warn(?:ing)?|notice|info|debug|EMERG|ALERT|CRIT|ERR(?:OR)?|WARN|NOTICE|INFO|DEBUG"
_DAY = "Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec|Mon|Tue|Wed|Thu|Fri|Sat|Sun"
_STAMP = re.compile(r"\[ *\d{1,7}\.\d{6}(?: <[^>]{1,20}>)?\](?:\[ *[TC]\d+\])? ?")
_CUT_STAMP = re.compile(r"\d{1,7}\.\d{6}\](?:\[ *[TC]\d+\])? ")
_RECORD = r"\d{1,3},\d+,(\d+),[-c+](?:,caller=([TC]\d+))?(?:,[\w=/]+)*;"
"""prefix of /dev/kmsg and of the extended netconsole, with microseconds"""
_KMSG = re.compile(r"(?:.*[\s,])?" + _RECORD)
_TAGS = re.compile(r" *(?:<\d{1,3}>)?(?:[-.]?(?:\(\d+\))?\[ *\d+(?:[:.][^\]]{1,40})?\](?:@\d+)? ?)*")
"""tags of vendors' kernels: the CPU and the task, or the time and the CPU"""
_NAMED = re.compile(r"(?:.*[\s\]/|>])?kernel *(?:\[[^\]]{0,20}\]|\( *\d+\))?(?: ?: | (?:\S+ ){2}(?:-|\[[^\]]*\]) )\ufeff?")
_TIMED = re.compile(r"\d:\d\d|\d[.,]\d\d|\d{6}")
_MECHANICAL = re.compile(
    r"(?:[^\w\n]|\d|_|(?<![A-Za-z])(?:" + _DAY + r"|[TZFP]|stdout|stderr|AM|PM|(?:" + _LEVEL + r")(?!:)"
    r"|(?<=\d )[A-Z]{2,5}(?= ))(?![A-Za-z]))*"
)
_QUOTING = re.compile(r"(?:[>|] ?)+")
_SAYS = re.compile(r"[\w.-]+ +(?:\w+\.\w+ +)?[\w./@()-]+(?:\[\d+\])?: +(?![0-9a-f]+ .*\[#\d)")
"""a host and a program that says something, unless these are words of the kernel's, such as `illegal operation: 0001 [#1]`"""

_WORD = re.compile(r"(?<![\w.:/=-])[A-Za-z][\w.:/-]+(?![\w.:/=-])")
"""a word, a path or a dotted name; a key with its value, as in ``level=info``, is none of prose"""
_WORDS = 3
"""maximum words of a prefix"""

_TOKEN = re.compile(
    r"(?P<blanks>\s+$)|(?P<bracket>\[[^\]]*\d[^\]]*\])|(?P<level>\b(?:" + _LEVEL + r")\b)"
    r"|(?P<letter>(?<![^\s|])[VDIWEFA](?=[\s/]))|(?P<day>\b(?:" + _DAY + r")\b|^[^\W\d_]+\.?(?=.*\d:\d\d))"
    r"|(?P<hex>\b(?=[a-f]*\d)(?=\d*[a-f])[0-9a-f]{3,}\b)|(?P<number>\d+)|(?P<blank>\s+)|(?P<other>.)"
)
# What is matched here is not given back, or a line with many numbers would take time without end.
_GENERAL = {
    "bracket": r"\[[^\]]{1,80}+\]",
    "level": rf"(?:{_LEVEL})",
    "letter": "[VDIWEFA]",
    "day": r"[^\W\d_]{1,12}+\.?+",
    "hex": "[0-9a-f]++",
    "number": r"\s*+\d++",
    "blank": r"\s*+",
}


class Form(NamedTuple):
    """The form of what stands before the kernel's words in the lines of a log."""

    fits: re.Pattern[str]
    """matches the start of such a line; its groups are the time since the boot, and the caller"""
    ours: bool
    """False if a program's lines may have it too"""
    length: int
    """characters of the line that it was learned from"""


USUAL = Form(
    re.compile(r"\[ {0,4}(\d{1,7}\.\d{6})\](?:\[ *([TC]\d+)\])? (?!kernel: |[\w.-]+ kernel: |<|\[ *\d+[:.][^\]]+\])"),
    ours=True,
    length=15,
)
"""form of a line on a console: the time and the caller"""


@functools.lru_cache(512)
def sure(prefix: str) -> bool:
    """Return True if what follows `prefix` in a line are words of the kernel's."""
    stamps = list(_STAMP.finditer(prefix)) or list(_CUT_STAMP.finditer(prefix))
    if any(_TAGS.fullmatch(prefix, stamp.end()) for stamp in stamps):
        return True
    named = ("kernel" in prefix and _NAMED.fullmatch(prefix)) or (prefix.endswith(";") and _KMSG.fullmatch(prefix))
    return bool(named) or mechanical(prefix)


def mechanical(prefix: str) -> bool:
    """Return True if `prefix` has only a time, counters and signs."""
    return (_MECHANICAL if _TIMED.search(prefix) else _QUOTING).fullmatch(prefix) is not None


def conceivable(prefix: str) -> bool:
    """Return True unless `prefix` is prose."""
    return len(_WORD.findall(prefix)) <= _WORDS


def says(rest: str, start: int) -> bool:
    """Return True if a line's rest after its date reads as the name of a host and what a program there says."""
    return _SAYS.match(rest, start) is not None


@functools.lru_cache(256)
def form(prefix: str) -> Form:
    """Return the form of lines that begin like `prefix`."""
    stamp = _STAMP.search(prefix)
    if _KMSG.fullmatch(prefix):
        return Form(re.compile(".{0,160}?" + _RECORD), ours=True, length=len(prefix))
    if _CUT_STAMP.fullmatch(prefix):
        return Form(re.compile(r"(?:\[ *)?(\d{1,7}\.\d{6})\](?:\[ *([TC]\d+)\])? ?"), ours=True, length=len(prefix))
    if stamp is None:
        pattern = _general(prefix) + "(?:(?!)()())?"
        return Form(re.compile(pattern), ours=not prefix.isspace(), length=len(prefix))
    before = ".{0,160}?" if stamp.start() else ""
    pattern = before + r"\[ *(\d{1,7}\.\d{6})(?: <[^>]{1,20}>)?\](?:\[ *([TC]\d+)\])? ?" + _general(prefix[stamp.end() :])
    return Form(re.compile(pattern), ours=True, length=len(prefix))


def _general(text: str) -> str:
    """Return a pattern for `text` with other times, numbers and levels."""
    return "".join(_GENERAL.get(token.lastgroup or "", re.escape(token[0])) for token in _TOKEN.finditer(text))
