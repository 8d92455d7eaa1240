# SPDX-License-Identifier: GPL-2.0-only
"""Reads a log piece by piece as it arrives, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterable

from harness.kernlog import dissect, headers, prefix
from harness.kernlog.block import Block
from harness.kernlog.cascade import Cascade
from harness.kernlog.doubt import Doubt, Waiting, waiting
from harness.kernlog.fields import Fields
from harness.kernlog.kinds import STALLS
from harness.kernlog.lines import LONGEST, LogLine, shown, visible
from harness.kernlog.locate import Doubtful, Forms, Found
from harness.model.trouble import Trouble

_PIECE = 1 << 20
_SPAN = 1 << 13
"""bytes that are split into lines at once"""
_BEFORE = 1024
"""bytes before a line in which the fields of its record are looked for"""
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
        self._passed = b""
        """end of what was read"""
        self._fields = Fields()
        self._forms = Forms()
        self._doubt: Doubt | None = None
        """a line that begins a report if the lines after it prove that"""
        self._sweep = first_line + _SILENCE
        self._cascade = Cascade()

    def feed(self, data: bytes) -> list[Trouble]:
        """Read more of the log, and return the findings that are complete."""
        complete = []
        for start in range(0, len(data), _PIECE):
            # Where a machine lost power, a log has a hole of NULs, and goes on in the same line.
            self._piece(data[start : start + _PIECE].replace(b"\0", b""))
            complete += self._cascade.ready(self._number)
        return complete

    def close(self) -> list[Trouble]:
        """Return the remaining findings at the end of the log."""
        if self._rest:
            self._lines(bytes(self._rest) + b"\n")
            self._rest.clear()
        while self._doubt:
            self._settle(self._doubt)
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
            while position < start and (self._open or self._cut or self._doubt):
                end = min(start, _after(data, position, self._doubt.wanted) if self._doubt else _after(data, position + _SPAN, 1))
                self._others(data[position : end - 1])
                position = end
            self._number += data.count(b"\n", position, start)
            if hit < 0:
                break
            end = data.find(b"\n", hit)
            self._candidate(data, start, end)
            position = end + 1
        self._passed = (self._passed + data[-_BEFORE:])[-_BEFORE:]

    def _others(self, data: bytes) -> None:
        """Read lines that begin no report, but may belong to one."""
        number = self._number
        self._number += data.count(b"\n") + 1
        if self._doubt:
            self._hear(self._doubt, waiting(number, data, None))
        else:
            self._follow(number, data)

    def _candidate(self, data: bytes, start: int, end: int) -> None:
        """Read a line that may begin a report."""
        number, line = self._number, data[start:end]
        if not headers.likely(line):
            self._others(line)
            return
        self._number += 1
        if b"MESSAGE" in line:
            before = data[max(0, start - _BEFORE) : start]
            self._fields.prime((self._passed + before)[-_BEFORE:].decode(errors="replace"))
        text = self._fields.read(shown(line))
        if self._doubt:
            self._hear(self._doubt, waiting(number, line, text))
        else:
            self._judge(number, line, text)

    def _hear(self, doubt: Doubt, more: Waiting) -> None:
        """Let lines wait until it is decided what the doubtful line before them is."""
        doubt.hear(more)
        if doubt.wanted <= 0:
            self._settle(doubt)

    def _settle(self, doubt: Doubt) -> None:
        """Decide what a doubtful line is, and read the lines that waited behind it."""
        self._doubt = None
        first, *others = doubt.lines
        if found := doubt.settled():
            self._begin(first.number, first.text or "", found)
        else:
            self._follow(first.number, first.data)
        for more in others:
            if self._doubt:
                self._hear(self._doubt, more)
            elif more.text is not None:
                self._judge(more.number, more.data, more.text)
            else:
                self._follow(more.number, more.data)

    def _judge(self, number: int, data: bytes, text: str) -> None:
        """Read a line that may begin a report, and is no part of a doubt."""
        found = self._forms.find(text)
        if isinstance(found, Doubtful):
            self._doubt = Doubt(waiting(number, data, text), found)
        elif found:
            self._begin(number, text, found)
        else:
            self._follow(number, data)

    def _follow(self, number: int, data: bytes) -> None:
        """Read lines of the reports that are open."""
        under_way = self._open
        if not under_way and not self._cut:
            return
        # Most lines of most reports are of the form of their first line, and there may be gigabytes of them.
        fits, ours = self._forms.current.fits.match, "-" if self._forms.current.ours else ""
        for at, text in enumerate(_texts(data), number):
            match = fits(text)
            block = under_way.get(match[2] or ours) if match else None
            if match and block:
                block.add(at, text, text[match.end() :])
                if block.over:
                    self._end(block)
                if at >= self._sweep:
                    self._end_silent(at)
            elif under_way or self._cut:
                self._other(at, self._fields.read(text))

    def _other(self, number: int, text: str) -> None:
        line = self._forms.parsed(text)
        block = self._open.get(line.stream) if line else None
        if line is None or not (block or line.stream or line.stream in self._cut):
            for other in self._open.values():
                other.skip()
        elif block:
            block.add(number, text, line.text)
            if block.over:
                self._end(block)
        elif line.text.startswith("NMI backtrace for cpu"):
            self._join(number, text, line)
        elif line.stream in self._cut:
            self._cut[line.stream].append((number, text, line))
            if len(self._cut[line.stream]) > _AHEAD:
                del self._cut[line.stream]
        if number >= self._sweep:
            self._end_silent(number)

    def _begin(self, number: int, text: str, found: Found) -> None:
        kind, line = found.kind, found.line
        self._forms.learn(found.form or prefix.USUAL)
        if before := self._open.get(line.stream):
            self._end(before)
        cut = self._cut.pop(line.stream, [])
        if kind == headers.CUT:
            self._cut[line.stream] = []
            return
        block = Block(kind, line.stream, number, line.time)
        if cut and kind in ("warning", "bug"):
            block.message = cut[0][2].text.strip()
            block.first = cut[0][0]
            block.raw += [raw for _, raw, _ in cut]
        block.put(number, text, line.text)
        self._open[line.stream] = block
        if len(self._open) > _AT_ONCE:
            self._end(next(iter(self._open.values())))

    def _join(self, number: int, text: str, line: LogLine) -> None:
        """Add the backtrace of another CPU to the stall report that requested it."""
        block = next((block for block in self._open.values() if block.kind in STALLS), None)
        if block:
            block.put(number, text, line.text)
            self._open[line.stream] = block

    def _end(self, block: Block) -> None:
        for stream in [stream for stream, other in self._open.items() if other is block]:
            del self._open[stream]
        self._cascade.add(dissect.taken_apart(block), block.stream, block.skipped)

    def _end_silent(self, number: int) -> None:
        """End the reports of callers that have been silent for too long."""
        self._sweep = number + _SILENCE // 2
        for block in [block for block in self._open.values() if number - block.last > _SILENCE]:
            self._end(block)
        self._cut = {stream: kept for stream, kept in self._cut.items() if kept and number - kept[-1][0] < _SILENCE}

    def _end_all(self) -> None:
        for block in {id(block): block for block in self._open.values()}.values():
            self._end(block)
        self._cut.clear()


def _after(data: bytes, position: int, lines: int) -> int:
    """Return the offset after so many ends of lines from `position` on, or the end of `data`."""
    for _ in range(lines):
        position = data.find(b"\n", position) + 1
        if not position:
            return len(data)
    return position


def _texts(data: bytes) -> Iterable[str]:
    """Return the lines in `data`, each as `shown` returns it."""
    if not data.isascii():
        return map(shown, data.split(b"\n"))
    texts = [text[:LONGEST].rstrip() for text in data.decode("ascii").split("\n")]
    # One check of the whole text is faster than one per line.
    return texts if "".join(texts).isprintable() else map(visible, texts)
