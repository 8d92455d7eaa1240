# SPDX-License-Identifier: GPL-2.0-only
"""Reads the ring buffers of ftrace: pages of events, whose fields the kernel's format files describe.

The layout is that of include/linux/ring_buffer.h and kernel/trace/ring_buffer.c of a little-endian kernel, of 32 or 64 bits.
"""

from __future__ import annotations

import bisect
import re
import struct
from collections.abc import Iterator, Mapping

import msgspec

from harness import text
from harness.errors import VmLost
from harness.model.ftrace import CpuBuffer, Event, Layout, Recording

_NAME = re.compile(r"^name: (\w+)\nID: (\d{1,9})$", re.M)
_FIELD = re.compile(r"^\tfield:(.+);\toffset:(\d{1,9});\tsize:(\d{1,9});\tsigned:([01]);$", re.M)
_DECLARED = re.compile(r"^(.*?)(\w+)((?:\[[^\]]*\])?)$")
_USED = re.compile(r"\tfield: ?local_t commit;\toffset:8;\tsize:([48]);")
_LARGEST = re.compile(r"\tfield: ?char data;\toffset:(\d{1,9});\tsize:(\d{1,9});")
_SIZES = {1: "b", 2: "h", 4: "i", 8: "q"}
"""letters of the module struct by size; the upper ones are unsigned"""
_WITHIN = (1 << 27) - 1
"""bits of a page's second word that tell how much of it is in use; others tell of lost events"""
_PADDING, _EXTEND, _STAMP = 29, 30, 31
"""kinds of entries that are no events"""
_TIME = 8
"""bytes of the time that a page begins with"""
_COMMON = struct.Struct("<HBBi")
"""begin of every event: the number of its format, flags, how deep preemption is disabled, the thread"""
_DYNAMIC = "__data_loc"
"""word of a field that says where in the event its value is"""
_LONGEST = 1 << 14
"""bytes: an address that is farther from the function before it is none of the kernel's code"""
_KERNEL = {4: 1 << 31, 8: 1 << 63}
"""lowest address that may be the kernel's, by the bytes of a long"""


class _Field(msgspec.Struct, frozen=True):
    name: str
    kind: str
    offset: int
    size: int
    signed: bool
    array: bool


class _Format(msgspec.Struct, frozen=True):
    system: str
    name: str
    fields: tuple[_Field, ...]


class Symbols:
    """The functions of a kernel by their addresses."""

    def __init__(self, lines: str) -> None:
        """Read lines of System.map."""
        rows = sorted((int(address, 16), name) for address, _, name in map(str.split, lines.splitlines()))
        self._starts = [start for start, _ in rows]
        self._names = [name for _, name in rows]

    def function(self, address: int) -> str:
        """Return the function that `address` is in; empty if none is near."""
        place = bisect.bisect_right(self._starts, address) - 1
        near = place >= 0 and address - self._starts[place] < _LONGEST
        return self._names[place] if near else ""


def events(recording: Recording) -> list[Event]:
    """Return the events of all CPUs by their time.

    Raises VmLost if they are not as many as the kernel counted.
    """
    formats = dict(_format(each, system) for system, texts in recording.formats.items() for each in texts)
    symbols = Symbols(recording.symbols)
    of = layout(recording)
    found = []
    for buffer in recording.buffers:
        raw = list(_entries(buffer, of))
        if len(raw) != buffer.entries or any(len(data) < _COMMON.size for _, data in raw):
            recorded = text.counted(buffer.entries, "event")
            raise VmLost(f"The guest recorded {recorded} on CPU {buffer.cpu}, but {len(raw)} can be read; record them again.")
        found += [_event(buffer.cpu, time, data, formats, symbols, of.long) for time, data in raw]
    return sorted(found, key=lambda event: event.time)


def layout(recording: Recording) -> Layout:
    """Return the layout of pages; VmLost if the kernel's header does not tell."""
    used, found = _USED.search(recording.header_page), _LARGEST.search(recording.header_page)
    if used is None or found is None or int(found[1]) < _TIME + int(used[1]):
        raise VmLost(f"The guest does not say how large the pages of its trace are: {recording.header_page!r}.")
    return Layout(int(found[1]) + int(found[2]), int(found[1]), int(used[1]))


def _entries(buffer: CpuBuffer, of: Layout) -> Iterator[tuple[int, bytes]]:
    """Yield the time and the bytes of each event."""
    for start in range(0, len(buffer.pages), of.page):
        page = buffer.pages[start : start + of.page].ljust(of.data, b"\0")
        time, used = struct.unpack_from(f"<Q{_SIZES[of.long].upper()}", page)
        place, end = of.data, of.data + (used & _WITHIN)
        while place + 4 <= min(end, len(page)):
            (head,) = struct.unpack_from("<I", page, place)
            kind, delta = head & 31, head >> 5
            first = struct.unpack_from("<I", page, place + 4)[0] if place + 8 <= len(page) else 0
            if kind == _PADDING and not delta:
                break
            if kind == _EXTEND:
                time += delta + (first << 27)
                place += 8
                continue
            if kind == _STAMP:
                time = delta + (first << 27)
                place += 8
                continue
            length = 4 * kind if 0 < kind < _PADDING else first
            time += delta
            if kind != _PADDING:
                begin = place + 4 if kind else place + 8
                yield time, page[begin : place + 4 + length]
            place += 4 + length


def _format(description: str, system: str) -> tuple[int, _Format]:
    found = _NAME.search(description)
    if found is None:
        raise VmLost(f"The guest describes an event of {system} in words that are not understood: {description[:60]!r}.")
    fields = []
    for declaration, offset, size, signed in _FIELD.findall(description):
        kind, name, array = _DECLARED.match(declaration).groups()  # type: ignore[union-attr] # it matches anything
        dynamic = kind.startswith(_DYNAMIC)
        fields.append(_Field(name, kind.strip(), int(offset), int(size), signed == "1", bool(array) or dynamic))
    return int(found[2]), _Format(system, found[1], tuple(fields))


def _event(cpu: int, time: int, data: bytes, formats: Mapping[int, _Format], symbols: Symbols, long: int) -> Event:
    number, _, _, pid = _COMMON.unpack_from(data)
    of = formats.get(number) or _Format("unknown", f"event {number}", ())
    values = {field.name: _value(field, data, symbols, long) for field in of.fields if not field.name.startswith("common_")}
    return Event(cpu, time, pid, of.system, of.name, values)


def _value(field: _Field, data: bytes, symbols: Symbols, long: int) -> int | str:
    place, size = field.offset, field.size
    if field.kind.startswith(_DYNAMIC):
        where = int.from_bytes(data[place : place + size], "little")
        place, size = where & 0xFFFF, where >> 16
    raw = data[place : place + size]
    if field.array and "char" in field.kind:
        return raw.partition(b"\0")[0].decode(errors="replace")
    letter = _SIZES.get(size)
    if field.array or letter is None or len(raw) < size:
        return raw.hex()
    (value,) = struct.unpack(f"<{letter if field.signed else letter.upper()}", raw)
    # A number of 64 bits is hardly ever as high as an address of the kernel; of 32 bits it is an address if it is a long.
    may_be = size == 8 if long == 8 else field.kind == "unsigned long"
    if "*" in field.kind or (may_be and not field.signed and value >= _KERNEL[long]):
        return symbols.function(value) or f"{value:#x}"
    return int(value)
