# SPDX-License-Identifier: GPL-2.0-only
"""The file for trace-cmd and KernelShark, read back by the description of its format."""

from __future__ import annotations

import struct

from harness.model.ftrace import Layout
from harness.report.trace_dat import trace_dat
from tests.support import recorded
from tests.support.recorded import LAYOUT, PAGE, buffer, kmalloc, page, recording, row


class Reader:
    """Reads the file from its begin."""

    def __init__(self, content: bytes) -> None:
        self.content, self.place = content, 0

    def take(self, length: int) -> bytes:
        self.place += length
        return self.content[self.place - length : self.place]

    def number(self, kind: str) -> int:
        (value,) = struct.unpack(f"<{kind}", self.take(struct.calcsize(f"<{kind}")))
        return int(value)

    def word(self) -> str:
        return self.take(self.content.index(b"\0", self.place) + 1 - self.place)[:-1].decode()

    def text(self, kind: str) -> str:
        return self.take(self.number(kind)).decode()


def test_the_file_holds_what_the_guest_gave() -> None:
    first, other = page(1000, row(kmalloc(), 0)), page(2000, row(kmalloc(), 0)) + page(3000, row(kmalloc(), 0))
    whole = recording(buffer(first, 1), buffer(other, 2, cpu=1, lost=7))
    read = Reader(trace_dat(whole, LAYOUT))
    assert read.take(10) == b"\x17\x08\x44tracing"
    assert read.word() == "6"
    assert (read.number("B"), read.number("B"), read.number("I")) == (0, 8, 4096)
    assert (read.word(), read.text("Q")) == ("header_page", recorded.HEADER)
    assert (read.word(), read.text("Q")) == ("header_event", whole.header_event)
    assert [read.text("Q") for _ in range(read.number("I"))] == [recorded.ENTRY, recorded.EXIT]
    assert (read.number("I"), read.word()) == (1, "kmem")
    assert [read.text("Q") for _ in range(read.number("I"))] == [recorded.KMALLOC]
    assert (read.text("I"), read.text("I"), read.text("Q")) == (recorded.SYMBOLS, "", whole.commands)
    assert (read.number("I"), read.word()) == (2, "options  ")
    assert (read.number("H"), read.text("I")) == (2, "CPU: 0\nentries: 1\noverrun: 0\n")
    assert (read.number("H"), read.text("I")) == (2, "CPU: 1\nentries: 2\noverrun: 7\n")
    assert (read.number("H"), read.text("I")) == (4, recorded.CLOCKS)
    assert (read.number("H"), read.word()) == (0, "flyrecord")
    table = [(read.number("Q"), read.number("Q")) for _ in range(2)]
    assert [size for _, size in table] == [PAGE, 2 * PAGE]
    assert [read.content[begin : begin + size] for begin, size in table] == [first, other]
    assert not any(begin % PAGE for begin, _ in table), "trace-cmd maps pages"
    assert read.place <= table[0][0] < read.place + PAGE
    assert len(read.content) == table[1][0] + table[1][1]


def test_the_file_of_a_32_bit_kernel_says_so() -> None:
    read = Reader(trace_dat(recording(), Layout(PAGE, 12, 4)))
    read.take(12)
    assert (read.number("B"), read.number("B"), read.number("I")) == (0, 4, 4096)


def test_a_cpu_without_events_has_no_pages() -> None:
    content = trace_dat(recording(buffer(b"", 0), buffer(page(1000, row(kmalloc(), 0)), 1, cpu=1)), LAYOUT)
    where = content.index(b"flyrecord\0") + 10
    begin, size, other, length = struct.unpack_from("<4Q", content, where)
    assert (begin, size, length) == (other, 0, PAGE)
