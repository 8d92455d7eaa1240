# SPDX-License-Identifier: GPL-2.0-only
"""Pages of ftrace's ring buffer: events with their times and fields, and what is no event."""

from __future__ import annotations

import struct

import pytest

from harness.errors import VmLost
from harness.model.ftrace import Event, Layout
from harness.suite import ring_buffer
from harness.suite.ring_buffer import Symbols
from tests.support import recorded
from tests.support.recorded import buffer, kmalloc, later, page, recording, row


def test_an_event_has_its_time_its_thread_and_its_fields() -> None:
    pages = page(1000, row(kmalloc(), 0))
    (event,) = ring_buffer.events(recording(buffer(pages, 1, cpu=3)))
    assert event == Event(
        3,
        1000,
        812,
        "kmem",
        "kmalloc",
        {
            "call_site": "alloc_vmap_area",
            "ptr": "0xffff888012345678",
            "bytes_req": 64,
            "node": -1,
            "comm": "insmod",
            "what": "area",
        },
    )


def test_times_add_up_within_a_page_and_begin_anew_in_the_next() -> None:
    gap = (5 << 27) + 7
    first = page(1000, row(kmalloc(), 0), row(kmalloc(), 20), later(gap), row(kmalloc(), 1))
    second = page(9_000_000_000, row(kmalloc(), 0))
    times = [event.time for event in ring_buffer.events(recording(buffer(first + second, 4)))]
    assert times == [1000, 1020, 1020 + gap + 1, 9_000_000_000]


def test_events_of_all_cpus_come_by_their_time() -> None:
    one, other = page(1000, row(kmalloc(), 0), row(kmalloc(), 500)), page(1200, row(kmalloc(), 0))
    found = ring_buffer.events(recording(buffer(one, 2), buffer(other, 1, cpu=1)))
    assert [(event.time, event.cpu) for event in found] == [(1000, 0), (1200, 1), (1500, 0)]


def test_what_was_discarded_and_what_is_no_event_is_passed_over() -> None:
    discarded = struct.pack("<II", 3 << 5 | 29, 12) + bytes(8)  # its length of 12 bytes counts the word that tells it
    stamp = struct.pack("<II", 5 << 5 | 31, 2)
    rest = struct.pack("<I", 29)
    pages = page(1000, row(kmalloc(), 0), discarded, row(kmalloc(), 4), stamp, row(kmalloc(), 1), rest, row(kmalloc(), 1))
    assert [event.time for event in ring_buffer.events(recording(buffer(pages, 3)))] == [1000, 1007, (2 << 27) + 6]


def test_a_long_event_tells_its_length_in_a_word_of_its_own() -> None:
    long = kmalloc() + bytes(100)
    pages = page(1000, row(long, 0), row(kmalloc(size=7), 5))
    assert [event.values["bytes_req"] for event in ring_buffer.events(recording(buffer(pages, 2)))] == [64, 7]


def test_flags_of_lost_events_are_no_part_of_a_page_s_length() -> None:
    pages = page(1000, row(kmalloc(), 0), flags=0b11 << 30)
    assert len(ring_buffer.events(recording(buffer(pages, 1)))) == 1


def test_a_page_that_is_missing_is_noticed() -> None:
    pages = page(1000, row(kmalloc(), 0))
    with pytest.raises(VmLost, match="recorded 2 events on CPU 0, but 1 can be read"):
        ring_buffer.events(recording(buffer(pages, 2)))


def test_a_page_that_is_cut_is_noticed() -> None:
    pages = page(1000, row(kmalloc(), 0), row(kmalloc(), 1))[:20]
    with pytest.raises(VmLost, match="recorded 2 events on CPU 0"):
        ring_buffer.events(recording(buffer(pages, 2)))


def test_a_page_cut_in_its_header_is_noticed() -> None:
    with pytest.raises(VmLost, match="recorded 1 event on CPU 0, but 0 can be read"):
        ring_buffer.events(recording(buffer(bytes(10), 1)))


def test_an_event_without_a_format_has_its_number() -> None:
    pages = page(1000, row(recorded.common(999, 5) + bytes(8), 0))
    (event,) = ring_buffer.events(recording(buffer(pages, 1)))
    assert (event.system, event.name, event.pid, event.values) == ("unknown", "event 999", 5, {})


@pytest.mark.parametrize("text", ["", "name: kmalloc\n"])
def test_a_format_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(VmLost, match="describes an event of kmem in words that are not understood"):
        ring_buffer.events(recording(formats={"kmem": (text,)}))


@pytest.mark.parametrize(
    "header",
    [
        "field: u64 timestamp;",
        recorded.HEADER.replace("commit;\toffset:8;\tsize:8", "commit;\toffset:8;\tsize:2"),
        recorded.HEADER.replace("data;\toffset:16", "data;\toffset:12"),
    ],
)
def test_a_header_that_is_none_is_refused(header: str) -> None:
    with pytest.raises(VmLost, match="does not say how large"):
        ring_buffer.layout(recording(header_page=header))


def test_the_layout_of_a_page_is_the_kernel_s() -> None:
    assert ring_buffer.layout(recording()) == recorded.LAYOUT
    assert ring_buffer.layout(recording(header_page=recorded.HEADER_32)) == Layout(4096, 12, 4)


def test_pages_of_a_32_bit_kernel_are_read() -> None:
    symbols = "c0201000 t alloc_vmap_area\nc0201400 T vfree\n"
    one, other = recorded.kmalloc_32(site=0xC0201040), recorded.kmalloc_32(site=0xDEADBEEF, size=7, flags=0xC0201040)
    pages = page(1000, row(one, 0), row(other, 5), flags=0b11 << 30, long="I")
    of_32_bits = {"header_page": recorded.HEADER_32, "formats": {"kmem": (recorded.KMALLOC_32,)}, "symbols": symbols}
    first, second = ring_buffer.events(recording(buffer(pages, 2), **of_32_bits))
    assert first.values == {"call_site": "alloc_vmap_area", "ptr": "0xee001000", "bytes_req": 64, "gfp_flags": 0}
    assert second.values["call_site"] == "0xdeadbeef", "it is the kernel's, and in none of its functions"
    assert second.values["gfp_flags"] == 0xC0201040, "a number of 32 bits that is no long is no address"
    assert (first.time, second.time) == (1000, 1005)


def test_an_address_is_in_the_function_before_it() -> None:
    symbols = Symbols(recorded.SYMBOLS)
    assert symbols.function(recorded.ALLOC) == "alloc_vmap_area"
    assert symbols.function(recorded.FREE - 1) == "alloc_vmap_area"
    assert symbols.function(recorded.FREE) == "vfree"
    assert symbols.function(recorded.ALLOC - 1) == ""
    assert symbols.function(recorded.FREE + (1 << 20)) == "", "it is in no function of the kernel"


def test_an_event_too_short_to_be_one_is_noticed() -> None:
    with pytest.raises(VmLost, match="recorded 1 event on CPU 0"):
        ring_buffer.events(recording(buffer(page(1000, row(b"\1\0\0\0", 0)), 1)))


def test_a_field_that_the_event_does_not_reach_is_empty() -> None:
    (event,) = ring_buffer.events(recording(buffer(page(1000, row(kmalloc()[:32], 0)), 1)))
    assert (event.values["bytes_req"], event.values["node"], event.values["what"]) == (64, "", "")
