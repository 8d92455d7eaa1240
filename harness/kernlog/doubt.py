# SPDX-License-Identifier: GPL-2.0-only
"""Waits for the lines that prove what an unknown prefix is: those of a report, each behind a prefix of the same form."""

from __future__ import annotations

import re
from typing import NamedTuple

import re2  # type: ignore[import-untyped]

from harness.kernlog.lines import shown
from harness.kernlog.locate import Doubtful, Found

_PATIENCE = 16
"""lines that are waited for"""
_PROOF = 2
"""lines of a report that prove a prefix"""
_TELLING = (
    r"(?:(?:<[A-Z/]+> *)?\[?\[?<?[0-9a-f]{8,16}>?\]? )?\(?(?:\? )?[A-Za-z_.][\w.]*\+0x[0-9a-f]+/0x[0-9a-f]+"
    r"|CPU: \d+ (?:UID: \d+ )?PID: \d+"
    r"|Pid: \d+, comm: |Call [Tt]race:|Backtrace:|stack backtrace:|RIP: |EIP: |(?:PC|LR|RA|PR|pc|ra|epc|IP) (?:is at|:) |NIP |TPC: "
    r"|Modules linked in:|Hardware name: |RSP: |Code: [0-9a-f<(]|---\[ end |PGD |pgd = |Mem abort info:|pstate: |Mem-Info:"
    r"|Process .{1,20} \(pid: |page:|flags: 0x|(?:Read|Write) of size \d|EFLAGS: "
    r"|(?:Internal error|Oops): .{1,80}\[#\d"
)
_HERE = re.compile(rf" *(?:{_TELLING})")
_ANYWHERE = re2.compile(_TELLING.encode())


class Waiting(NamedTuple):
    """Lines that wait until a doubt is over."""

    number: int
    """number of the first"""
    data: bytes
    text: str | None
    """text of one line that may begin a report itself; None for lines that do not"""
    telling: bool
    """True if there are words of a report in them"""


def waiting(number: int, data: bytes, text: str | None) -> Waiting:
    """Return lines that have to wait."""
    return Waiting(number, data, text, _ANYWHERE.search(data) is not None)


class Doubt:
    """A line that may begin a report, with the lines after it."""

    def __init__(self, first: Waiting, of: Doubtful) -> None:
        self.lines = [first]
        self.wanted = _PATIENCE
        """lines that are still waited for; 0 if the doubt is over"""
        self._of = of
        self._proofs = [0] * len(of.perhaps)

    def hear(self, more: Waiting) -> None:
        """Take the next lines, at most as many as are wanted."""
        self.lines.append(more)
        self.wanted -= more.data.count(b"\n") + 1
        if not more.telling:
            return
        for text in map(shown, more.data.split(b"\n")) if more.text is None else (more.text,):
            for index, found in enumerate(self._of.perhaps):
                match = found.form.fits.match(text) if found.form else None
                self._proofs[index] += bool(match and _HERE.match(text, match.end()))
            if max(self._proofs) >= _PROOF:
                self.wanted = 0
                return

    def settled(self) -> Found | None:
        """Return the report that the first line begins, if it does."""
        proven = [found for found, proofs in zip(self._of.perhaps, self._proofs, strict=True) if proofs >= _PROOF]
        return proven[0] if proven else self._of.otherwise
