# SPDX-License-Identifier: GPL-2.0-only
"""The HTML page as a whole: its parts, its order, no network, and what it is on paper and on a phone."""

from __future__ import annotations

import re

from tests.support import content, make
from tests.support.page import Page, page

SIZE = 3_000_000
"""bytes that a page may have"""


def test_the_whole_page_needs_no_network(whole: str) -> None:
    made = Page(whole)
    assert made.links
    assert {link.removeprefix("href=#") for link in made.links} <= set(made.ids), "they lead to places in the page alone"
    assert not re.search(r"https?:|@import|url\((?!#)", whole)
    assert "default-src 'none'" in whole
    assert set(made.tags).isdisjoint({"script", "img", "link", "iframe", "image", "foreignobject"})


def test_the_whole_page_is_small_and_its_ids_are_its_own(whole: str) -> None:
    made = Page(whole)
    assert len(whole.encode()) < SIZE
    assert made.tags.count("svg") == 2 + 2 + 4 + 2 + 2 + 4 + 1 + 2, (
        "forests, distributions, bars of why, latency, sections, growth, publication, memory"
    )
    assert len(made.ids) == len(set(made.ids))


def test_the_whole_page_has_all_parts_in_order(whole: str) -> None:
    assert [i for i in Page(whole).ids if i.isalpha()] == list(content.SECTIONS)


def test_a_page_is_the_same_each_time() -> None:
    assert page() == page()


def test_a_page_begins_with_links_to_the_sections_that_it_has(whole: str) -> None:
    links = re.findall(r'<li><a href="#(\w+)">([^<]+)</a>', whole)
    assert [anchor for anchor, _ in links] == list(content.SECTIONS)
    assert dict(links)["latency"] == "Latency of single operations"
    assert dict(links)["published"] == "Published and ours", "without what a heading has in small letters"
    assert 'href="#memory"' not in page()


def test_what_takes_most_of_a_page_is_last_and_folded(whole: str) -> None:
    memory = whole[whole.index('<h2 id="memory">') :]
    assert memory.count("<h2") == 1
    assert memory.index("<details>") < memory.index("<svg")
    assert "svg" not in memory[memory.rindex("</details>") :]


def test_the_titles_of_each_table_are_repeated_in_print(whole: str) -> None:
    assert whole.count("<thead>") == len(re.findall(r"<tr><th", whole)) > 10


def test_a_printed_page_leaves_closed_what_is_closed() -> None:
    style = page().partition("@media print")[2].partition("</style>")[0]
    assert "details:not([open]):not(.matters) > :not(summary)" in style
    assert ".matters::details-content { content-visibility: visible;" in style, "but for what matters"
    assert "max-height" in style


def test_the_verdicts_of_every_table_are_stacked_too(whole: str) -> None:
    """A phone would show them only to those who scroll sideways."""
    labels = set(re.findall(r'data-label="([^"]*)"', whole))
    assert labels >= {"verdict", "direction", "speed-ups apart by", "mine@1"}


def test_a_narrow_page_stacks_figures_under_their_names(whole: str) -> None:
    """A phone would cut off the columns on the right, and these have the verdicts."""
    (row,) = re.findall(r"<tr[^>]*><td class=\"name\"><code>le_<wbr>fit_<wbr>alloc_<wbr>test</code>.*?</tr>", page())
    labels = ["stock", "variant", "samples / boots", "change", "95 % interval", "p", "verdict"]
    assert re.findall(r'data-label="([^"]*)"', row) == labels
    assert "@media (max-width: 40rem)" in whole
    assert '<code class="test">' in page(findings=(make.leak(),), results=make.known_results())
