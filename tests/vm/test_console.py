# SPDX-License-Identifier: GPL-2.0-only
"""Following a serial console's file while it grows."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.vm.console import Console


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "serial.log"


def write(log: Path, data: bytes) -> None:
    with log.open("ab") as file:
        file.write(data)


def test_a_file_that_is_not_there_yet_says_nothing(log: Path) -> None:
    console = Console(log)
    assert (console.read(), console.rest(), console.line) == ("", "", 1)
    write(log, b"one\n")
    assert console.read() == "one\n"


def test_a_line_in_the_making_is_left_for_later(log: Path) -> None:
    console = Console(log)
    write(log, b"one\r\ntw")
    assert (console.read(), console.line) == ("one\n", 2)
    assert (console.read(), console.line) == ("", 2)
    write(log, b"o\r\nthree\r\nfo")
    assert (console.read(), console.line) == ("two\nthree\n", 4)


def test_the_rest_takes_the_line_that_was_never_finished(log: Path) -> None:
    console = Console(log)
    write(log, b"one\ntw")
    console.read()
    assert (console.rest(), console.line) == ("tw", 2)
    assert console.rest() == ""


def test_what_is_not_text_is_not_an_error(log: Path) -> None:
    console = Console(log)
    write(log, b"\xff\x00\xc3\n\xc3")
    assert console.read() == "\ufffd\x00\ufffd\n"
    write(log, b"\xa9\n")
    assert console.read() == "\u00e9\n", "a character may arrive in two pieces"


def test_a_console_forgets_what_was_read_and_counts_from_one_again(tmp_path: Path) -> None:
    log = tmp_path / "serial.log"
    log.write_text("one\ntwo\nthr")
    console = Console(log)
    assert console.read() == "one\ntwo\n"
    assert console.taken() == b"one\ntwo\n"
    console.forget()
    assert log.read_text() == "thr", "what was not read is not lost"
    assert (console.line, console.size) == (1, 3)
    with log.open("a") as file:
        file.write("ee\n")
    assert console.read() == "three\n"
    assert console.line == 2
