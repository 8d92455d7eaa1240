# SPDX-License-Identifier: GPL-2.0-only
"""What the series changes, in the page and in the mail."""

from __future__ import annotations

import msgspec

from harness.model.changes import CellChanges, Changes
from harness.report.changes import ChangedSymbol, rows
from harness.report.contents import Content
from harness.report.mail import mail
from harness.report.page import html
from tests.support import content, make
from tests.support.page import Page


def of(*changed: CellChanges) -> Content:
    return Content(make.provenance(), changes=changed)


def test_rows_have_counts_sizes_and_what_it_comes_to() -> None:
    (row,) = rows([content.changed(3)])
    assert (row.cell, row.against, row.counts, row.nothing) == ("x86_64/mine/perf", "stock", (2, 1, 0), False)
    assert row.sentence == "functions: 2 changed, 1 added"
    assert row.functions[:2] == (
        ChangedSymbol("find_hole", "mm/vmalloc.c", "1,234", "added"),
        ChangedSymbol("function_01", "mm/vmalloc.c", "800 to 833", "changed"),
    )
    assert row.data == (ChangedSymbol("table", "", "64", "changed"),)


def test_long_lists_are_folded_in_the_page_and_cut_in_the_mail() -> None:
    short, long = html(of(content.changed(10))), html(of(content.changed(12)))
    assert "<details open><summary>x86_64/mine/perf against stock</summary>" in short
    assert "<details><summary>x86_64/mine/perf against stock</summary>" in long
    assert "function_<wbr>11" in long
    said = mail(of(content.changed(12)))
    assert "* x86_64/mine/perf against stock: functions: 11 changed, 1 added\n" in said
    assert "function_09" in said
    assert "function_10" not in said
    assert "and 2 more, which report.html has" in said
    assert "more, which" not in mail(of(content.changed(10)))


def test_a_page_has_no_more_than_can_be_read() -> None:
    shown = html(of(content.changed(205)))
    assert "function_<wbr>199" in shown
    assert "function_<wbr>200" not in shown
    assert "and 5 more, which changes.jsonl has" in shown
    assert "more, which" not in html(of(content.changed(200)))


def test_kernels_without_a_difference_are_said_so() -> None:
    same = msgspec.structs.replace(content.changed(0), changes=Changes(same_image=True))
    found = (same, content.changed(0, variant="mine@1"))
    for shown in (html(of(*found)), " ".join(mail(of(*found)).split())):
        assert "these patches change nothing in this configuration" in shown
        assert "these patches change no function's code in this configuration, only data or line numbers" in shown.replace(
            "&#39;", "'"
        )


def test_a_run_that_was_not_asked_shows_nothing() -> None:
    assert 'id="changes"' not in html(of())
    assert "What the series changes" not in mail(of())


def test_names_in_a_kernel_are_text() -> None:
    shown = Page(html(of(content.changed(2, variant=content.EVIL, against=content.EVIL))))
    assert "script" not in shown.tags
    assert "alert(1)" in shown.text
