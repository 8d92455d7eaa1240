# SPDX-License-Identifier: GPL-2.0-only
"""Reading a kernel's lines through what consoles, journals, terminals and other CPUs make of them."""

from __future__ import annotations

import pytest

from harness import kernlog
from harness.kernlog import find
from tests.kernlog.test_find import log

BODY = [line[line.index("] ") + 2 :] for line in log("warning").split("\n") if line.startswith("[")]
PLAIN = ("warning", "pcpu_alloc", "mm/percpu.c:1356", ("pcpu_alloc", "pcpu_run"), "vmalloc_test/2/91", 2)


def essence(trouble: kernlog.Trouble) -> tuple[object, ...]:
    functions = tuple(frame.function for frame in trouble.frames)
    return (trouble.kind, trouble.function, trouble.where, functions, trouble.process, trouble.cpu)


@pytest.mark.parametrize(
    ("prefix", "time"),
    [
        ("", None),
        ("[    1.234567] ", 1.234567),
        ("[123456.234567] ", 123456.234567),
        ("[    1.234567][ T91] ", 1.234567),
        ("[    1.234567][    C2] ", 1.234567),
        ("[  T91] ", None),
        ("<4>", None),
        ("<4>[    1.234567] ", 1.234567),
        ("[    1.234567] <4>", 1.234567),
        ("kern  :warn  : [    1.234567] ", 1.234567),
        ("[Mon Jan  1 00:00:07 2018] ", None),
        ("Jan  1 00:00:00 host kernel: ", None),
        ("Jan  1 00:00:00 host kernel: [    1.234567] ", 1.234567),
        ("Jan  1 00:00:00 host kern.warn kernel: [    1.234567] ", 1.234567),
        ("2018-01-01T00:00:00.123456+01:00 host kernel: [    1.234567] ", 1.234567),
        ("2018-01-01 00:00:00 [    1.234567] ", 1.234567),
        ("[    1.234567] host kernel: ", 1.234567),
        ("\x1b[32m[    1.234567] \x1b[0m", 1.234567),
        ("\x1b[0;1;31m", None),
        ("** 12 printk messages dropped ** [    1.234567] ", 1.234567),
    ],
)
@pytest.mark.parametrize("end", ["\n", "\r\n", "\x1b[0m\r\n", "  \n"], ids=repr)
def test_whatever_stands_before_a_line(prefix: str, time: float | None, end: str) -> None:
    (found,) = find("".join(prefix + line + end for line in BODY))
    assert essence(found) == PLAIN
    assert found.time == time
    assert (found.first, found.last) == (3, 9)


def test_colours_may_stand_in_the_middle_of_a_header() -> None:
    (found,) = find("[    1.0] \x1b[1mBUG: \x1b[31mKASAN: use-after-free\x1b[0m in fill+0x1/0x2\n")
    assert (found.kind, found.title) == ("kasan", "BUG: KASAN: use-after-free in fill+0x1/0x2")


def test_a_header_may_begin_in_the_middle_of_a_torn_line() -> None:
    (found,) = find("login: ro[    1.234567][  T91] BUG: KASAN: use-after-free in fill+0x1/0x2\n[    1.3][  T91]  drain+0x1/0x2\n")
    assert (found.kind, found.time, found.last) == ("kasan", 1.234567, 2)
    (found,) = find("[    1.234567] usb 1-1: n[    1.234570] kernel BUG at mm/vmalloc.c:512!\n")
    assert found.where == "mm/vmalloc.c:512"


def test_lines_of_other_callers_are_not_part_of_a_report() -> None:
    mine = [f"[    1.000000][  T91] {line}" for line in BODY]
    others = ["[    1.000000][  T17] usb 1-1: new device", "[    1.000000][    C0]  leftover+0x1/0x2 [other]"]
    mixed = "\n".join(line for one in mine for line in (one, *others)) + "\n"
    (found,) = find(mixed)
    assert essence(found) == PLAIN
    assert "T17" not in found.text
    assert "leftover" not in found.text


def test_reports_of_two_callers_at_once_are_told_apart() -> None:
    one = [f"[    1.000000][  T91] {line}" for line in BODY]
    other = [f"[    1.000000][  T97] {line}".replace("pcpu_", "vmap_").replace("91", "97") for line in BODY]
    found = find("\n".join(line for pair in zip(one, other, strict=True) for line in pair))
    assert [trouble.function for trouble in found] == ["pcpu_alloc", "vmap_alloc"]
    assert [trouble.process for trouble in found] == ["vmalloc_test/2/91", "vmalloc_test/2/97"]


def test_what_programs_print_is_not_part_of_a_stamped_report() -> None:
    stamped = [f"[    1.000000] {line}" for line in BODY]
    mixed = "\n".join(line for one in stamped for line in (one, "executing program", " indented+0x1/0x2"))
    (found,) = find(mixed)
    assert essence(found) == PLAIN
    assert "executing" not in found.text


def test_other_lines_within_a_report_are_kept_in_its_text() -> None:
    mixed = "\n".join(line for one in BODY for line in (one, "usb 1-1: new device"))
    (found,) = find(mixed)
    assert essence(found) == PLAIN
    assert "usb 1-1" in found.text
    assert not found.text.endswith("new device")


def test_nothing_that_steers_a_terminal_is_in_a_finding() -> None:
    nasty = "\x1b]0;title\x07\x1b[2J\x9b31m\u202e\x00\x08\u2066"
    (found,) = find(
        f"{nasty}kernel BUG at {nasty}mm/vmalloc.c:512!{nasty}\n{nasty} fill+0x1/0x2{nasty}\n"
        f"CPU: 0 PID: 1 Comm: {nasty}x Not tainted\n"
    )
    assert found.title == "kernel BUG at mm/vmalloc.c:512!"
    assert found.process == "x/1"
    assert all(part.isprintable() for part in (found.title, found.process, *found.text.split("\n")))


def test_garbage_between_the_lines_does_no_harm() -> None:
    garbage = bytes(range(256)).replace(b"\n", b"") * 40
    data = b"".join(garbage + b"\n[    1.000000] " + line.encode() + b"\n" for line in BODY)
    reader = kernlog.Reader()
    found = [*reader.feed(data), *reader.close()]
    assert [essence(trouble) for trouble in found] == [PLAIN]
