# SPDX-License-Identifier: GPL-2.0-only
"""Headlines and the line of each machine, which a page begins with."""

from __future__ import annotations

import re

from harness.model.clock import Clock
from harness.report.page import html
from tests.support import content
from tests.support.page import Page, page, seen


def test_a_verdict_has_the_colour_of_the_worst_in_it() -> None:
    assert '<li class="good">' in page()
    assert '<li class="open">' in page(comparisons=(content.comparison(), content.comparison(verdict="undecided")))
    assert '<li class="bad">' in page(comparisons=(content.comparison(verdict="undecided"), content.slower()))


def test_headlines_come_before_all_else_with_their_colours() -> None:
    made = html(content.broken())
    shown = Page(made).text
    assert f"my-series@2: {content.BROKEN}" in shown
    assert "my-series@1: SAME - 1 test the same" in shown
    assert shown.index("my-series@1: SAME") < shown.index("my-series@2: BROKEN") < shown.index("my-series: BROKEN")
    assert (
        shown.index("my-series: BROKEN")
        < shown.index(content.FIRST_BAD)
        < shown.index("x86_64: slower")
        < shown.index("95 % interval")
    )
    assert re.findall(r'<li class="(\w+)">[\w@-]+: <strong>(\w+)</strong>', made) == [
        ("even", "SAME"),
        ("bad", "BROKEN"),
        ("bad", "BROKEN"),
    ]


def test_a_machines_verdict_tells_the_worst_first() -> None:
    mixed = (
        content.comparison(test="good_test"),
        content.comparison(test="even_test", verdict="same", ratio=1.0),
        content.slower(2.0, test="slow_test"),
        content.slower(50.0, test="bad_test"),
    )
    line = next(line for line in seen(comparisons=mixed).splitlines() if line.startswith("x86_64:"))
    told = line.replace("\xa0", " ")
    assert told == (
        "x86_64: slower past the threshold of 5 %: bad_test (+50.0 %); slower: slow_test (+2.0 %);"
        " faster: good_test (-50.0 %); 1 the same; no unexpected finding."
    )


def test_a_verdict_says_which_variant_and_clock_where_there_are_more() -> None:
    both = (content.comparison(), content.comparison(variant="other", clock=Clock.WALL))
    told = seen(comparisons=both).replace("\xa0", " ")
    assert "faster: le_fit_alloc_test (mine icount -50.0 %, other wall -50.0 %)" in told
