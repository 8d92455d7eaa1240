# SPDX-License-Identifier: GPL-2.0-only
"""The checks of a series as people see them: each has its result, and one that was not made is no pass."""

from __future__ import annotations

from rich.console import Console

from harness.model.series_check import Check, Checked, State
from harness.report import series_check

CHECKED = Checked(
    "mine",
    "4.18",
    2,
    (
        Check("git am", State.GOOD, "it takes all 2 patches, without fuzz"),
        Check("gcc W=1", State.FOUND, "1 new warnings", ("mm/vmalloc.c:5: warning: unused [-Wunused]",)),
        Check("sparse", State.NOT_CHECKED, "it is not installed"),
    ),
)


def test_the_mail() -> None:
    assert series_check.mail(CHECKED) == (
        "mine: 2 patches on Linux 4.18\n"
        "\n"
        "git am   good: it takes all 2 patches, without fuzz\n"
        "gcc W=1  found: 1 new warnings\n"
        "           mm/vmalloc.c:5: warning: unused [-Wunused]\n"
        "sparse   not checked: it is not installed\n"
    )


def test_the_table_has_the_same_words() -> None:
    console = Console(width=100, color_system=None)
    with console.capture() as shown:
        console.print(series_check.table(CHECKED))
    text = " ".join(shown.get().split())
    for words in ("mine: 2 patches on Linux 4.18", "gcc W=1 found 1 new warnings", "[-Wunused]", "sparse not checked it is not"):
        assert words in text


def test_only_what_is_found_has_to_be_mended() -> None:
    assert CHECKED.found
    assert not Checked("mine", "4.18", 1, (CHECKED.checks[0], CHECKED.checks[2], Check("size", State.TOLD, "+1"))).found
