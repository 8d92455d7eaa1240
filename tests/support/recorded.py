# SPDX-License-Identifier: GPL-2.0-only
"""A recording of ftrace, put together event by event."""

from __future__ import annotations

import struct
from typing import Any

from harness.model.ftrace import GRAPH, CpuBuffer, Layout, Recording

PAGE = 4096
LAYOUT = Layout(PAGE, 16, 8)
ALLOC, FREE = 0xFFFFFFFF81100000, 0xFFFFFFFF81100400
"""addresses of alloc_vmap_area() and of the function after it"""
SYMBOLS = f"{ALLOC:016x} t alloc_vmap_area\n{FREE:016x} T vfree\n"
HEADER = """\
\tfield: u64 timestamp;\toffset:0;\tsize:8;\tsigned:0;
\tfield: local_t commit;\toffset:8;\tsize:8;\tsigned:1;
\tfield: int overwrite;\toffset:8;\tsize:1;\tsigned:1;
\tfield: char data;\toffset:16;\tsize:4080;\tsigned:1;
"""
HEADER_32 = """\
\tfield: u64 timestamp;\toffset:0;\tsize:8;\tsigned:0;
\tfield: local_t commit;\toffset:8;\tsize:4;\tsigned:1;
\tfield: int overwrite;\toffset:8;\tsize:1;\tsigned:1;
\tfield: char data;\toffset:12;\tsize:4084;\tsigned:0;
"""
"""of 32-bit Arm"""
_COMMON = """\
\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;
\tfield:unsigned char common_flags;\toffset:2;\tsize:1;\tsigned:0;
\tfield:unsigned char common_preempt_count;\toffset:3;\tsize:1;\tsigned:0;
\tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;

"""
KMALLOC = f"""\
name: kmalloc
ID: 358
format:
{_COMMON}\tfield:unsigned long call_site;\toffset:8;\tsize:8;\tsigned:0;
\tfield:const void * ptr;\toffset:16;\tsize:8;\tsigned:0;
\tfield:size_t bytes_req;\toffset:24;\tsize:8;\tsigned:0;
\tfield:int node;\toffset:32;\tsize:4;\tsigned:1;
\tfield:char comm[16];\toffset:36;\tsize:16;\tsigned:1;
\tfield:__data_loc char[] what;\toffset:52;\tsize:4;\tsigned:1;

print fmt: "call_site=%lx ptr=%p bytes_req=%zu node=%d", REC->call_site, REC->ptr, REC->bytes_req, REC->node
"""
EXIT = f"""\
name: funcgraph_exit
ID: 10
format:
{_COMMON}\tfield:unsigned long func;\toffset:8;\tsize:8;\tsigned:0;
\tfield:unsigned long long calltime;\toffset:16;\tsize:8;\tsigned:0;
\tfield:unsigned long long rettime;\toffset:24;\tsize:8;\tsigned:0;
\tfield:unsigned long overrun;\toffset:32;\tsize:8;\tsigned:0;
\tfield:int depth;\toffset:40;\tsize:4;\tsigned:1;

print fmt: "<-- %ps (%d) (start: %llx  end: %llx) over: %d", (void *)REC->func, REC->depth, REC->calltime, REC->rettime, REC->depth
"""
ENTRY = f"""\
name: funcgraph_entry
ID: 11
format:
{_COMMON}\tfield:unsigned long func;\toffset:8;\tsize:8;\tsigned:0;
\tfield:int depth;\toffset:16;\tsize:4;\tsigned:1;

print fmt: "--> %ps (%d)", (void *)REC->func, REC->depth
"""
KMALLOC_32 = f"""\
name: kmalloc
ID: 358
format:
{_COMMON}\tfield:unsigned long call_site;\toffset:8;\tsize:4;\tsigned:0;
\tfield:const void * ptr;\toffset:12;\tsize:4;\tsigned:0;
\tfield:size_t bytes_req;\toffset:16;\tsize:4;\tsigned:0;
\tfield:gfp_t gfp_flags;\toffset:20;\tsize:4;\tsigned:0;

print fmt: "call_site=%lx ptr=%p bytes_req=%zu", REC->call_site, REC->ptr, REC->bytes_req
"""
CLOCKS = "[local] global counter uptime perf mono mono_raw boot x86-tsc\n"


def common(number: int, pid: int) -> bytes:
    return struct.pack("<HBBi", number, 0, 0, pid)


def kmalloc(pid: int = 812, *, site: int = ALLOC + 0x40, pointer: int = 0xFFFF888012345678, size: int = 64) -> bytes:
    """Return the bytes of an event of kmem:kmalloc, called by alloc_vmap_area()."""
    fixed = common(358, pid) + struct.pack("<QQQi16sI", site, pointer, size, -1, b"insmod\0rubbish", 5 << 16 | 56)
    return fixed + b"area\0" + bytes(3)


def kmalloc_32(pid: int = 812, *, site: int, pointer: int = 0xEE001000, size: int = 64, flags: int = 0) -> bytes:
    """Return the bytes of an event of kmem:kmalloc of a 32-bit kernel."""
    return common(358, pid) + struct.pack("<IIII", site, pointer, size, flags)


def entry(pid: int = 812, *, function: int = ALLOC, depth: int = 0) -> bytes:
    """Return the bytes of an event by which a function begins."""
    return common(11, pid) + struct.pack("<Qi", function, depth)


def ended(began: int, end: int, pid: int = 812, *, function: int = ALLOC, depth: int = 0) -> bytes:
    """Return the bytes of an event by which a function has ended."""
    return common(10, pid) + struct.pack("<QQQQi", function, began, end, 0, depth)


def row(data: bytes, delta: int) -> bytes:
    """Return an event in a page, so many nanoseconds after the one before it."""
    words = -(-len(data) // 4)
    padded = data.ljust(4 * words, b"\0")
    if words <= 28:
        return struct.pack("<I", delta << 5 | words) + padded
    return struct.pack("<II", delta << 5, len(padded) + 4) + padded


def later(delta: int) -> bytes:
    """Return the entry that makes the next event later by more than an event itself can tell."""
    return struct.pack("<II", (delta & (1 << 27) - 1) << 5 | 30, delta >> 27)


def page(time: int, *rows: bytes, flags: int = 0, long: str = "Q") -> bytes:
    """Return a page that begins at a time; behind what is used of it the kernel leaves what was there before."""
    data = b"".join(rows)
    return (struct.pack(f"<Q{long}", time, len(data) | flags) + data).ljust(PAGE, b"\xff")


def buffer(pages: bytes, entries: int, *, cpu: int = 0, lost: int = 0) -> CpuBuffer:
    return CpuBuffer(cpu, pages, entries, lost, f"entries: {entries}\noverrun: {lost}\n")


def recording(*buffers: CpuBuffer, **other: Any) -> Recording:
    """Return a recording of kmem:kmalloc and functions."""
    fields: dict[str, Any] = {
        "header_page": HEADER,
        "header_event": "# compressed entry header\n",
        "formats": {GRAPH: (ENTRY, EXIT), "kmem": (KMALLOC,)},
        "commands": "812 insmod\n815 vmalloc_test/0\n",
        "strings": "",
        "clocks": CLOCKS,
        "symbols": SYMBOLS,
    }
    return Recording(buffers, **{**fields, **other})
