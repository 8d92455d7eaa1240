# SPDX-License-Identifier: GPL-2.0-only
"""What a kernel's build says while it goes on: how far it is, and what its first error was."""

from __future__ import annotations

import re
from pathlib import Path

from harness.host import files
from harness.host.shell import Line

_OBJECT = re.compile(r"^\s+(CC|AS|LDS)\s+(\[M\]\s+)?\S+$")
_ERROR = re.compile(r"^(\S+?):(\d+)(:\d+)?: (?:fatal )?[Ee]rror: |^make.*\*\*\*|^ERROR: |\bundefined reference\b")


def first_error(log: Path) -> str:
    """Return the first error that a build's log holds, with its file; else its last line."""
    last = "the log is empty"
    for line in log.read_text(errors="replace").splitlines():
        if _ERROR.search(line):
            return line.strip()
        last = line.strip() or last
    return last


class Count:
    """Counts the objects of a build, and knows how many there were the last time."""

    def __init__(self, say: Line, memory: Path) -> None:
        """Say what is counted; the count of the last whole build is kept in the file `memory`."""
        self.seen = 0
        self._say, self._memory = say, memory
        self._total = int(memory.read_text()) if memory.exists() else 0

    def __call__(self, line: str) -> None:
        """Take a line of the build's output."""
        if _OBJECT.match(line):
            self.seen += 1
            total = f" of {self._total}" if self._total >= self.seen else ""
            self._say(f"building file {self.seen}{total}")

    def keep(self) -> None:
        """Remember the count of a whole build; an incremental one says nothing of the total."""
        if self.seen > self._total:
            files.write(self._memory, str(self.seen))
