# SPDX-License-Identifier: GPL-2.0-only
"""The HTML page and the terminal's tables: figures with all that belongs to them, guests' text as text."""

from __future__ import annotations

import io
import re
from html.parser import HTMLParser

import pytest
from rich.console import Console, RenderableType

from harness import report
from harness.compare import Comparison, compare
from harness.matrix import Clock
from harness.records import Finding, Result, Sample
from harness.report import text
from tests import make

EVIL = '<script>alert(1)</script>\x1b[31mred\x1b[0m\x1b]0;title\x07 & "quoted" [bold]x[/y]'
SAMPLES = [
    make.sample(value, variant=variant)
    for variant, by in (("stock", 1.0), ("mine", 0.5))
    for value in (5110 * by, 5120 * by, 5130 * by)
]
STRESS = make.sample(test="mix_stress_test", clock=Clock.WALL, unit="ns/op", operations=4321)


class Page(HTMLParser):
    """Collects what a browser would make of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [f"{name}={value}" for name, value in attrs if name in ("src", "href", "action", "data", "srcset")]

    def handle_data(self, data: str) -> None:
        self.text += data


def compared(samples: list[Sample]) -> list[Comparison]:
    return compare(samples, 5.0, ["le_fit_alloc_test", "b_fit_alloc_test"])


def page(findings: list[Finding] | None = None, results: list[Result] | None = None, **other: object) -> str:
    return report.html(make.provenance(**other), compared(SAMPLES), findings or [], results or [make.result()], [*SAMPLES, STRESS])


def on_terminal(*shown: RenderableType, terminal: bool = False) -> str:
    file = io.StringIO()
    console = Console(file=file, width=200, force_terminal=terminal, color_system=None)
    console.print(*shown)
    return file.getvalue()


def test_a_figure_has_its_unit_clock_spread_and_count() -> None:
    seen = Page(page()).text
    for words in ("5,120 ±0.2 % (3)", "2,560 ±0.2 % (3)", "+50.0 %", "better", "clock: icount", "instructions/op"):
        assert words in seen
    assert "not time" in seen, "instructions are told from seconds"


@pytest.mark.parametrize("field", ["title", "excerpt", "test", "kind", "log"])
def test_what_a_guest_says_in_a_finding_is_text(field: str) -> None:
    made = page([make.finding(**{field: EVIL})])
    assert "script" not in Page(made).tags
    assert "<script>alert(1)</script>" in Page(made).text
    assert "\x1b" not in made
    assert "\x07" not in made


def test_what_a_guest_says_in_a_reason_is_text() -> None:
    made = page(results=[make.result("failed", reason=EVIL)])
    assert "script" not in Page(made).tags
    assert "<script>alert(1)</script>" in Page(made).text
    assert "\x1b" not in made


@pytest.mark.parametrize("findings", [[], [make.finding()]])
def test_the_page_needs_no_network(findings: list[Finding]) -> None:
    made = page(findings)
    assert not Page(made).links
    assert not re.search(r"https?:|@import|url\(", made)
    assert "default-src 'none'" in made
    assert set(Page(made).tags).isdisjoint({"script", "img", "link", "iframe"})


def test_a_finding_is_shown_with_its_place() -> None:
    seen = Page(page([make.finding()])).text
    for words in ("x86_64/stock/perf", "kernel BUG at mm/vmalloc.c:512!", "lines 417 to 450", "1 unexpected finding", "[    3.1]"):
        assert words in seen


def test_a_known_bug_is_called_one() -> None:
    seen = Page(page([make.finding(expected="an overflow")])).text
    assert "Known bug: an overflow." in seen
    assert "no unexpected finding, no regression" in seen


def test_the_unexpected_comes_first() -> None:
    seen = Page(page([make.finding(expected="an overflow", title="old"), make.finding(title="new")])).text
    assert seen.index("new") < seen.index("old")


def test_a_regression_is_called_one() -> None:
    samples = [make.sample(100.0), make.sample(150.0, variant="mine")]
    made = report.html(make.provenance(), compared(samples), [], [make.result()], samples)
    assert "costs more in le_fit_alloc_test (-50.0 %)" in Page(made).text
    assert "no regression" not in Page(made).text


def test_a_stock_only_run_says_so() -> None:
    samples = [make.sample()]
    told = make.provenance(stock_only=True, patches={"stock": ()}, notes=("4.18 cannot be had.",))
    seen = Page(report.html(told, compared(samples), [], [make.result()], samples)).text
    assert "Linux 4.18.0: stock only" in seen
    assert "Stock-only run." in seen
    assert "nothing was compared" in seen
    assert "not compared" in seen
    assert "4.18 cannot be had." in seen
    assert "Stock-only" not in Page(page()).text


def test_what_the_rig_could_not_run_is_bad_news() -> None:
    seen = Page(page(results=[make.result("error", reason="QEMU did not start")])).text
    assert "the rig could not run 1 of the tests" in seen
    assert "QEMU did not start" in seen
    assert "no regression" not in seen


def test_a_page_without_figures() -> None:
    seen = Page(report.html(make.provenance(finished=""), [], [], [], [])).text
    assert "No performance test was run." in seen
    assert "nothing was compared" in seen


def test_a_run_can_be_repeated_from_its_page() -> None:
    seen = Page(page()).text
    for words in ("invoke build boot test", "c" * 40, "0001-a.patch, 0002-b.patch", "gcc 12.2", "1" * 16, "4,321"):
        assert words in seen


def test_the_terminals_table_has_unit_spread_and_count() -> None:
    seen = on_terminal(report.comparison(compared(SAMPLES)))
    for words in (
        "x86_64, perf, icount: median instructions/op ±spread (samples)",
        "5,120 ±0.2 % (3)",
        "+50.0 %",
        "better",
        "mine",
    ):
        assert words in seen


def test_the_terminals_table_of_stock_alone_has_no_other_columns() -> None:
    seen = on_terminal(report.comparison(compared(SAMPLES[:3])))
    assert "5,120 ±0.2 % (3)" in seen
    assert "change" not in seen


def test_the_terminal_sums_up() -> None:
    worse = compared([make.sample(100.0), make.sample(150.0, variant="mine")])
    results = [make.result(), make.result("xfailed"), make.result("failed"), make.result("error", reason="QEMU did not start")]
    findings = [make.finding(), make.finding(expected="an overflow")]
    seen = on_terminal(report.summary(make.provenance(notes=("a note",)), worse, findings, results))
    for words in (
        "note: a note",
        "FINDING: x86_64/stock/perf align_shift_alloc_test: bug: kernel BUG at mm/vmalloc.c:512!",
        "known bug: x86_64/stock/perf",
        "RIG FAILED: x86_64/stock/perf le_fit_alloc_test: QEMU did not start",
        "1 passed, 1 known bugs seen, 1 failed, 1 rig failures",
        "1 past the threshold of 5 %",
    ):
        assert words in seen
    assert "nothing was compared" in on_terminal(report.summary(make.provenance(stock_only=True), [], [], []))
    assert "Regressions: none." in on_terminal(report.summary(make.provenance(), compared(SAMPLES), [], []))


def test_a_guest_does_not_steer_the_terminal() -> None:
    seen = on_terminal(
        report.summary(make.provenance(), [], [make.finding(title=EVIL)], [make.result("error", reason=EVIL)]), terminal=True
    )
    assert seen.count("[bold]x[/y]") == 2, "it is not taken for markup either"
    assert "\x1b" not in seen
    assert "\x07" not in seen


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        ([5120.4], "5,120 ±0.0 % (1)"),
        ([12.34, 12.34], "12.3 ±0.0 % (2)"),
        ([100.0, 150.0], "125 ±20 % (2)"),
        ([0.0], "0.0 ±0.0 % (1)"),
    ],
)
def test_figures_have_no_more_digits_than_they_are_worth(values: list[float], shown: str) -> None:
    (made,) = compared([make.sample(value) for value in values])
    assert text.value(made.stock) == shown
    assert text.value(made.patched) == "-"
    assert text.change(made) == "-"
