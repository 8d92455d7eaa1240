# SPDX-License-Identifier: GPL-2.0-only
"""The table of a series patch by patch: every word that an entry may have."""

from __future__ import annotations

import pytest

from harness.report.patch_table import PatchRow, table
from tests.support.screen import lines_on_terminal

GOOD = PatchRow("1 mm: do", "x86_64", booted=True, passed=30, tests=31, skipped=1)


def shown(*rows: PatchRow, width: int = 160) -> list[list[str]]:
    """Return the table's lines of cells; what stands below it is one cell a line."""
    lines = lines_on_terminal(table(rows), width=width)
    return [[cell.strip() for cell in line.split("  ") if cell.strip()] for line in lines if line.strip()]


def test_a_good_patch() -> None:
    assert not GOOD.bad
    lines = shown(GOOD)
    assert lines[0] == ["patch", "machine", "built", "new warnings", "booted", "passed", "new findings"]
    assert lines[-1] == ["1 mm: do", "x86_64", "yes", "0", "yes", "30 of 31, 1 skipped", "0"]


def test_a_patch_is_named_once_for_all_machines() -> None:
    other = PatchRow("1 mm: do", "aarch64", booted=True, passed=31, tests=31)
    assert shown(GOOD, other)[-1] == ["aarch64", "yes", "0", "yes", "31 of 31", "0"]


def test_a_kernel_that_does_not_build_is_not_checked_in_all_else() -> None:
    row = PatchRow("2 mm: break", "x86_64", unbuilt="mm/vmalloc.c:1:1: error: no")
    assert row.bad
    lines = shown(row)
    assert lines[-2] == ["2 mm: break", "x86_64", "no", *["not checked"] * 4]
    assert lines[-1] == ["2 mm: break on x86_64: does not build: mm/vmalloc.c:1:1: error: no"]


def test_a_kernel_that_does_not_boot_passes_nothing() -> None:
    row = PatchRow("2 mm: break", "x86_64", passed=3, tests=3, findings=("panic in boot",))
    assert row.bad
    lines = shown(row)
    assert lines[-2][2:] == ["yes", "0", "no", "not checked", "1"]
    assert lines[-1] == ["2 mm: break on x86_64: new finding: panic in boot"]


def test_warnings_that_are_new_or_not_known() -> None:
    warned = PatchRow("2 mm: warn", "m", warnings=("a.c: unused",), booted=True)
    assert warned.bad
    assert shown(warned)[-2][3] == "1"
    assert shown(warned)[-1] == ["2 mm: warn on m: new warning: a.c: unused"]
    unknown = PatchRow("2 mm: do", "m", unchecked=("a.c", "b.c"), booted=True)
    assert not unknown.bad
    assert shown(unknown)[-1][3] == "not checked: 2 files"
    both = PatchRow("2 mm: do", "m", warnings=("a.c: unused",), unchecked=("b.c",), booted=True)
    assert shown(both)[-2][3] == "1, not checked: 1 file"
    assert shown(PatchRow("stock", "m", compared=False, booted=True))[-1][3] == "-"


@pytest.mark.parametrize(("passed", "skipped", "bad"), [(3, 0, False), (2, 1, False), (2, 0, True), (0, 0, True)])
def test_a_patch_whose_tests_did_not_all_pass_is_bad(passed: int, skipped: int, bad: bool) -> None:
    assert PatchRow("1", "m", booted=True, passed=passed, skipped=skipped, tests=3).bad is bad


def test_words_of_a_guest_or_a_mail_harm_no_terminal() -> None:
    row = PatchRow("1 [bold]x[/y] \x1b[31m", "m", booted=True, findings=("\x1b]0;title\x07",))
    text = "\n".join(cell for line in shown(row) for cell in line)
    assert "[bold]x[/y]" in text
    assert "\x1b" not in text
