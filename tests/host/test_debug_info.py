# SPDX-License-Identifier: GPL-2.0-only
"""Debug information of a small kernel: where statements begin, and the text of lines."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import UsageError
from harness.host import debug_info, shell
from harness.host.debug_info import Line
from tests.support import code
from tests.support.code import Code

FILE, HEADER = "mm/kernel.c", "include/linux/inlined.h"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Code:
    return code.compiled(tmp_path_factory.mktemp("code"))


def number(text: str, of: str) -> int:
    return next(place for place, line in enumerate(of.split("\n"), 1) if text in line)


def test_statements_begin_at_their_addresses(made: Code) -> None:
    found = debug_info.statements(made.vmlinux, {FILE, HEADER, "mm/other.c"})
    leaf, copy, outer = (made.address(name) for name in ("leaf", "copy.isra.0", "outer"))
    assert found[FILE, number("in leaf", code.KERNEL)][0] == leaf
    assert all(copy <= at < leaf or copy <= at < outer for at in found[FILE, number("in copy", code.KERNEL)])
    assert {file for file, _ in found} == {FILE, HEADER}
    assert (FILE, number("volatile int sink", code.KERNEL)) not in found


def test_an_inlined_statement_has_an_address_for_each_copy(made: Code) -> None:
    found = debug_info.statements(made.vmlinux, {HEADER})
    ran = found[HEADER, number("in inlined", code.HEADER)]
    start, end = made.address("outer"), made.address("_start")
    assert any(start <= at < end for at in ran)
    assert {file for file, _ in found} == {HEADER}


def test_statements_and_lines_agree(made: Code) -> None:
    found = debug_info.statements(made.vmlinux, {FILE})
    assert found
    for (file, line), addresses in found.items():
        ((_, told),) = debug_info.lines(made.vmlinux, "", addresses[:1])
        assert file in {place.file for place in told}
        assert line > 0


def test_of_no_file_there_is_nothing(made: Code) -> None:
    assert debug_info.statements(made.vmlinux, set()) == {}
    assert debug_info.statements(made.vmlinux, {"kernel.c", "include/linux/inlined", "other/mm/kernel.c"}) == {}


def test_a_file_without_debug_information_has_no_statements(made: Code, tmp_path: Path) -> None:
    bare = tmp_path / "vmlinux"
    shell.output(("strip", "-g", "-o", bare, made.vmlinux))
    assert debug_info.statements(bare, {FILE}) == {}
    assert list(debug_info.lines(bare, "", [made.address("leaf")])) == []


@pytest.mark.parametrize("content", [None, b"", b"not an object"], ids=["none", "empty", "text"])
def test_a_file_that_is_no_object_is_an_error(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "vmlinux"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(UsageError, match=rf"^The debug information of {file} cannot be read: .*; build the kernel again\.$"):
        debug_info.statements(file, {FILE})


def test_a_line_is_that_of_the_innermost_function_first(made: Code) -> None:
    start, end = made.address("outer"), made.address("_start")
    found = debug_info.statements(made.vmlinux, {HEADER})[HEADER, number("in inlined", code.HEADER)]
    (at,) = {at for at in found if start <= at < end}
    ((_, told),) = debug_info.lines(made.vmlinux, "", [at])
    assert told == [
        Line("inlined", HEADER, number("in inlined", code.HEADER)),
        Line("outer", FILE, number("calls the one of the header", code.KERNEL)),
    ]


def test_a_form_feed_ends_no_line(tmp_path: Path) -> None:
    (tmp_path / "a.c").write_text("one\n\f\ntwo \x1c \u2028 three\nfour\n")
    source = debug_info.below(tmp_path)
    told = [debug_info.text("a.c", line, [source]) for line in range(6)]
    assert told == ["", "one", "", "two \x1c \u2028 three", "four", ""]


@pytest.mark.parametrize("file", ["../secret.c", "/etc/passwd", "nowhere.c", "", "."])
def test_text_is_of_the_sources_alone(tmp_path: Path, file: str) -> None:
    (tmp_path / "secret.c").write_text("secret\n")
    (tmp_path / "src").mkdir()
    assert debug_info.text(file, 1, (debug_info.below(tmp_path / "src"),)) == ""


def test_the_first_root_that_has_a_line_is_asked(tmp_path: Path) -> None:
    for name, text in (("one", "a\n"), ("two", "b\nc\n")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x.c").write_text(text)
    sources = [debug_info.below(tmp_path / name) for name in ("one", "two")]
    assert [debug_info.text("x.c", line, sources) for line in (1, 2, 3)] == ["a", "c", ""]
