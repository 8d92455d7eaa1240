# SPDX-License-Identifier: GPL-2.0-only
"""Reads a log piece by piece as it arrives, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterable

from harness.kernlog import dissect, headers
from harness.kernlog.block import Block
from harness.kernlog.cascade import Cascade
from harness.kernlog.kinds import STALLS
from harness.kernlog.lines import LONGEST, USUAL, LogLine, clean, shown, torn, visible
from harness.model.trouble import Trouble

_PIECE = 1 << 20
_SPAN = 1 << 13
"""bytes that are split into lines at once"""
_AT_ONCE = 32
"""maximum reports that are read at once, one per caller"""
_AHEAD = 8
"""maximum lines of a caller between `cut here` and the header"""
_SILENCE = 400
"""lines of others that end the report of a caller"""


class Reader:
    """Finds the troubles in a log that is fed to it.

    The findings do not depend on how the log is cut into pieces. A finding is returned when
    nothing can belong to it any more, which is some time after its lines; `close` returns the rest.
    """

    def __init__(self, first_line: int = 1) -> None:
        self._number = first_line
        """number of the next line"""
        self._rest = bytearray()
        """start of a line that is not complete yet"""
        self._open: dict[str, Block] = {}
        self._cut: dict[str, list[tuple[int, str, LogLine]]] = {}
        """lines after `cut here`, by stream"""
        self._sweep = first_line + _SILENCE
        self._cascade = Cascade()

    def feed(self, data: bytes) -> list[Trouble]:
        """Read more of the log, and return the findings that are complete."""
        complete = []
        for start in range(0, len(data), _PIECE):
            self._piece(data[start : start + _PIECE])
            complete += self._cascade.ready(self._number)
        return complete

    def close(self) -> list[Trouble]:
        """Return the remaining findings at the end of the log."""
        if self._rest:
            self._lines(bytes(self._rest) + b"\n")
            self._rest.clear()
        self._end_all()
        return self._cascade.close()

    def _piece(self, data: bytes) -> None:
        end = data.rfind(b"\n") + 1
        if end:
            first = data.find(b"\n") + 1 if self._rest else 0
            if first:
                self._rest += data[: min(first - 1, LONGEST)]
                self._lines(bytes(self._rest[:LONGEST]) + b"\n")
                self._rest.clear()
            self._lines(data[first:end])
        self._rest += data[end : end + max(0, LONGEST - len(self._rest))]

    def _lines(self, data: bytes) -> None:
        """Read complete lines: all of them while a report is open, else only those that may begin one."""
        position, size = 0, len(data)
        while position < size:
            hit = headers.candidate(data, position)
            start = size if hit < 0 else data.rfind(b"\n", position, hit) + 1 or position
            while position < start and (self._open or self._cut):
                end = min(start, (data.find(b"\n", position + _SPAN) + 1) or start)
                self._others(data[position : end - 1])
                position = end
            self._number += data.count(b"\n", position, start)
            if hit < 0:
                return
            end = data.find(b"\n", hit)
            self._candidate(data[start:end])
            self._number += 1
            position = end + 1

    def _others(self, data: bytes) -> None:
        """Read lines that begin no report, but may belong to one."""
        under_way, usual_form = self._open, USUAL.match
        for number, text in enumerate(_texts(data), self._number):
            self._number = number
            # Most lines of most reports are of this form, and there may be gigabytes of them.
            usual = usual_form(text)
            block = under_way.get(usual[2] or "-") if usual else None
            if usual and block:
                block.add(number, text, text[usual.end() :])
                if block.over:
                    self._end(block)
                if number >= self._sweep:
                    self._end_silent()
            elif (under_way or self._cut) and (line := clean(text)):
                self._line(text, line)
        self._number += 1

    def _line(self, text: str, line: LogLine) -> None:
        block = self._open.get(line.stream)
        if block:
            block.add(self._number, text, line.text)
            if block.over:
                self._end(block)
        elif line.text.startswith("NMI backtrace for cpu"):
            self._join(line.stream, text, line)
        elif line.stream in self._cut:
            self._cut[line.stream].append((self._number, text, line))
            if len(self._cut[line.stream]) > _AHEAD:
                del self._cut[line.stream]
        if self._number >= self._sweep:
            self._end_silent()

    def _candidate(self, raw: bytes) -> None:
        """Read a line that may begin a report."""
        text = shown(raw)
        line = clean(text)
        if line is None:
            return
        kind, header = _header(line)
        if kind:
            self._begin(kind, header, text)
        elif self._open or self._cut:
            self._line(text, line)

    def _begin(self, kind: str, line: LogLine, text: str) -> None:
        if before := self._open.get(line.stream):
            self._end(before)
        cut = self._cut.pop(line.stream, [])
        if kind == headers.CUT:
            self._cut[line.stream] = []
            return
        block = Block(kind, line.stream, self._number, line.time)
        if cut and kind in ("warning", "bug"):
            block.message = cut[0][2].text.strip()
            block.first = cut[0][0]
            block.raw += [raw for _, raw, _ in cut]
        block.put(self._number, text, line.text)
        self._open[line.stream] = block
        if len(self._open) > _AT_ONCE:
            self._end(next(iter(self._open.values())))

    def _join(self, stream: str, text: str, line: LogLine) -> None:
        """Add the backtrace of another CPU to the stall report that requested it."""
        block = next((block for block in self._open.values() if block.kind in STALLS), None)
        if block:
            block.put(self._number, text, line.text)
            self._open[stream] = block

    def _end(self, block: Block) -> None:
        for stream in [stream for stream, other in self._open.items() if other is block]:
            del self._open[stream]
        self._cascade.add(dissect.taken_apart(block), block.stream)

    def _end_silent(self) -> None:
        """End the reports of callers that have been silent for too long."""
        self._sweep = self._number + _SILENCE // 2
        for block in [block for block in self._open.values() if self._number - block.last > _SILENCE]:
            self._end(block)
        self._cut = {stream: kept for stream, kept in self._cut.items() if kept and self._number - kept[-1][0] < _SILENCE}

    def _end_all(self) -> None:
        for block in {id(block): block for block in self._open.values()}.values():
            self._end(block)
        self._cut.clear()


def _texts(data: bytes) -> Iterable[str]:
    """Return the lines in `data`, each as `shown` returns it."""
    if not data.isascii():
        return map(shown, data.split(b"\n"))
    texts = [text[:LONGEST].rstrip() for text in data.decode("ascii").split("\n")]
    # One check of the whole text is faster than one per line.
    return texts if "".join(texts).isprintable() else map(visible, texts)


def _header(line: LogLine) -> tuple[str, LogLine]:
    """Return the kind of report that a line begins, and the line, or the part of it that begins the report."""
    for part in (line, *torn(line)):
        if kind := headers.kind_of(part.text):
            return kind, part
    return "", line
