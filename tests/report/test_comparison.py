# SPDX-License-Identifier: GPL-2.0-only
"""The comparison in the page and on the terminal: figures with all that belongs to them, tables, means and patch by patch."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from harness.model.clock import Clock
from harness.model.records import SPACE
from harness.report import phrases, terminal
from harness.report.contents import Content
from harness.report.mail import mail
from harness.report.page import html
from tests.support import content, make
from tests.support.page import Page, page, seen
from tests.support.screen import on_terminal


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


def test_a_page_has_the_matrix_of_tests_by_patches() -> None:
    made = html(content.broken())
    matrices = made[made.index('id="patches"') : made.index('id="tests"')]
    assert re.findall(r"<i [^>]*></i>([\w@-]+)", matrices) == ["my-series@1", "my-series@2", "my-series"] * 2
    shown = Page(matrices).text
    assert "le_fit_alloc_test+0.00 % same+0.00 % same+14.0 % slower (R)" in shown
    assert "exact_hole_testokFAILEDFAILED as before" in shown
    assert shown.strip().endswith(f"{content.FIRST_BAD}.")
    assert "Patch by patch" not in seen()


def test_two_runs_are_compared_under_their_names() -> None:
    before = make.provenance(run="20260101-000000-aaaa", selfcheck="smallest change found: 1 %")
    shown = seen(comparisons=(content.comparison(against=before.run, variant="stock"),), results=(), samples=(), before=before)
    assert "run 20260102-030405-abcd against run 20260101-000000-aaaa" in shown
    assert "stock in 20260101-000000-aaaa" in shown, "both sides have a name in the plot"
    assert "smallest change found: 1 %" in shown, "both runs tell where they come from"
    assert "invoke sweep" not in shown
    assert "no unexpected finding" not in shown, "nobody looked"


def test_the_sign_is_explained_once_and_the_mean_is_no_verdict(whole: str) -> None:
    for made in (whole, html(content.broken())):
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
