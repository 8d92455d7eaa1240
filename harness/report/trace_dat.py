# SPDX-License-Identifier: GPL-2.0-only
"""Writes a recording as trace.dat, which trace-cmd and KernelShark open.

The format is version 6, as in Documentation/trace-cmd/trace-cmd.dat.v6.5.txt of trace-cmd, for a little-endian kernel.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

from harness.model.ftrace import GRAPH, Layout, Recording

_MAGIC = b"\x17\x08\x44tracing6\0"
_LITTLE_ENDIAN = 0
_END, _STATS, _CLOCK = 0, 2, 4
"""numbers of options"""


def trace_dat(recording: Recording, layout: Layout) -> bytes:
    """Return the file; `layout` is that of the recording's buffers."""
    systems = [system for system in recording.formats if system != GRAPH]
    head = b"".join(
        (
            _MAGIC,
            struct.pack("<BBI", _LITTLE_ENDIAN, layout.long, layout.page),
            b"header_page\0" + _sized("<Q", recording.header_page),
            b"header_event\0" + _sized("<Q", recording.header_event),
            _formats(recording.formats.get(GRAPH, ())),
            struct.pack("<I", len(systems)),
            *(system.encode() + b"\0" + _formats(recording.formats[system]) for system in systems),
            _sized("<I", recording.symbols),
            _sized("<I", recording.strings),
            _sized("<Q", recording.commands),
            struct.pack("<I", len(recording.buffers)),
            b"options  \0",
            *(_option(_STATS, f"CPU: {buffer.cpu}\n{buffer.stats}") for buffer in recording.buffers),
            _option(_CLOCK, recording.clocks),
            struct.pack("<H", _END),
            b"flyrecord\0",
        )
    )
    return head + _data(recording, len(head), layout.page)


def _data(recording: Recording, place: int, page: int) -> bytes:
    """Return where the pages of each CPU begin and how many bytes they have, and the pages; `place` is that of all this."""
    first = place + 16 * len(recording.buffers)
    begin = start = -(-first // page) * page
    table = b""
    for buffer in recording.buffers:
        table += struct.pack("<QQ", begin, len(buffer.pages))
        begin += len(buffer.pages)
    return table + bytes(start - first) + b"".join(buffer.pages for buffer in recording.buffers)


def _formats(texts: Sequence[str]) -> bytes:
    return struct.pack("<I", len(texts)) + b"".join(_sized("<Q", text) for text in texts)


def _sized(kind: str, text: str) -> bytes:
    """Return a text behind its length, which is a number of the `kind`."""
    content = text.encode()
    return struct.pack(kind, len(content)) + content


def _option(number: int, text: str) -> bytes:
    return struct.pack("<H", number) + _sized("<I", text)
