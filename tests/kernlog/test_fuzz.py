# SPDX-License-Identifier: GPL-2.0-only
"""No log is too strange, too long or cut too badly, and none takes more than its length is worth."""

from __future__ import annotations

import itertools
import pickle
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness import kernlog
from harness.kernlog import block, lines
from harness.model.trouble import Trouble
from tests.kernlog.test_find import HEADERS, LOGS, log

WORDS = (
    *HEADERS,
    "------------[ cut here ]------------",
    "---[ end trace 0 ]---",
    "=" * 30,
    "Call Trace:",
    " fill+0x1/0x2",
    " ? drain+0x1/0x2 [mod]",
    "RIP: 0010:fill+0x1/0x2",
    "CPU: 0 PID: 97 Comm: insmod Not tainted 4.18.0 #1",
    "NMI backtrace for cpu 1",
    "\x1b[0m",
    "",
)
MORE = ("guest1 | ", "[    1.500000] c1 ", "    MESSAGE=", '{"_TRANSPORT":"kernel","MESSAGE":"', "_TRANSPORT=kernel\nMESSAGE=")
"""prefixes that other lines prove, and fields of journals"""
STAMPS = (
    "",
    "[    1.000000] ",
    "[    1.500000][  T97] ",
    "[   99.000000][    C1] ",
    "Jan  1 00:00:00 host kernel: ",
    "\x1b[1m",
    *MORE,
)
RECORDED = b"".join(log(name).encode() for name in LOGS)
LINES = st.builds(
    lambda stamp, text: f"{stamp}{text}", st.sampled_from(STAMPS), st.one_of(st.sampled_from(WORDS), st.text(max_size=40))
)


def read(pieces: list[bytes], first: int = 1) -> list[Trouble]:
    reader = kernlog.Reader(first)
    found = [trouble for piece in pieces for trouble in reader.feed(piece)]
    return found + reader.close()


def sound(found: list[Trouble], first: int, count: int) -> None:
    for trouble in found:
        assert first <= trouble.first <= trouble.last < first + count
        assert trouble.title
        assert trouble.text
        assert len(trouble.fingerprint) == 16
        assert len(trouble.text) <= (block.HEAD + 2 * block.TAIL) * lines.LONGEST * 4


@given(st.lists(LINES, max_size=60), st.integers(1, 10**6))
def test_no_log_is_too_strange(logged: list[str], first: int) -> None:
    text = "\n".join(logged)
    sound(kernlog.find(text, first), first, text.count("\n") + 1)


@given(st.binary(max_size=2000))
def test_no_bytes_are_too_strange(data: bytes) -> None:
    sound(read([data]), 1, data.count(b"\n") + 1)


@given(st.data())
@settings(max_examples=100)
def test_recorded_logs_may_be_torn_anyhow(data: st.DataObject) -> None:
    torn = bytearray(RECORDED)
    for _ in range(data.draw(st.integers(1, 20))):
        at = data.draw(st.integers(0, len(torn) - 1))
        length = data.draw(st.integers(0, 200))
        torn[at : at + length] = data.draw(st.one_of(st.binary(max_size=20), st.just(b"\n"), st.just(bytes(torn[:length]))))
    sound(read([bytes(torn)]), 1, torn.count(b"\n") + 1)


@given(st.lists(LINES, max_size=40), st.lists(st.integers(0, 3000), max_size=12))
def test_it_does_not_matter_how_a_log_is_cut_into_pieces(logged: list[str], cuts: list[int]) -> None:
    data = "\n".join(logged).encode(errors="replace") + b"\n" + RECORDED[: sum(cuts)]
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    assert read([data[start:end] for start, end in itertools.pairwise(edges)]) == read([data])


@pytest.mark.parametrize("size", [1, 7, 4096])
def test_a_long_log_in_small_pieces_is_the_same(size: int) -> None:
    data = b"x" * 5000 + b"BUG: KASAN: far behind\n" + RECORDED + b"[   70.000000] usb 1-1: new\n" * 50 + RECORDED
    assert read([data[start : start + size] for start in range(0, len(data), size)]) == read([data])


def test_a_line_is_not_read_past_what_a_kernel_can_say() -> None:
    assert read([b"x" * lines.LONGEST + b"[    1.000000] kernel BUG at mm/vmalloc.c:512!\n"]) == []
    (found,) = read([b"kernel BUG at mm/vmalloc.c:512! " + b"x" * 10_000_000 + b"\n fill+0x1/0x2\n"])
    assert found.last == 2
    assert len(found.text) < 2 * lines.LONGEST


ENDLESS = {
    "one line": b"BUG: " * 1000,
    "no line ends": b"\x00\xff" * 1000,
    "reports": b"kernel BUG at mm/vmalloc.c:512!\n" * 40,
    "panics": b"Kernel panic - not syncing: again\n" * 40,
    "different reports": b"".join(f"BUG: KASAN: use-after-free in f{n}+0x1/0x2\n".encode() for n in range(40)),
    "doubts": b"box tester: BUG: odd\n" * 60,
    "numbers": (b"1 " * 60 + b"z BUG: x\n") + (b"1 " * 60 + b"y fill+0x1/0x2\n") * 16,
    "quotes": b'{"MESSAGE":"' + b"\\\\" * 900 + b"BUG: x\n",
    "fields": b"MESSAGE=BUG: x\n" * 60,
    "hardware": b"[Hardware Error]: CPU 0: Machine Check: 0 Bank 5: 1\n" * 40,
    "stalls": b"rcu: INFO: rcu_preempt self-detected stall on CPU\n fill+0x1/0x2\n" * 40,
    "oopses": b"BUG: unable to handle page fault for address: 1\nOops: 0002 [#1] SMP\n fill+0x1/0x2\n" * 40,
    "killings": b"insmod invoked oom-killer: gfp_mask=0\nOut of memory: Kill process 97 (insmod)\n" * 40,
    "leaks": b"unreferenced object 0xffff888012345678 (size 64):\n" * 40,
    "frames": b" fill+0x1/0x2\n" * 100,
    "cuts": b"------------[ cut here ]------------\nsomething\n" * 40,
    "callers": b"".join(b"[    1.000000][%5s] WARNING: CPU: 1 PID: 2 at x.c:1 f+0x1/0x2\n" % f"T{n}".encode() for n in range(60)),
    "stamps": b"[    1.000000] " * 100 + b"BUG: x\n",
    "blanks": b" " * 2000 + b"BUG: x\n",
    "colours": b"\x1b[0m" * 500 + b"\n",
    "brackets": b"[" * 1000 + b"BUG: " + b"]" * 900 + b"\n",
    "addresses": b"BUG: at " + b"0123456789abcdef " * 100 + b"\n",
    "reasons": b"Internal error: " + b"a: " * 600 + b"[#1]\n",
    "commas": b"WARNING: " + b"a, CPU#1: " * 150 + b"\n",
}


@pytest.mark.parametrize("name", ENDLESS)
def test_what_is_kept_does_not_grow_with_the_log(name: str) -> None:
    piece = (b"BUG: KASAN: use-after-free in x\n" + ENDLESS[name]) * 8
    reader = kernlog.Reader()
    for _ in range(10):
        reader.feed(piece)
    early = len(pickle.dumps(reader))
    for _ in range(24):
        reader.feed(piece)
    assert len(pickle.dumps(reader)) < early + 4 * len(piece)


@pytest.mark.parametrize("name", ENDLESS)
def test_time_grows_as_the_log_does(name: str) -> None:
    def seconds(times: int) -> float:
        data = ENDLESS[name] * times
        took = []
        for _ in range(3):
            start = time.process_time()
            read([data])
            took.append(time.process_time() - start)
        return min(took)

    unit = max(1, 8_000 // len(ENDLESS[name]))
    # A quadratic reader would need 64 times as long for 8 times as much.
    assert seconds(8 * unit) < 24 * max(seconds(unit), 0.004)
