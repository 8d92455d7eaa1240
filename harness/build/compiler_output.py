# SPDX-License-Identifier: GPL-2.0-only
"""Reads what compilers and checkers say of lines of files, and finds what is new in it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence

import msgspec

_SAID = re.compile(r"(?:\.\./|\./)*(?P<file>[^\s:]+):(?P<line>\d+)(?::\d+)?: (?P<text>(?:fatal )?(?:warning|error): .*)")


class Said(msgspec.Struct, frozen=True):
    """One line that a compiler or a checker says."""

    file: str
    """empty for a line of the link"""
    line: str
    text: str

    @property
    def shown(self) -> str:
        """The line as a compiler has it."""
        return f"{self.file}:{self.line}: {self.text}"


def parsed(lines: Iterable[str]) -> tuple[Said, ...]:
    """Return what a log says of lines of files; a warning in a header that several files include counts once."""
    found = (_SAID.match(line) for line in lines)
    return tuple(dict.fromkeys(Said(at["file"], at["line"], at["text"]) for at in found if at))


def added(before: Sequence[Said], after: Sequence[Said]) -> list[Said]:
    """Return what is said after a change and was not before it; line numbers do not count, since they move."""
    known = Counter((said.file, said.text) for said in before)
    new = []
    for said in after:
        known[said.file, said.text] -= 1
        if known[said.file, said.text] < 0:
            new.append(said)
    return new
