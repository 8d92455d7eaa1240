# SPDX-License-Identifier: GPL-2.0-only
"""Finds the lines that begin a report: first a fast search in gigabytes of other lines, then an exact match."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

import re2  # type: ignore[import-untyped]

from harness.kernlog.kinds import KINDS

CUT = "cut here"
"""not a kind: the line before a WARNING or a BUG, or before its message"""
_CUT = "[ cut here ]"
# Escape sequences of colours may stand between the words: any line with one is a candidate.
_NEEDLES = sorted({_CUT, "\x1b[", *(needle for kind in KINDS for needle, _ in kind.headers)}, key=len)
_CANDIDATE = re2.compile("|".join(re2.escape(needle) for needle in _NEEDLES).encode())
_OPEN = re.compile(r"(?:\(\?:)?(?:\.\{|\\S|\\w|\[\\w)")
"""matches a pattern that may begin with any word"""
_OPTIONS = re2.Options()
_OPTIONS.never_capture = True
_OPTIONS.encoding = re2.Options.Encoding.LATIN1


class Header(NamedTuple):
    """The first line of a kind of report."""

    kind: str
    needle: str
    """words that it always has"""
    pattern: re.Pattern[str]
    inside: re.Pattern[str]
    """finds it behind a prefix"""
    loose: bool
    """True if it may begin with any word, which may as well be part of a logger's prefix"""


BOUNDARY = r"[\s\]>);|\"=}:,+]"
"""last character of a prefix"""
_STRICT = [pattern for kind in KINDS for _, pattern in kind.headers if not _OPEN.match(pattern)]


def _made(kind: str, needle: str, pattern: str) -> Header:
    inside = re.compile(rf"(?<={BOUNDARY[:-1]}\ufeff])(?:{pattern})")
    return Header(kind, needle, re.compile(rf"\s*(?:{pattern})"), inside, _OPEN.match(pattern) is not None)


_HEADERS = (
    *(_made(kind.name, needle, pattern) for kind in KINDS for needle, pattern in kind.headers),
    _made(CUT, _CUT, r"-{0,28}\[ cut here \]"),
)
_LOOKING = re.compile(r"\(\?!(?:[^()]|\([^()]*\))*\)")
"""finds the part of a pattern that re2 does not know: a word that must not follow"""
# A set of one: all that it can say is whether a line matches, and it says so in half the time.
_ANYWHERE = re2.Set.SearchSet(_OPTIONS)
_ANYWHERE.Add(
    "|".join(
        (
            r"[\x00-\x08\x0b-\x1f\x7f-\xff]",
            *sorted({re2.escape(header.needle) for header in _HEADERS if header.loose or header.kind == CUT}),
            rf"(?:^|{BOUNDARY})(?:" + "|".join(_LOOKING.sub("", pattern) for pattern in _STRICT) + ")",
        )
    ).encode()
)
_ANYWHERE.Compile()
_LITERAL = re2.Options()
_LITERAL.literal = True
_WORDS = re2.Set.SearchSet(_LITERAL)
for _header in _HEADERS:
    _WORDS.Add(_header.needle)
_WORDS.Compile()


def candidate(data: bytes, start: int) -> int:
    """Return the offset in `data`, from `start` on, of words that a header may have; -1 if there are none."""
    match = _CANDIDATE.search(data, start)
    return int(match.start()) if match else -1


def likely(data: bytes) -> bool:
    """Return False if no header begins anywhere in a line, which is not known of one with signs that are not shown."""
    return _ANYWHERE.Match(data) is not None


def possible(text: str) -> list[Header]:
    """Return the headers whose words are anywhere in `text`, in the order in which they are tried."""
    return [_HEADERS[number] for number in sorted(_WORDS.Match(text) or ())]


def at(headers: Sequence[Header], text: str, start: int) -> Header | None:
    """Return the first of `headers` that begins at `start` in `text`."""
    for header in headers:
        if header.pattern.match(text, start):
            return header
    return None
