# SPDX-License-Identifier: GPL-2.0-only
"""Finds the reports of trouble in a kernel's log.

The log may come from a serial console, dmesg or a journal: with or without time stamps, callers' tags, levels and
colours, behind the prefixes of any logger, with the lines of several CPUs mixed, truncated anywhere, with garbage in between.

`find` reads a log at once, `scan` a file, `Reader` a log that arrives in pieces. All three return Troubles
(harness/model/trouble.py), ordered by where they begin; KINDS lists their kinds. cascade.py has
the rules for consequences and repeated troubles.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from harness.kernlog.kinds import KINDS, Kind
from harness.kernlog.reader import Reader
from harness.model.trouble import Trouble

__all__ = ["KINDS", "Kind", "Reader", "Trouble", "find", "scan"]

_PIECE = 1 << 20


def find(log: str, first_line: int = 1) -> list[Trouble]:
    """Return the troubles in `log`, whose first line has the number `first_line`."""
    reader = Reader(first_line)
    troubles = reader.feed(log.encode(errors="replace"))
    return troubles + reader.close()


def scan(file: BinaryIO) -> Iterator[Trouble]:
    """Yield the troubles in a file as soon as they are complete, in memory that does not depend on its size."""
    reader = Reader()
    while data := file.read(_PIECE):
        yield from reader.feed(data)
    yield from reader.close()
