# SPDX-License-Identifier: GPL-2.0-only
"""kmemleak's file, as the profile `debug` has it, and what is made of it."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from harness.kernlog import kmemleak
from harness.model.trouble import Severity
from tests.support import make

PERCPU = """\
    [<00000000f334b8e1>] __kmalloc+0x16a/0x1f0
    [<00000000cf76dd1b>] pcpu_mem_zalloc+0x2f/0xa0
    [<00000000cb6bd2b6>] pcpu_create_chunk+0x15f/0x5b0
    [<000000009098d109>] pcpu_alloc+0x670/0x790
    [<0000000015f63cb7>] __alloc_percpu_gfp+0xd/0x10
    [<00000000f199e875>] 0xffffffffa0008549
    [<0000000095e8c150>] 0xffffffffa00016cc
    [<0000000054c8c240>] kthread+0x2b7/0x3b0
    [<00000000f1275b64>] ret_from_fork+0x24/0x30
    [<000000004d45558b>] 0xffffffffffffffff"""
WORKER = """\
    [<00000000f334b8e1>] __kmalloc+0x16a/0x1f0
    [<00000000cf76dd1b>] pcpu_mem_zalloc+0x2f/0xa0
    [<00000000cb6bd2b6>] pcpu_create_chunk+0x15f/0x5b0
    [<00000000d0347c3d>] pcpu_balance_workfn+0xb3d/0xdd0
    [<00000000d2478c02>] process_one_work+0x6f7/0x1240"""
NAMES = """\
ffffffffa0008220 t pcpu_alloc_test\t[vmalloc_test]
ffffffffa0009020 t mix_stress_test\t[vmalloc_test]
ffffffffa0001620 t thread_main\t[vmalloc_test]
ffffffffa0001690 d a_variable	[vmalloc_test]
ffffffffa00018c0 T threads_run\t[vmalloc_test]
"""


def dump(*objects: tuple[int, str], size: int = 4096) -> str:
    """Return kmemleak's file with objects at these addresses, allocated so."""
    return "".join(
        f'unreferenced object 0xffff8800{address:08x} (size {size}):\n  comm "vmalloc_test/0", pid 69, jiffies 4294896476'
        f" (age 44.752s)\n  hex dump (first 32 bytes):\n    00 04 00 00  ....\n  backtrace:\n{trace}\n"
        for address, trace in objects
    )


def titles(first: str, again: str, symbols: str = "") -> Sequence[str]:
    return [trouble.title for trouble in kmemleak.read(first, again, symbols)]


def test_each_call_trace_is_a_trouble_with_its_count() -> None:
    said = dump((1, PERCPU), (2, WORKER), (3, PERCPU), (4, PERCPU))
    many, one = kmemleak.read(said, said, NAMES)
    assert many.title == "3 leaked objects (12288 bytes in all) from pcpu_create_chunk"
    assert one.title == "1 leaked object (4096 bytes in all) from pcpu_create_chunk"
    assert (many.kind, many.severity, many.function, many.process) == (
        *("memory-leak", Severity.ERROR, "pcpu_create_chunk", "vmalloc_test/0/69"),
    )
    assert many.fingerprint != one.fingerprint
    assert many.text.count("unreferenced object") == 1
    assert many.text.endswith("... 2 more with such a call trace ...")
    assert "more with" not in one.text


def test_functions_of_a_module_that_is_gone_have_their_names() -> None:
    said = dump((1, PERCPU))
    (told,) = kmemleak.read(said, said, NAMES)
    named = [(f.function, f.offset, f.size) for f in told.frames if f.module == "vmalloc_test"]
    assert named == [("pcpu_alloc_test", 0x329, 0xE00), ("thread_main", 0xAC, 0x2A0)]
    assert "0xffffffffffffffff" in told.text, "what is none of its addresses stays"
    (bare,) = kmemleak.read(said, said, "")
    assert not [f for f in bare.frames if f.module]


def test_what_one_scan_alone_has_is_no_leak() -> None:
    assert titles(dump((1, PERCPU)), dump((2, PERCPU))) == []
    assert titles(dump((1, PERCPU), (2, WORKER)), dump((2, WORKER))) == [
        "1 leaked object (4096 bytes in all) from pcpu_create_chunk"
    ]
    assert titles("", "") == []


def test_a_file_that_was_cut_tells_the_least_there_is() -> None:
    whole = dump(*((number, PERCPU) for number in range(1, 1000)))
    traceless = whole.rindex("backtrace:", 0, kmemleak.MOST)
    said = ("x" * (kmemleak.MOST - traceless) + "\n" + whole)[: kmemleak.MOST]
    (title,) = titles(said, said)
    assert title.startswith("at least ")
    assert 100 < int(title.split()[2]) < 999


def test_call_traces_without_end_are_not_all_told() -> None:
    said = dump(*((n, f"    [<00000000f334b8e1>] function_{n:c}+0x16a/0x1f0") for n in range(ord("A"), ord("A") + 26)))
    assert len(kmemleak.read(said, said, "")) == 20


@pytest.mark.parametrize("said", ["unreferenced object", "unreferenced object 0x12 (size 9)\n\x00\xff", "backtrace:\n" * 9])
def test_what_makes_no_sense_is_passed_over(said: str) -> None:
    assert len(kmemleak.read(said, said, said)) <= 1


def test_other_troubles_stay_and_come_first() -> None:
    word = make.trouble(kind="memory-leak", title="kmemleak: 4 new suspected memory leaks", first=7, last=8)
    full = make.trouble(kind="memory-leak", title="kmemleak: Cannot insert 0x12 into the object search tree")
    told = kmemleak.read(dump((1, PERCPU)), dump((1, PERCPU)), "")
    found = kmemleak.instead([word, full, make.trouble()], told, 1)
    assert [t.title for t in found] == [full.title, make.trouble().title, told[0].title]
    assert (found[2].first, found[2].last) == (7, 8)
    assert [t.first for t in kmemleak.instead([], told, 3)] == [3]
