# SPDX-License-Identifier: GPL-2.0-only
"""What is measured besides the comparison, in the page: growth by size, latency, preemption off, memory."""

from __future__ import annotations

import re

from harness.model.clock import Clock
from harness.report.contents import Content
from harness.report.page import html
from tests.support import content, counted, make
from tests.support.page import Page, page, seen


def test_a_sweeps_page_has_its_plots_and_exponents_and_nothing_else() -> None:
    made = Page(html(Content(make.provenance(), points=(*content.points(), *content.points(variant="mine")))))
    assert [i for i in made.ids if i.isalpha()] == ["growth", "provenance"]
    assert made.tags.count("svg") == 1
    for words in (
        "in line with the size, or faster: stock in 1 of 1, mine in 1 of 1.",
        "1.00 (1.00 to 1.00)",
        "linear",
        "25,000 (50,000)",
        "not time",
    ):
        assert words in made.text


def test_a_page_has_the_longest_sections_of_a_sweep_at_each_size() -> None:
    sizes = [counted.locked("f", longest, test="sweep_churn", axis="busy", size=longest * 10) for longest in (3000, 100)]
    made = Page(html(Content(make.provenance(), locked=tuple(sizes))))
    assert "lock-growth" in made.ids
    assert "locks" not in made.ids, "there are none of performance tests"
    assert re.search(r"sweep_churn\s*busy\s*stock\s*100 \(1,000\), 3,000 \(30,000\)\s*30\.00", made.text)


def test_a_sweeps_verdict_counts_what_is_unclear_apart() -> None:
    bent = tuple(content.point(size, 10000 + size, workload="churn") for size in (1000, 5000, 15000, 50000))
    flat = tuple(content.point(size, 500, workload="none") for size in (1000, 5000, 15000, 50000))
    made = seen(comparisons=(), results=(), samples=(), points=(*content.points(), *bent, *flat))
    assert "in line with the size, or faster: stock in 1 of 3 (1 unclear)." in made


def test_latency_has_its_percentiles_and_its_overhead() -> None:
    shown = seen(histograms=(content.histogram(), content.histogram(variant="mine", highest=7010.0)))
    for words in ("p99.9", "90,210", "7,010", "31.0", "1,000 / 1"):
        assert words in shown


def test_sections_are_shown_longest_first_with_their_stacks() -> None:
    shown = seen(sections=(content.section(microseconds=20), content.section(), content.section(variant="mine", microseconds=30)))
    assert "500,000 instructions" in shown
    assert "_raw_spin_unlock < alloc_vmap_area" in shown
    assert shown.index("1,000,000") < shown.index("15,000")
    wall = seen(sections=(content.section(clock=Clock.WALL),))
    assert "500,000" not in wall
    assert "longest, us" in wall


def test_memory_tells_what_a_test_left_behind() -> None:
    looks = [content.look("before", 0), content.look("after", 3)]
    grown = content.look("after", 3, boot=1, values={"SUnreclaim": 16 << 20, "slab:vmap_area": 1 << 20})
    made = Page(page(memory=(*looks, content.look("before", 0, boot=1), grown)))
    assert "+2 MiB" in made.text, "the median of 0 and 4 MiB"
    assert "vmap_area +510 KiB" in made.text
    assert made.tags.count("svg") == 2, (
        "without a look during the test there is nothing to draw but the forest plot and the distribution"
    )
