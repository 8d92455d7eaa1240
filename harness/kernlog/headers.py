# SPDX-License-Identifier: GPL-2.0-only
"""Finds the lines that begin a report: first a fast search in gigabytes of other lines, then an exact match."""

from __future__ import annotations

import re

import re2  # type: ignore[import-untyped]

from harness.kernlog.kinds import KINDS

CUT = "cut here"
"""not a kind: the line before a WARNING or a BUG, or before its message"""
_CUT = "[ cut here ]"
# Escape sequences of colours may stand between the words: any line with one is a candidate.
_NEEDLES = sorted({_CUT, "\x1b[", *(needle for kind in KINDS for needle, _ in kind.headers)}, key=len)
_CANDIDATE = re2.compile("|".join(re2.escape(needle) for needle in _NEEDLES).encode())
_HEADERS = [(kind.name, needle, re.compile(pattern)) for kind in KINDS for needle, pattern in kind.headers]


def candidate(data: bytes, start: int) -> int:
    """Return the offset in `data`, from `start` on, of words that a header may have; -1 if there are none."""
    match = _CANDIDATE.search(data, start)
    return int(match.start()) if match else -1


def kind_of(text: str) -> str:
    """Return the kind of the report that `text` begins, CUT for the line that announces one, or nothing."""
    text = text.lstrip()
    for kind, needle, pattern in _HEADERS:
        if needle in text and pattern.match(text):
            return kind
    return CUT if _CUT in text[:40] else ""
