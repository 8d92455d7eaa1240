# SPDX-License-Identifier: GPL-2.0-only
"""Reads the output of a kernel's build: its progress, and its first error."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from harness.host import files, shortage
from harness.host.shell import Line

_OBJECT = re.compile(r"^\s+(CC|AS|LDS)\s+(\[M\]\s+)?\S+$")
_ERROR = re.compile(r"^(\S+?):(\d+)(:\d+)?: (?:fatal )?[Ee]rror: |^make.*\*\*\*|^ERROR: |\bundefined reference\b")

_SOURCE = "../"
"""the source, as seen from a build folder, from which the compiler names files"""


def first_error(log: Path, full: Callable[[Path], str] = shortage.full) -> str:
    """Return the first line with an error in a build's log; its last line if there is none.

    A line that says what the host lacks goes before all others, for they follow from it: a compiler that finds the disk full
    may have left an object that the next one calls damaged. `full` tells whether the log's file
    system is full, which no line may say.
    """
    lines = log.read_text(errors="replace").splitlines()
    if reason := shortage.reason(lines):
        return shortage.advised(reason)
    said = [line.strip() for line in lines if line.strip()]
    error = next((line for line in said if _ERROR.search(line)), said[-1] if said else "the log is empty")
    room = full(log.parent)
    error = error.removeprefix(_SOURCE)
    return f"{error}; {room}" if room else error


class Count:
    """Counts the objects of a build, and compares with the last complete build."""

    def __init__(self, say: Line, memory: Path) -> None:
        """Report progress to `say`; the file `memory` holds the count of the last complete build."""
        self.seen = 0
        self._say, self._memory = say, memory
        self._total = int(memory.read_text()) if memory.exists() else 0

    def __call__(self, line: str) -> None:
        """Read a line of the build's output."""
        if _OBJECT.match(line):
            self.seen += 1
            total = f" of {self._total}" if self._total >= self.seen else ""
            self._say(f"building file {self.seen}{total}")

    def keep(self) -> None:
        """Store the count, unless this was an incremental build with fewer objects."""
        if self.seen > self._total:
            files.write(self._memory, str(self.seen))
