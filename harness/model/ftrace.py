# SPDX-License-Identifier: GPL-2.0-only
"""Recordings of the kernel's ftrace: its buffers as the guest gave them, and the events in them."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

GRAPH = "ftrace"
"""system of the events that the function graph tracer records"""
ENTRY, EXIT = "funcgraph_entry", "funcgraph_exit"
"""names of these: a function begins, and one has ended"""


class Layout(msgspec.Struct, frozen=True):
    """The pages of a ring buffer: a time, a long with the number of bytes in use, and events."""

    page: int
    """bytes of a page"""
    data: int
    """offset of the first event"""
    long: int
    """bytes of a long of the kernel"""


class CpuBuffer(msgspec.Struct, frozen=True):
    """The ring buffer of one CPU."""

    cpu: int
    pages: bytes
    entries: int
    """events that the kernel counted in it"""
    lost: int
    """events that it had no room for, of which an older one went for a newer one"""
    stats: str
    """as the kernel prints them"""


class Recording(msgspec.Struct, frozen=True):
    """All that the guest gave: buffers, and what it takes to read them, as texts of tracefs."""

    buffers: tuple[CpuBuffer, ...]
    header_page: str
    header_event: str
    formats: Mapping[str, tuple[str, ...]]
    """formats of events by their system"""
    commands: str
    """lines of a process id and the process's name"""
    strings: str
    """addresses and texts of the kernel's formats"""
    clocks: str
    """the kernel's trace clocks, the one in use in brackets"""
    symbols: str
    """functions of the kernel, as in System.map"""

    @property
    def lost(self) -> int:
        """Number of events that the buffers had no room for."""
        return sum(buffer.lost for buffer in self.buffers)


class Event(msgspec.Struct, frozen=True):
    """One recorded event."""

    cpu: int
    time: int
    """nanoseconds of the trace clock"""
    pid: int
    """of the thread that ran"""
    system: str
    name: str
    values: Mapping[str, int | str]
    """its fields; an address in the kernel's code is told as a function"""
