# SPDX-License-Identifier: GPL-2.0-only
"""A run for GitHub: annotations at the patch's line that no text can break, and a page that fits."""

from __future__ import annotations

import re
from typing import Any

import msgspec
import pytest

from harness.model.clock import Clock
from harness.model.summary import InPatch
from harness.report import github, summary
from harness.report.contents import Content
from harness.report.mail import mail
from harness.report.summary import Places
from tests.support import content, make

_COMMAND = re.compile(r"::(error|warning|notice)(?: (.*?))?::(.*)")
FOLDER = "kernel_patches/4.18/mine"


def annotated(records: Content, places: Places | None = None) -> list[tuple[str, dict[str, str], str]]:
    """Return the annotations of a report as the runner reads them: kind, fields, message."""
    made = summary.of(records, 2, places or Places({"mine": FOLDER}), [])
    text = github.workflow_commands(made, records.results)
    assert text.endswith("\n")
    return [read(line) for line in text.split("\n")[:-1]]


def read(line: str) -> tuple[str, dict[str, str], str]:
    found = _COMMAND.fullmatch(line)
    assert found, line
    fields = dict(field.split("=", 1) for field in (found[2] or "").split(","))
    return found[1], {key: unescaped(value) for key, value in fields.items()}, unescaped(found[3])


def unescaped(words: str) -> str:
    return re.sub("%(0D|0A|3A|2C|25)", lambda found: chr(int(found[1], 16)), words)


def of(*findings: Any, **other: Any) -> Content:
    return Content(make.provenance(), findings=findings, **other)


def test_a_finding_is_told_at_the_line_of_the_patch() -> None:
    places = Places({"mine": FOLDER}, {("mine", "mm/vmalloc.c", 512): InPatch("0001-a.patch", f"{FOLDER}/0001-a.patch", 37)})
    ((kind, fields, message),) = annotated(of(make.finding(variant="mine")), places)
    assert kind == "error"
    assert fields == {"file": f"{FOLDER}/0001-a.patch", "line": "37", "title": "mine: bug in alloc_vmap_area"}
    assert message.startswith(
        "kernel BUG at mm/vmalloc.c:512!, mm/vmalloc.c:512\nmine: in align_shift_alloc_test on x86_64, x 1 boot ["
    )
    assert "\nAgain: invoke test --machine x86_64 --variant mine " in message


def test_a_finding_without_a_line_is_told_at_the_series_or_nowhere() -> None:
    found = annotated(of(make.finding(variant="mine", function=""), make.finding()))
    assert [fields for _, fields, _ in found] == [
        {"title": "stock: bug in alloc_vmap_area"},
        {"file": f"{FOLDER}/series", "line": "1", "title": "mine: bug in align_shift_alloc_test"},
    ]


def test_regressions_failures_notes_and_what_is_dismissed_are_told() -> None:
    dismissed = msgspec.structs.replace(make.finding(), dismissed="2026-01-02: not ours")
    run = make.provenance(notes=("This run is not complete.",))
    results = (make.result("error", reason="QEMU did not start"),)
    records = Content(run, comparisons=(content.slower(14.0), content.comparison()), findings=(dismissed,), results=results)
    assert [(kind, fields["title"], message) for kind, fields, message in annotated(records)] == [
        (
            "error",
            "mine: le_fit_alloc_test is slower",
            "le_fit_alloc_test on x86_64, profile perf: +14.0 % instructions/op against stock",
        ),
        ("error", "the rig failed", "x86_64/stock/perf le_fit_alloc_test: QEMU did not start"),
        ("warning", "note", "This run is not complete."),
        ("notice", "dismissed: bug in alloc_vmap_area", "2026-01-02: not ours"),
    ]


def test_known_bugs_are_no_annotations_and_a_good_run_has_one() -> None:
    made = summary.of(of(make.finding(expected="an overflow")), 0, Places(), [])
    text = github.workflow_commands(made, ())
    assert text == "::notice title=kernel-patch-rig::no regression and no unexpected finding\n"


def test_no_more_are_printed_than_github_shows() -> None:
    found = annotated(of(*(make.finding(function=f"f{chr(97 + number)}") for number in range(25))))
    assert len(found) == 10
    assert found[-1] == ("error", {"title": "more"}, "16 more; the report has all")


@pytest.mark.parametrize("evil", [content.EVIL, "a\r\nb\n::error::x", "::stop-commands::x", "%0A%25", "a,b:c=d", "", "x" * 100_000])
def test_no_word_of_a_guest_is_another_command(evil: str) -> None:
    finding = make.finding(variant=evil, test=f"t{evil}", title=evil, function=evil, where=evil, text=f"{evil}\n" * 99)
    records = of(finding, results=(make.result("error", variant=evil, reason=evil),))
    places = Places({evil: f"{FOLDER}{evil[:50]}"})
    found = annotated(records, places)
    assert [kind for kind, _, _ in found] == ["error", "error"]
    assert all(len(message) < 7000 for _, _, message in found)
    assert set(found[0][1]) == {"file", "line", "title"}


def test_the_page_has_the_exit_code_and_the_report() -> None:
    records = content.broken()
    made = summary.of(records, 2, Places(), [])
    page = github.page(made, mail(records))
    assert page.startswith("## 20260102-030405-abcd: exit code 2, an unexpected finding")
    assert content.BROKEN in " ".join(page.replace("\\", "").split())


def test_the_page_of_ten_thousand_results_is_cut_off_where_github_stops_reading() -> None:
    tests = [f"test_{number}" for number in range(10_000)]
    results = tuple(make.result("failed", clock=Clock.WALL, test=test, reason="ü failed") for test in tests)
    findings = tuple(make.finding(test=test, title=f"ü in {test}", fingerprint=test) for test in tests)
    records = Content(make.provenance(planned=10_000), results=results, findings=findings)
    whole = mail(records)
    assert len(whole) > github.LARGEST
    made = summary.of(records, 2, Places(), [])
    page = github.page(made, whole).encode()
    assert github.LARGEST - 200 < len(page) <= github.LARGEST
    assert page.startswith(b"## 20260102-030405-abcd: exit code 2")
    assert page.endswith(b"(The summary is cut off here; the report has all of it.)\n")
    assert len(annotated(records)) == 10


@pytest.mark.parametrize("text", ["ü" * (1 << 20), "x" * (1 << 20), "x" * ((1 << 20) - 1), "\ud800"])
def test_a_page_fits(text: str) -> None:
    data = github.fitted(text).encode()
    assert len(data) <= github.LARGEST
    assert data.endswith(b"\n")
    assert (b"cut off here" in data) == (len(text.encode(errors="replace")) >= github.LARGEST)
