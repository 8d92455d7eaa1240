# SPDX-License-Identifier: GPL-2.0-only
"""What was dismissed does not count, is not hidden, and hides nothing else."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from harness.model.records import Finding, Result
from harness.report import headlines, verdicts
from harness.report.contents import Content
from harness.stats.bug_table import rows
from harness.stats.causes import fingerprint
from harness.stats.dismissals import Dismissal, applied, excused
from harness.stats.headline import Word
from harness.stats.outcome import ExitCode, Outcome, exit_code
from harness.stats.prefixes import series
from tests.support import content, make

BUG: dict[str, Any] = {"variant": "mine", "test": "mix_stress_test"}
TITLE = "bug: kernel BUG at mm/vmalloc.c:512!"


def dismissal(of: Finding, why: str = "a board of ours") -> Dismissal:
    """Return the dismissal of a finding on a day."""
    return Dismissal(fingerprint(of), why, "2026-11-27T12:00:00+00:00", of.trouble.title)


def without(findings: tuple[Finding, ...], *dismissed: Finding) -> tuple[Finding, ...]:
    """Return the findings after some were dismissed."""
    return applied(findings, {one.fingerprint: one for one in map(dismissal, dismissed)})


def failed(reason: str, **other: Any) -> Result:
    """Return a stress test of ``mine`` that failed."""
    return make.result("failed", **{"clock": make.finding().clock, "reason": reason, **BUG, **other})


def outcome(tmp_path: Any, findings: tuple[Finding, ...], results: tuple[Result, ...]) -> Outcome:
    comparisons = (content.comparison(verdict="same", ratio=1.0),)
    return Outcome(tmp_path, comparisons, findings, results, make.provenance(planned=len(results)))


def test_a_dismissed_finding_keeps_its_reason_and_date() -> None:
    (found,) = without((make.finding(**BUG),), make.finding())
    assert found.dismissed == "2026-11-27: a board of ours"
    assert not found.unexpected
    assert msgspec.structs.replace(found, dismissed="") == make.finding(**BUG), "nothing else of it has changed"


@pytest.mark.parametrize("other", [{"kind": "kasan"}, {"function": "vfree"}, {"title": "kernel BUG at mm/slub.c:3903!"}], ids=str)
def test_a_dismissal_hides_no_other_finding(other: dict[str, Any]) -> None:
    another = make.finding(**BUG, **other)
    assert without((another,), make.finding(**BUG)) == (another,)


def test_a_known_bug_gets_no_dismissal() -> None:
    known = make.finding(expected="an overflow")
    assert without((known,), make.finding()) == (known,)


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        (TITLE, "dismissed"),
        (f"{TITLE}; {TITLE}", "dismissed"),
        ("kernel BUG at mm/vmalloc.c:512!", "dismissed"),
        (f"{TITLE}; kasan: BUG: KASAN: use-after-free in vfree", "failed"),
        ("kasan: kernel BUG at mm/vmalloc.c:512!", "failed"),
        ("test-failed: -ENOMEM: at size 500", "failed"),
        ("", "failed"),
    ],
)
def test_a_test_is_excused_if_it_failed_for_what_is_dismissed_alone(reason: str, expected: str) -> None:
    found = without((make.finding(**BUG),), make.finding())
    assert [result.outcome for result in excused([failed(reason)], found)] == [expected]


@pytest.mark.parametrize("place", [{"machine": "aarch64"}, {"variant": "stock"}, {"test": "model_test"}, {"boot": 1}], ids=str)
def test_a_test_elsewhere_is_not_excused(place: dict[str, Any]) -> None:
    found = without((make.finding(**BUG),), make.finding())
    assert [result.outcome for result in excused([failed(TITLE, **place)], found)] == ["failed"]


def test_a_boot_is_excused_under_the_name_that_its_result_has() -> None:
    found = without((make.finding(variant="mine", test="boot"),), make.finding())
    (result,) = excused([failed(TITLE, test="boot under wall")], found)
    assert result.outcome == "dismissed"


def test_what_passed_or_what_the_rig_failed_in_stays_as_it_is() -> None:
    found = without((make.finding(**BUG),), make.finding())
    results = (failed(TITLE), *(msgspec.structs.replace(failed(TITLE), outcome=word) for word in ("passed", "error", "skipped")))
    assert [result.outcome for result in excused(results, found)] == ["dismissed", "passed", "error", "skipped"]


def test_a_run_is_not_broken_by_what_is_dismissed_and_its_headline_says_so(tmp_path: Any) -> None:
    seen = (make.finding(**BUG),)
    before = outcome(tmp_path, seen, (failed(TITLE),))
    assert (exit_code(before), headlines.of_run(before)[0].word) == (ExitCode.FINDING, Word.BROKEN)
    found = without(seen, make.finding())
    after = outcome(tmp_path, found, excused((failed(TITLE),), found))
    (headline,) = headlines.of_run(after)
    assert (exit_code(after), headline.word) == (ExitCode.GOOD, Word.SAME)
    assert headlines.why(headline) == "1 test the same, 1 cause dismissed"


def test_a_run_is_broken_by_what_is_left(tmp_path: Any) -> None:
    other = make.finding(**BUG, kind="kasan", title="BUG: KASAN: use-after-free")
    found = without((make.finding(**BUG), other), make.finding())
    after = outcome(tmp_path, found, (failed(TITLE),))
    (headline,) = headlines.of_run(after)
    assert (exit_code(after), headline.word, headline.dismissed) == (ExitCode.FINDING, Word.BROKEN, 1)
    assert headlines.why(headline).startswith("1 cause: kasan in alloc_vmap_area")
    assert headlines.why(headline).endswith("; 1 cause dismissed")


def test_a_test_that_failed_without_a_finding_is_not_proven_by_a_dismissal(tmp_path: Any) -> None:
    found = without((make.finding(**BUG),), make.finding())
    results = excused((failed(TITLE), failed("it did not say why", test="model_test")), found)
    (headline,) = headlines.of_run(outcome(tmp_path, found, results))
    assert headline.word is Word.UNPROVEN
    assert "1 test failed without a finding that says why, first in model_test" in headlines.why(headline)


def test_a_patch_is_not_bad_for_what_is_dismissed() -> None:
    run = make.provenance(patches={"stock": (), "mine@1": ("a",), "mine": ("a", "b")})
    results = [failed(TITLE), make.result(clock=make.finding().clock, variant="mine@1", test="mix_stress_test")]
    (bad,) = series(run, (), [make.finding(**BUG)], results)
    assert bad.first_bad is not None
    found = without((make.finding(**BUG),), make.finding())
    (good,) = series(run, (), found, excused(results, found))
    assert good.first_bad is None
    assert [entry.word for entry in good.matrices[0].rows[0].entries] == ["ok", "dismissed"]


def test_a_test_that_failed_tells_nothing_of_a_known_bug() -> None:
    leak, failing = make.leak(), make.result("dismissed", profile="debug", clock=make.leak().clock, test="pcpu_alloc_test")
    results = [make.known_results()[0], msgspec.structs.replace(failing, variant="mine")]
    (row,) = rows(make.provenance(), [leak], results)
    assert [shown.words for shown in row.shown if shown.variant == "mine"] == ["no result: the test failed"]


def test_the_machine_says_how_many_are_dismissed() -> None:
    found = without((make.finding(**BUG),), make.finding())
    (verdict, *_) = verdicts.verdicts(Content(make.provenance(), findings=found, results=(failed(TITLE),)))
    assert verdict.line.endswith("no unexpected finding; 1 finding dismissed.")


def test_of_two_findings_with_one_title_the_other_still_fails_the_test() -> None:
    one, other = make.finding(**BUG, function="alloc_vmap_area"), make.finding(**BUG, function="remove_vm_area")
    assert fingerprint(one) != fingerprint(other)
    findings = without((one, other), one)
    (result,) = excused([failed(f"{TITLE}; {TITLE}")], findings)
    assert result.outcome == "failed"
    (both,) = excused([failed(f"{TITLE}; {TITLE}")], without((one, other), one, other))
    assert both.outcome == "dismissed"
