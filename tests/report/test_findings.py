# SPDX-License-Identifier: GPL-2.0-only
"""Findings and known bugs, in the page, on the terminal and in the mail."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from harness.report import terminal
from harness.report.contents import Content
from harness.report.mail import mail
from harness.report.page import html
from tests.support import content, make
from tests.support.page import Page, page, seen
from tests.support.screen import on_terminal


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


def test_a_cause_is_one_entry_with_a_screen_of_its_log_and_the_rest_folded() -> None:
    made = html(content.broken())
    shown = Page(made).text
    assert made.count('<section class="finding">') == 1, "of six findings of two variants"
    assert "bug: kernel BUG at mm/vmalloc.c:512! (in alloc_vmap_area, mm/vmalloc.c:512)" in shown
    for variant in ("my-series@2", "my-series"):
        assert f"{variant} on x86_64: exact_hole_test, x 3 boots" in shown
    assert shown.count("seen 6 times: where else") == 1
    assert shown.count("[    3.2] line 99") == 1, "the others are named, not shown"
    assert made.count("<details><summary>62 more lines of the log</summary>") == 1


def test_the_unexpected_comes_first() -> None:
    shown = seen(findings=(make.finding(expected="an overflow", title="an old one"), make.finding(title="a new one")))
    assert shown.index("a new one") < shown.index("an old one")


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
