# SPDX-License-Identifier: GPL-2.0-only
"""The page of mutants."""

from __future__ import annotations

from markdown_it import MarkdownIt

from harness.model.mutants import Attempt, Mutant, MutationRun, Weakness
from harness.report import mutants as report
from tests.support.mutants import TESTS


def measured(*attempts: Attempt) -> MutationRun:
    mine = (
        Mutant("caught-one", "a | b", "x", "y", weakness=1),
        Mutant("open-one", "not done yet", "x", "y"),
        Mutant("lasting-one", "nobody sees it", "x", "y", weakness=1),
    )
    return MutationRun(
        "2026-01-02", "a host", "invoke mutants", "20260102-030405-abcd", "mine", "x86_64", "quick", ("perf",), TESTS, mine, 5,
        weaknesses=(Weakness(1, "gaps"), Weakness(8, "slow", "sweeps")), attempts=attempts,
    )  # fmt: skip


def test_the_page_has_survivors_first() -> None:
    caught = Attempt("caught-one", "perf", "i", "caught", TESTS[1], "bug", "BUG \x1b[31m" + "x" * 200)
    found = measured(caught, Attempt("lasting-one", "perf", "i", "survived", build_seconds=20, test_seconds=4.6))
    page = report.markdown(found)
    assert "Caught 1 of 3 mutants; 1 survived; 1 not done." in page
    assert "3 of 5 mutants of mine on x86_64" in page
    assert page.index("| lasting-one |") < page.index("| open-one |") < page.index("| caught-one |")
    assert "| lasting-one | nobody sees it | NOTHING |  | perf | 25 |" in page
    assert "a \\| b" in page
    assert "\x1b" not in page
    assert "| 1 | gaps | lasting-one | NOTHING |" in page
    assert "| 8 | slow |  | sweeps |" in page
    assert max(map(len, page.splitlines())) < 300


def test_what_a_kernel_said_is_text_in_the_page() -> None:
    title = "a | `b` <img src=x onerror=alert(1)> [x](javascript:alert(1)) for @torvalds"
    caught = Attempt("caught-one", "perf", "i", "caught", TESTS[1], "bug", title)
    page = report.markdown(measured(caught))
    assert "bug: a \\| `b` \\<img src=x onerror=alert(1)> [x\\](javascript:alert(1)) for `@torvalds` |" in page
    html = MarkdownIt("commonmark", {"html": True}).enable("table").render(page)
    assert "<img" not in html
    assert "<a " not in html
    assert html.count("<td") == 6 * 3 + 3 * 1 + 4 * 3, "no cell more than there are columns"
