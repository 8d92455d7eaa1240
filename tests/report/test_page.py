# SPDX-License-Identifier: GPL-2.0-only
"""The HTML page and the terminal's tables: figures with all that belongs to them, guests' text as text."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

import msgspec
import pytest

from harness.model.clock import Clock
from harness.model.foreign import Foreign
from harness.model.records import SPACE
from harness.model.trouble import Frame
from harness.report import page as pages
from harness.report import phrases, terminal
from harness.report.contents import Content
from harness.report.mail import mail
from harness.stats import published
from tests.support import content, counted, make
from tests.support.screen import on_terminal

STRESS = make.sample(test="mix_stress_test", clock=Clock.WALL, unit="ns/op", operations=4321)
SIZE = 3_000_000
"""bytes that a page may have"""


class Page(HTMLParser):
    """Collects what a browser would make of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.ids: list[str] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [f"{name}={value}" for name, value in attrs if name in ("src", "href", "action", "data", "srcset")]
        self.links += [f"{name}={value}" for name, value in attrs if name == "xlink:href" and not str(value).startswith("#")]
        self.ids += [str(value) for name, value in attrs if name == "id"]

    def handle_data(self, data: str) -> None:
        self.text += data


def page(**other: Any) -> str:
    """Return the page of a run that compared one test, unless `other` says more."""
    fields: dict[str, Any] = {
        "provenance": make.provenance(),
        "comparisons": (content.comparison(),),
        "results": (make.result(),),
        "samples": (STRESS,),
    }
    return pages.html(Content(**{**fields, **other}))


def seen(**other: Any) -> str:
    return Page(page(**other)).text


@pytest.fixture(scope="module")
def whole() -> str:
    """The page of a run of everything."""
    return pages.html(content.full())


def test_a_figure_has_its_unit_clock_spread_and_count() -> None:
    shown = seen()
    for words in (
        "5,120 ±0.2 %",
        "2,560 ±0.2 %",
        "6 / 3",
        "-50.0 %",
        "-50.5 to -49.5",
        "<0.001",
        "faster",
        "clock icount",
        "instructions/op",
    ):
        assert words in shown
    assert shown.count("not time") == 1, "instructions are told from seconds, once"


def test_sides_of_different_counts_show_both() -> None:
    assert "6 / 3, 1 / 1" in seen(comparisons=(content.comparison(measured=content.summary((2560.0,))),))


def test_what_is_undecided_says_what_would_decide() -> None:
    open_ = content.comparison(verdict="undecided", more=3)
    shown = seen(comparisons=(open_,))
    assert "undecided, +3 boots" in shown
    assert "x86_64: 1 undecided" in shown
    assert phrases.verdict(msgspec.structs.replace(open_, more=1)) == "undecided, +1 boot"
    assert phrases.verdict(msgspec.structs.replace(open_, more=0)) == "undecided"
    assert phrases.verdict(msgspec.structs.replace(open_, more=999)) == "undecided, >999 boots"


def test_a_verdict_has_the_colour_of_the_worst_in_it() -> None:
    assert '<li class="good">' in page()
    assert '<li class="open">' in page(comparisons=(content.comparison(), content.comparison(verdict="undecided")))
    assert '<li class="bad">' in page(comparisons=(content.comparison(verdict="undecided"), content.slower()))


def test_clocks_are_never_in_one_table() -> None:
    wall = content.comparison(clock=Clock.WALL, baseline=content.summary((777.0,), unit="ns/op"), measured=None, ratio=None)
    made = page(comparisons=(content.comparison(), wall))
    tables = re.findall(r"<table[^>]*>.*?</table>", made, re.DOTALL)
    (icount,) = (t for t in tables if "2,560" in t)
    assert "777" in made
    assert "777" not in icount
    assert "host" in Page(made).text, "what limits the other clock is said too"


def test_space_is_in_a_table_of_its_own_and_larger_or_smaller() -> None:
    space: dict[str, Any] = {"test": "churn_space_test", "baseline": content.summary(*[(1187.0,)] * 3, unit=SPACE)}
    made = page(comparisons=(content.comparison(), content.slower(**space)))
    times, spaces = (t for t in re.findall(r"<table[^>]*>.*?</table>", made, re.DOTALL) if "verdict" in t)
    assert ("2,560" in times, "1,187" in times, "1,187" in spaces) == (True, False, True)
    assert ">larger<" in spaces
    assert f"clock icount, {SPACE}" in made
    ids = re.findall(r' id="([^"]+)"', made)
    assert len(ids) == len(set(ids))
    assert ">smaller<" in page(comparisons=(content.comparison(**space),))
    assert re.search(r"50\.0\s%\smore\s+space", made)


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


def test_a_page_shows_who_has_which_known_bug() -> None:
    leak, results = make.leak(), make.known_results()
    made = page(findings=(leak,), results=results)
    shown = Page(made).text
    assert "Known bugs of stock" in shown
    assert "not seen: fixed" in shown
    assert "x86_64: faster: le_fit_alloc_test (-50.0\xa0%); mine fixes 1 of 1 known bug that stock shows" in shown
    assert shown.index("Known bugs") < shown.index("95\xa0% interval" if "95\xa0% interval" in shown else "95 % interval")
    told = on_terminal(terminal.summary(make.provenance(), (), (leak,), results), width=80)
    assert re.search(r"md_blocks are left\s+seen\s+not seen: fixed", told)
    assert "Known bugs" not in Page(page()).text
    evil = Page(page(findings=(make.leak(expected=content.EVIL),), results=results))
    assert "script" not in evil.tags


def test_a_page_is_the_same_each_time() -> None:
    assert page() == page()


def test_a_finding_is_shown_with_its_place() -> None:
    shown = seen(findings=(make.finding(),))
    for words in ("x86_64/stock/perf", "kernel BUG at mm/vmalloc.c:512!", "lines 417 to 450", "1 unexpected finding", "[    3.1]"):
        assert words in shown


def test_a_finding_has_its_fingerprint_and_the_command_that_repeats_it() -> None:
    made = page(findings=(make.finding(),))
    entry = made[made.index('<section class="finding">') : made.index("</section>")]
    assert '<code class="fingerprint">8d79b1a7</code>' in entry
    again = "Again: invoke test --machine x86_64 --variant stock --profile perf --tests align_shift_alloc_test --scale quick"
    assert again in " ".join(Page(entry).text.split())
    assert '<details class="matters"><summary>call trace</summary>' in entry, "folded, and open in print"
    assert "<details open" not in made


def test_what_is_dismissed_is_folded_and_listed_with_its_reason() -> None:
    dismissed = tuple(
        msgspec.structs.replace(make.finding(variant=name), dismissed=f"2026-11-27: {content.EVIL}") for name in ("stock", "mine")
    )
    made = page(findings=dismissed)
    shown = Page(made)
    assert "script" not in shown.tags
    assert '<section class="finding">' not in made
    assert '<details id="dismissed"><summary>1 finding dismissed</summary>' in made
    entry = made[made.index('id="dismissed"') :]
    for words in ("8d79b1a7", "stock on x86_64: align_shift_alloc_test, x 1 boot", "mine on x86_64: ", "Dismissed 2026-11-27: "):
        assert words in entry
    assert "no unexpected finding; 2 findings dismissed." in shown.text
    assert shown.text.index("None.") < shown.text.index("1 finding dismissed")


def test_tests_that_are_the_same_in_all_variants_are_folded_below_the_others() -> None:
    names = [("b_fit_alloc_test", "same", "same"), ("le_fit_alloc_test", "slower", "same"), ("ne_fit_alloc_test", "same", "same")]
    rows = [
        content.comparison(test=test, variant=name, verdict=word)
        for test, *words in names
        for name, word in zip("ab", words, strict=True)
    ]
    made = page(comparisons=tuple(rows))
    part = made[made.index('id="comparison"') : made.index("A figure is the median")]
    assert re.findall(r"<code>(\w+)_test|<summary>(4 rows the same)", part.replace("<wbr>", "")) == [
        ("le_fit_alloc", ""),
        ("", "4 rows the same"),
        ("b_fit_alloc", ""),
        ("ne_fit_alloc", ""),
    ]
    assert '<details class="matters same"><summary>4 rows the same' in part
    alone = page(comparisons=(content.comparison(verdict="same"),))
    assert "1 row the same" in alone
    assert "rows the same" not in page(comparisons=(content.slower(),))


def test_what_changed_is_left_alone_without_a_script() -> None:
    rows = [content.comparison(variant="a", verdict="same"), content.comparison(variant="b", verdict="slower")]
    made = page(comparisons=tuple(rows))
    assert '<input type="checkbox" id="changed-only">' in made
    assert re.findall(r'<tr class="([a-z ]*)"><td class="name"><code( class="repeated")?>', made) == [
        ("same", ""),
        ("on ", ' class="repeated"'),
    ]
    assert "body:has(#changed-only:checked) .same { display: none; }" in made.replace(".repeated, ", "")
    assert "body:has(#changed-only:checked) .repeated { display: inline; }" in made, (
        "a test has its name where its first row is gone"
    )
    assert 'id="changed-only"' not in page(comparisons=(content.slower(),))


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


def test_a_known_bugs_machines_are_told_apart_where_they_differ() -> None:
    seen = [make.leak(), make.leak(machine="aarch64"), make.leak(variant="mine", machine="aarch64")]
    results = [*make.known_results(), *(msgspec.structs.replace(r, machine="aarch64") for r in make.known_results())]
    run = make.provenance(machines={"aarch64": "", "x86_64": ""})
    told = " ".join(on_terminal(terminal.summary(run, (), seen, results)).split())
    assert "bug stock mine" in told
    assert "md_blocks are left seen aarch64: seen x86_64: not seen: fixed" in told


def test_a_known_bug_is_called_one() -> None:
    shown = seen(findings=(make.finding(expected="an overflow"),))
    assert (
        "known bug: stock on x86_64: bug: kernel BUG at mm/vmalloc.c:512! in align_shift_alloc_test, x 1 boot: an overflow" in shown
    )
    assert "no unexpected finding" in shown


def test_headlines_come_before_all_else_with_their_colours() -> None:
    made = pages.html(content.broken())
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


def test_a_page_has_the_matrix_of_tests_by_patches() -> None:
    made = pages.html(content.broken())
    matrices = made[made.index('id="patches"') : made.index('id="tests"')]
    assert re.findall(r"<i [^>]*></i>([\w@-]+)", matrices) == ["my-series@1", "my-series@2", "my-series"] * 2
    shown = Page(matrices).text
    assert "le_fit_alloc_test+0.00 % same+0.00 % same+14.0 % slower (R)" in shown
    assert "exact_hole_testokFAILEDFAILED as before" in shown
    assert shown.strip().endswith(f"{content.FIRST_BAD}.")
    assert "Patch by patch" not in seen()


def test_a_cause_is_one_entry_with_a_screen_of_its_log_and_the_rest_folded() -> None:
    made = pages.html(content.broken())
    shown = Page(made).text
    assert made.count('<section class="finding">') == 1, "of six findings of two variants"
    assert "bug: kernel BUG at mm/vmalloc.c:512! (in alloc_vmap_area, mm/vmalloc.c:512)" in shown
    for variant in ("my-series@2", "my-series"):
        assert f"{variant} on x86_64: exact_hole_test, x 3 boots" in shown
    assert shown.count("seen 6 times: where else") == 1
    assert shown.count("[    3.2] line 99") == 1, "the others are named, not shown"
    assert made.count("<details><summary>62 more lines of the log</summary>") == 1


def test_a_printed_page_leaves_closed_what_is_closed() -> None:
    style = page().partition("@media print")[2].partition("</style>")[0]
    assert "details:not([open]):not(.matters) > :not(summary)" in style
    assert ".matters::details-content { content-visibility: visible;" in style, "but for what matters"
    assert "max-height" in style


def test_the_unexpected_comes_first() -> None:
    shown = seen(findings=(make.finding(expected="an overflow", title="an old one"), make.finding(title="a new one")))
    assert shown.index("a new one") < shown.index("an old one")


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


def test_a_stock_only_run_says_so() -> None:
    alone = content.comparison(variant="", measured=None, ratio=None, interval=None, p=None, verdict="not compared")
    told = make.provenance(stock_only=True, patches={"stock": ()}, notes=("4.18 cannot be had.",))
    shown = seen(provenance=told, comparisons=(alone,))
    for words in ("Linux 4.18.0: stock only", "Stock-only run.", "nothing was compared", "not compared", "4.18 cannot be had."):
        assert words in shown
    assert "Stock-only" not in seen()


def test_what_the_rig_could_not_run_is_bad_news() -> None:
    shown = seen(results=(make.result("error", reason="QEMU did not start"),))
    assert "the rig could not run 1 test;" in shown
    assert "QEMU did not start" in shown


def test_a_page_without_figures_says_how_to_get_them() -> None:
    shown = seen(provenance=make.provenance(finished=""), comparisons=(), results=(), samples=())
    for words in ("nothing was compared", "no performance test was timed", "invoke sweep", "--profile perf,latency", "not finished"):
        assert words in shown


def test_of_a_foreign_modules_run_nothing_is_advised_that_it_cannot_have() -> None:
    ran = make.provenance(module=Foreign("kunit", "0" * 64), scale=f"quick kunit {'0' * 8}")
    shown = seen(provenance=ran, comparisons=(), samples=())
    assert "Comparison: the module printed no time." in shown
    assert "scale quick, module kunit 00000000" in shown
    assert "the rig's own module alone measures them" in shown
    for words in ("--tests performance", "invoke sweep", "--profile perf,latency"):
        assert words not in shown
    assert "the module printed no time" not in seen(provenance=ran)


def test_what_is_there_is_not_said_to_be_missing() -> None:
    assert "invoke sweep" in seen()
    assert "invoke sweep" not in seen(points=content.points())


def test_a_sweeps_page_has_its_plots_and_exponents_and_nothing_else() -> None:
    made = Page(pages.html(Content(make.provenance(), points=(*content.points(), *content.points(variant="mine")))))
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
    made = Page(pages.html(Content(make.provenance(), locked=tuple(sizes))))
    assert "lock-growth" in made.ids
    assert "locks" not in made.ids, "there are none of performance tests"
    assert re.search(r"sweep_churn\s*busy\s*stock\s*100 \(1,000\), 3,000 \(30,000\)\s*30\.00", made.text)


def test_a_page_has_every_test_within_a_module() -> None:
    found = (make.within(), make.within("skipped", test="mine/<b>", variant="mine"))
    results = (make.result(test="mine"), make.result(test="mine", variant="mine"))
    made = Page(pages.html(Content(make.provenance(), within=found, results=results)))
    assert "within" in made.ids
    assert re.search(r"mine/a\s*x86_64, perf\s*stock\s*1\s*-\s*-\s*-\s*x86_64, perf\s*mine\s*-\s*-\s*-\s*1", made.text)
    assert re.search(r"mine/<b>\s*x86_64, perf\s*stock\s*-\s*-\s*-\s*1\s*x86_64, perf\s*mine\s*-\s*-\s*1\s*-", made.text)
    assert "within" not in Page(pages.html(Content(make.provenance(), results=results))).ids, "as in older runs"


def test_a_page_has_what_was_scaled_down_folded_and_once() -> None:
    said = [make.scaled(variant=variant, boot=boot) for variant in ("stock", "mine") for boot in range(3)]
    made = page(scaled=(*said, make.scaled(mebibytes=1872, done="aligned holes of 256 KiB")))
    _, _, section = made.partition('<h2 id="scaled">')
    section, _, _ = section.partition("<h2")
    assert re.search("<details><summary>2 rows: ", section)
    row = r"first_fit_test\s*aligned holes of {} KiB\s*4096 KiB\s*"
    assert re.search(rf"arm32\s*240\s*{row.format(32)}arm32\s*1,872\s*{row.format(256)}", Page(section).text)
    assert "scaled" not in Page(page()).ids, "as where ranges are large"


def test_a_sweeps_verdict_counts_what_is_unclear_apart() -> None:
    bent = tuple(content.point(size, 10000 + size, workload="churn") for size in (1000, 5000, 15000, 50000))
    flat = tuple(content.point(size, 500, workload="none") for size in (1000, 5000, 15000, 50000))
    made = seen(comparisons=(), results=(), samples=(), points=(*content.points(), *bent, *flat))
    assert "in line with the size, or faster: stock in 1 of 3 (1 unclear)." in made


def test_two_runs_are_compared_under_their_names() -> None:
    before = make.provenance(run="20260101-000000-aaaa", selfcheck="smallest change found: 1 %")
    shown = seen(comparisons=(content.comparison(against=before.run, variant="stock"),), results=(), samples=(), before=before)
    assert "run 20260102-030405-abcd against run 20260101-000000-aaaa" in shown
    assert "stock in 20260101-000000-aaaa" in shown, "both sides have a name in the plot"
    assert "smallest change found: 1 %" in shown, "both runs tell where they come from"
    assert "invoke sweep" not in shown
    assert "no unexpected finding" not in shown, "nobody looked"


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


def test_the_publication_stands_beside_ours() -> None:
    shown = seen(published=published.load())
    for words in (
        "i5-3320M (ours: x86_64)",
        "linux-mm, October 2018",
        "1,218,459",
        "-7.7 to -5.9",
        "1.86×",
        "us for 1,000,000 loops",
    ):
        assert words in shown
    assert "linux-mm" not in seen(published=published.load(), comparisons=())


def test_ours_is_the_median_of_our_rows_on_the_page_and_in_the_mail() -> None:
    """The comparison says 0 %: it is of the boots' medians, where the publication's rows are means."""
    swings = content.comparison(
        baseline=content.summary(*[(100.0, 100.0, 1000.0)] * 3), measured=content.summary(*[(100.0,) * 3] * 3), ratio=1.0
    )
    shown = seen(published=published.load(), comparisons=(swings,))
    mailed = mail(Content(make.provenance(), comparisons=(swings,), published=published.load()))
    (row,) = (line for line in mailed.splitlines() if line.split()[:2] == ["x86_64", "le_fit"])
    assert "-75.0 to -75.0-75.0same3.73×" in shown
    assert row.split()[5:] == ["-75.0", "3.73", "same"]


@pytest.mark.parametrize(
    ("scale", "loops", "told", "busy"),
    [
        ("quick", 1.0, "scale quick", "Ours had fewer than the 15,000 busy areas of the publication"),
        ("published", 0.1, "scale published, 10 % of its operations", "Ours had 15,000 busy areas, as the publication"),
    ],
)
def test_the_publications_heading_says_how_ours_was_measured(scale: str, loops: float, told: str, busy: str) -> None:
    run = make.provenance(scale=scale, loops=loops)
    both = (content.comparison(), content.comparison(test="long_busy_list_alloc_test"))
    shown = seen(provenance=run, published=published.load(), comparisons=both)
    mailed = " ".join(mail(Content(run, comparisons=both, published=published.load())).split())
    assert f"Published and ours {told}" in shown
    assert f"and ours ({told})" in mailed
    for said in (shown, mailed):
        assert busy in said
        assert ("other size" in said) is (scale == "quick")


def test_kernels_that_are_not_for_speed_do_not_stand_beside_the_publication() -> None:
    assert "linux-mm" not in seen(published=published.load(), comparisons=(content.comparison(profile="debug"),))


def test_a_run_can_be_repeated_from_its_page() -> None:
    told = make.provenance(
        loops=0.25,
        resumed=("2026-01-02T03:04:30+00:00",),
        selfcheck="A/A: same in 10 of 10",
        audited={"x86_64/mine/perf": "2026-01-01: same"},
    )
    shown = seen(provenance=told)
    for words in (
        "invoke build boot test",
        "c" * 40,
        "0001-a.patch, 0002-b.patch",
        "gcc 12.2",
        "1" * 16,
        "4,321",
        "25 % of its operations",
        "2026-01-02T03:04:30+00:00",
        "A/A: same in 10 of 10",
        f"kernel {'2' * 16}; configuration and build command beside this page; audited 2026-01-01: same",
        "same within ±1 % (icount), ±5 % (wall)",
    ):
        assert words in shown
    assert "of its operations" not in seen()


def test_the_sign_is_explained_once_and_the_mean_is_no_verdict(whole: str) -> None:
    for made in (whole, pages.html(content.broken())):
        assert " ".join(Page(made).text.split()).count(phrases.SIGN) == 1
    both = [content.comparison(), content.comparison(test="b_fit_alloc_test")]
    shown = " ".join(on_terminal(terminal.comparison(both)).split())
    assert shown.count(phrases.SIGN) == shown.count("is no verdict") == 1
    assert "Geometric mean of 2 tests: -50.0 % (95 % interval " in shown


def test_a_mean_is_a_row_of_its_own_that_names_what_it_lacks() -> None:
    nothing: dict[str, Any] = {"measured": None, "ratio": None, "interval": None, "verdict": "not compared"}
    tests = ("le_fit_alloc_test", "b_fit_alloc_test", "ne_fit_alloc_test")
    made = page(comparisons=tuple(content.comparison(test=test, **({} if n else nothing)) for n, test in enumerate(tests)))
    (row,) = re.findall(r'<tr class="mean">.*?</tr>', made)
    shown = Page(row).text
    assert shown.startswith("geometric mean of 2 of 3 tests")
    assert "without le_fit_alloc_test" in shown
    assert shown.endswith("none")
    assert "faster" not in row
    assert "eometric mean" not in page()


def test_a_name_may_break_where_its_words_do_and_stays_text() -> None:
    shown = page(results=(make.result(test="a_<b>_test"),))
    assert "a_<wbr>&lt;b&gt;_<wbr>test" in shown


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


def test_a_test_without_figures_of_the_series_says_why_everywhere() -> None:
    test = {"test": "le_fit_alloc_test"}
    alone = content.comparison(variant="", measured=None, ratio=None, interval=None, verdict="not compared")
    lost = make.result("failed", variant="mine", reason="bug: kernel BUG at mm/vmalloc.c:512!", clock=Clock.ICOUNT, **test)
    results = (make.result(clock=Clock.ICOUNT, **test), lost)
    said = "mine has no figures of le_fit_alloc_test on x86_64: it failed: bug: kernel BUG at mm/vmalloc.c:512!"
    assert said in on_terminal(terminal.comparison([alone], results))
    assert said in Page(page(comparisons=(alone,), results=results)).text
    assert said in " ".join(mail(Content(provenance=make.provenance(), comparisons=(alone,), results=results)).split())
    other = content.comparison(variant="other")
    assert said in on_terminal(terminal.comparison([other], results)), "also where another series has figures"
    assert "no figures" not in on_terminal(terminal.comparison([content.comparison()], results))


def test_outcomes_are_told_in_words_and_in_order() -> None:
    assert phrases.outcomes({"error": 2, "xfailed": 1, "passed": 3, "failed": 0}) == [
        "3 passed",
        "1 known bug seen",
        "2 rig failures",
    ]
    assert "2 results: 1 passed, 1 known bug seen" in seen(results=(make.result("xfailed"), make.result(boot=1)))


def test_what_recurs_in_each_boot_and_size_is_told_once_everywhere() -> None:
    places = [{"boot": boot, "test": f"sweep_churn@busy={size}"} for boot in range(3) for size in range(500, 4500, 500)]
    same = {"kind": "test-failed", "fingerprint": "test-failed", "title": "-ENOMEM: no hole", "function": "", "where": ""}
    findings = [msgspec.structs.replace(make.finding(**same), **place) for place in places]
    results = [make.result("failed", reason="test-failed: -ENOMEM: no hole", **place) for place in places]
    lost = [make.result("error", reason="QEMU did not start", **place) for place in places]
    told: dict[str, Any] = {"findings": tuple(findings), "results": (*results, *lost)}
    run = make.provenance()
    shown = on_terminal(terminal.findings(run, findings), terminal.summary(run, [], findings, [*results, *lost]), width=200)
    assert shown.count("FINDING: stock on x86_64: test-failed: -ENOMEM: no hole in sweep_churn at 8 sizes, x 3 boots") == 1
    assert shown.count("FINDING: ") == shown.count("RIG FAILED: ") == 1
    assert "RIG FAILED: x86_64/stock/perf sweep_churn at 8 sizes, x 3 boots: QEMU did not start" in shown
    mailed = " ".join(mail(Content(provenance=make.provenance(), **told)).split())
    assert mailed.count("x86_64/stock/perf sweep_churn at 8 sizes, x 3 boots: failed: test-failed: -ENOMEM: no hole") == 1
    assert mailed.count("QEMU did not start") <= 2, "once in the list, and perhaps in the headline"
    paged = Page(page(**told)).text
    assert paged.count("x86_64/stock/perf sweep_churn at 8 sizes, x 3 boots: the rig failed: QEMU did not start") == 1
    assert paged.count("x86_64/stock/perf sweep_churn at 8 sizes, x 3 boots: failed: ") == 1
