# SPDX-License-Identifier: GPL-2.0-only
"""What a guest says is text in the page, wherever it stands."""

from __future__ import annotations

import pytest

from harness.model.trouble import Frame
from tests.support import content, make
from tests.support.page import Page, page


@pytest.mark.parametrize("field", ["title", "text", "test", "kind", "function", "where", "process", "evidence", "left"])
def test_what_a_guest_says_in_a_finding_is_text(field: str) -> None:
    is_text(page(findings=(make.finding(**{field: content.EVIL}),)))


def test_what_a_guest_says_in_a_call_trace_is_text() -> None:
    frame = Frame(content.EVIL, 1, 2, content.EVIL, file=content.EVIL, line=3, source=content.EVIL)
    is_text(page(findings=(make.finding(frames=(frame,), followed=(content.EVIL,)),)))


def test_what_a_guest_says_elsewhere_is_text() -> None:
    is_text(page(results=(make.result("failed", reason=content.EVIL),)))
    is_text(page(sections=(content.section(began=content.EVIL, ended=content.EVIL, stack=(content.EVIL,)),)))
    is_text(page(points=content.points(workload=content.EVIL, axis=content.EVIL, variant=content.EVIL)))
    is_text(page(histograms=(content.histogram(test=content.EVIL),)))
    is_text(page(scaled=(make.scaled(test=content.EVIL, asked=content.EVIL, done=content.EVIL),)))
    is_text(
        page(
            memory=tuple(
                content.look(at, t, values={content.EVIL: t}) for t, at in enumerate(("before", "during", "during", "after"))
            )
        )
    )


def is_text(made: str) -> None:
    assert "script" not in Page(made).tags
    assert "<script>alert(1)</script>" in Page(made).text
    assert "\x1b" not in made
    assert "\x07" not in made


def test_a_name_may_break_where_its_words_do_and_stays_text() -> None:
    shown = page(results=(make.result(test="a_<b>_test"),))
    assert "a_<wbr>&lt;b&gt;_<wbr>test" in shown
