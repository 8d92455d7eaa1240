# SPDX-License-Identifier: GPL-2.0-only
"""The run itself in its page: which tests ran, what it lacks, and how it can be repeated."""

from __future__ import annotations

import re

from harness.model.foreign import Foreign
from harness.report import phrases
from harness.report.contents import Content
from harness.report.page import html
from tests.support import content, make
from tests.support.page import Page, seen


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
    for words in ("nothing was compared", "performance test was timed", "invoke sweep", "--profile perf,latency", "not finished"):
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


def test_a_page_has_every_test_within_a_module() -> None:
    found = (make.within(), make.within("skipped", test="mine/<b>", variant="mine"))
    results = (make.result(test="mine"), make.result(test="mine", variant="mine"))
    made = Page(html(Content(make.provenance(), within=found, results=results)))
    assert "within" in made.ids
    assert re.search(r"mine/a\s*x86_64, perf\s*stock\s*1\s*-\s*-\s*-\s*x86_64, perf\s*mine\s*-\s*-\s*-\s*1", made.text)
    assert re.search(r"mine/<b>\s*x86_64, perf\s*stock\s*-\s*-\s*-\s*1\s*x86_64, perf\s*mine\s*-\s*-\s*1\s*-", made.text)
    assert "within" not in Page(html(Content(make.provenance(), results=results))).ids, "as in older runs"


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


def test_outcomes_are_told_in_words_and_in_order() -> None:
    assert phrases.outcomes({"error": 2, "xfailed": 1, "passed": 3, "failed": 0}) == [
        "3 passed",
        "1 known bug seen",
        "2 rig failures",
    ]
    assert "2 results: 1 passed, 1 known bug seen" in seen(results=(make.result("xfailed"), make.result(boot=1)))
