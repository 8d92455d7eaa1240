# SPDX-License-Identifier: GPL-2.0-only
"""Findings are dismissed by their fingerprint, for a reason, in this and in later runs; nothing is by mistake."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

from harness.errors import RigError, UsageError
from harness.model.clock import Clock
from harness.model.records import Finding
from harness.model.run_folder import Run
from harness.report import trend
from harness.runs import conclude, dismissals, history, history_store
from harness.stats.causes import DIGITS, fingerprint
from harness.stats.outcome import ExitCode, exit_code
from tests.support import make

FIRST, SECOND = "20260102-030405-abcd", "20260103-030405-abcd"
FOUND = make.finding(variant="mine", test="mix_stress_test")
OTHER = make.finding(variant="mine", test="mix_stress_test", kind="kasan", title="BUG: KASAN: use-after-free")

pytestmark = pytest.mark.usefixtures("results")


def stored(results: Path, name: str, found: Sequence[Finding]) -> Run:
    """Store a run in which a test of ``mine`` failed for some findings."""
    run = make.stored(results, name, [])
    reason = "; ".join(f"{finding.trouble.kind}: {finding.trouble.title}" for finding in found)
    (run.folder / "results.jsonl").unlink()
    run.add([make.result("failed", variant="mine", test="mix_stress_test", clock=Clock.WALL, reason=reason)])
    run.add(found)
    return run


def test_a_finding_is_dismissed_in_this_run_and_in_later_ones(results: Path) -> None:
    first = stored(results, FIRST, [FOUND])
    assert exit_code(conclude.conclude(first)) == ExitCode.FINDING
    made = dismissals.dismiss(fingerprint(FOUND), "  a board\nof ours ")
    assert (made.fingerprint, made.why) == (fingerprint(FOUND), "a board of ours")
    assert made.title == "bug in alloc_vmap_area, mm/vmalloc.c:512"
    moved = msgspec.structs.replace(FOUND.trouble, title="kernel BUG at mm/vmalloc.c:533!", where="mm/vmalloc.c:533")
    later = stored(results, SECOND, [msgspec.structs.replace(FOUND, trouble=moved)])
    for run in (first, later):
        outcome = conclude.conclude(run)
        assert exit_code(outcome) == ExitCode.GOOD
        assert [finding.dismissed for finding in outcome.findings] == [f"{made.date[:10]}: a board of ours"]
        assert [result.outcome for result in outcome.results] == ["dismissed"]
        for report in ("report.html", "report.md"):
            text = " ".join((run.folder / report).read_text().split())
            assert fingerprint(FOUND) in text
            assert "a board of ours" in text
            assert "1 finding dismissed" in text


def test_a_dismissal_is_not_written_into_the_records(results: Path) -> None:
    run = stored(results, FIRST, [FOUND])
    before = (run.folder / "findings.jsonl").read_bytes()
    dismissals.dismiss(fingerprint(FOUND), "ours")
    conclude.conclude(run)
    assert (run.folder / "findings.jsonl").read_bytes() == before


def test_another_finding_of_the_test_still_breaks_the_run(results: Path) -> None:
    run = stored(results, FIRST, [FOUND, OTHER])
    dismissals.dismiss(fingerprint(FOUND), "ours")
    outcome = conclude.conclude(run)
    assert exit_code(outcome) == ExitCode.FINDING
    assert outcome.unexpected == (OTHER,)
    assert [result.outcome for result in outcome.results] == ["failed"]


def test_a_dismissal_is_taken_back(results: Path) -> None:
    run = stored(results, FIRST, [FOUND])
    made = dismissals.dismiss(fingerprint(FOUND)[:4].upper(), "ours")
    assert dismissals.listed() == [made]
    assert dismissals.undo(made.fingerprint[:5]) == made
    assert dismissals.listed() == []
    assert exit_code(conclude.conclude(run)) == ExitCode.FINDING


def test_a_later_reason_takes_the_place_of_the_earlier_one(results: Path) -> None:
    stored(results, FIRST, [FOUND])
    dismissals.dismiss(fingerprint(FOUND), "one")
    second = dismissals.dismiss(fingerprint(FOUND), "two")
    assert dismissals.listed() == [second]


def test_a_finding_can_be_dismissed_whose_folder_is_gone(results: Path) -> None:
    run = stored(results, FIRST, [FOUND])
    history.keep(run)
    run.folder.rename(results / "moved")
    assert dismissals.dismiss(fingerprint(FOUND), "ours").fingerprint == fingerprint(FOUND)


@pytest.mark.parametrize("given", ["", "abc", "123456789", "no-digit", "--help", "0x123456", "*"])
def test_what_is_no_fingerprint_is_said_so(results: Path, given: str) -> None:
    stored(results, FIRST, [FOUND])
    with pytest.raises(UsageError, match="is no fingerprint: that has 8 hexadecimal digits"):
        dismissals.dismiss(given, "ours")
    with pytest.raises(UsageError, match="is no fingerprint: that has 8 hexadecimal digits"):
        dismissals.undo(given)


@pytest.mark.parametrize("why", ["", "  ", "\n\t"])
def test_a_dismissal_needs_a_reason(results: Path, why: str) -> None:
    stored(results, FIRST, [FOUND])
    with pytest.raises(UsageError, match="A dismissal needs a reason"):
        dismissals.dismiss(fingerprint(FOUND), why)
    assert dismissals.listed() == []


def test_an_unknown_fingerprint_is_refused(results: Path) -> None:
    known = make.leak()
    stored(results, FIRST, [FOUND, known])
    other = "0" * DIGITS
    with pytest.raises(UsageError, match=f"There is no finding '{other}': no run in the history has an unexpected finding"):
        dismissals.dismiss(other, "ours")
    with pytest.raises(UsageError, match="no run in the history"):
        dismissals.dismiss(fingerprint(known), "a known bug needs none")
    with pytest.raises(UsageError, match="nothing with it is dismissed; `invoke dismiss` lists what is"):
        dismissals.undo(fingerprint(FOUND))


def alike(digits: int) -> tuple[Finding, Finding]:
    """Return two findings whose fingerprints begin with the same digits."""
    seen: dict[str, Finding] = {}
    for number in range(100_000):
        found = make.finding(function=f"f{number}_")
        start = fingerprint(found)[:digits]
        if start in seen:
            return seen[start], found
        seen[start] = found
    raise AssertionError("no two are alike")


def test_digits_that_begin_two_fingerprints_are_refused(results: Path) -> None:
    one, two = alike(4)
    stored(results, FIRST, [one, two])
    with pytest.raises(UsageError) as caught:
        dismissals.dismiss(fingerprint(one)[:4], "ours")
    first, second = sorted(map(fingerprint, (one, two)))
    assert f"begins 2 fingerprints: {first} (" in str(caught.value)
    assert f"; {second} (" in str(caught.value)
    assert str(caught.value).endswith("give more digits.")
    assert dismissals.dismiss(fingerprint(one), "ours").fingerprint == fingerprint(one)


def test_the_history_counts_what_is_dismissed(results: Path) -> None:
    stored(results, FIRST, [FOUND, OTHER])
    dismissals.dismiss(fingerprint(FOUND), "ours")
    (row,) = history.look().runs
    assert (row.unexpected, row.dismissed) == (1, 1)
    assert trend.went(row).endswith("1 unexpected finding, 1 finding dismissed")
    dismissals.undo(fingerprint(FOUND))
    (row,) = history.look().runs
    assert (row.unexpected, row.dismissed) == (2, 0)


def test_a_report_says_that_dismissals_cannot_be_read(results: Path) -> None:
    run = stored(results, FIRST, [FOUND])
    dismissals.dismiss(fingerprint(FOUND), "ours")
    (results / history_store.FILE).write_bytes(b"no database, and long enough to be looked at as one\n" * 20)
    outcome = conclude.conclude(run)
    assert exit_code(outcome) == ExitCode.FINDING
    assert outcome.provenance.notes[-1].startswith("What was dismissed cannot be read, so that nothing counts as dismissed here:")
    with pytest.raises(RigError, match="is damaged"):
        dismissals.listed()


def test_a_report_makes_no_history_where_there_is_none(results: Path) -> None:
    conclude.conclude(stored(results, FIRST, [FOUND]))
    assert not (results / history_store.FILE).exists()


def test_a_history_of_before_dismissals_is_taken_up(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as old:
        old.setattr(history_store, "STEPS", history_store.STEPS[:1])
        with history.opened() as kept:
            kept.store(stored(results, FIRST, [FOUND]))
    assert sqlite3.connect(results / history_store.FILE).execute("PRAGMA user_version").fetchone() == (1,)
    dismissals.dismiss(fingerprint(FOUND), "ours")
    (row,) = history.look().runs
    assert (row.unexpected, row.dismissed) == (0, 1)
