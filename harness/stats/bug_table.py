# SPDX-License-Identifier: GPL-2.0-only
"""Lists for each known bug of stock which kernels of a run showed it, from the run's records alone."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from harness.model.known_bugs import NOT_SEEN
from harness.model.matrix import STOCK
from harness.model.records import Finding, Provenance, Result

NO_RESULT = "no result"
_SOUND = ("passed", "xfailed")
_UNSOUND = {
    "error": "the rig failed",
    "failed": "the test failed",
    "dismissed": "the test failed",
    "skipped": "the test was skipped",
}
"""reasons for which a test that was run tells nothing of a bug, the gravest first"""
_Place = tuple[str, str]
"""a test and a profile"""
_Column = tuple[str, str]
"""a variant and a machine"""


class Shown(msgspec.Struct, frozen=True):
    """Result for one bug in the kernels of a variant on a machine."""

    variant: str
    machine: str
    word: str
    """``seen``, ``not seen``, ``not seen in 1 of 2``, ``not run`` or ``no result``"""
    fixed: bool = False
    """True if it was not seen where stock shows it"""
    new: bool = False
    """True if it was seen where stock does not show it"""
    why: str = ""
    """reason for which there is no result"""

    @property
    def words(self) -> str:
        """The word, with a remark if the bug is fixed or there is no result."""
        remark = "fixed" if self.fixed else self.why
        return f"{self.word}: {remark}" if remark else self.word


class BugRow(msgspec.Struct, frozen=True):
    """A bug, and the kernels that showed it; all rows of a run have the same columns."""

    reason: str
    tests: tuple[str, ...]
    """that showed it, or should have"""
    shown: tuple[Shown, ...]


def rows(provenance: Provenance, findings: Sequence[Finding], results: Sequence[Result]) -> list[BugRow]:
    """Return a row for each known bug that was seen in a run, or that stock should have shown."""
    ran = {(result.variant, result.machine) for result in results}
    columns = [(variant, machine) for variant in provenance.patches for machine in provenance.machines]
    by_reason: dict[str, list[Finding]] = {}
    for finding in findings:
        if reason := _reason(finding):
            by_reason.setdefault(reason, []).append(finding)
    return [_row(reason, faces, results, [c for c in columns if c in ran]) for reason, faces in by_reason.items()]


def fixed(bugs: Sequence[BugRow], machine: str) -> dict[str, tuple[int, int]]:
    """Return for each variant the number of bugs that it fixes, and the number that stock showed on the machine."""
    counts: dict[str, tuple[int, int]] = {}
    for row in bugs:
        mine = [shown for shown in row.shown if shown.machine == machine]
        if any(shown.variant == STOCK and shown.word == "seen" for shown in mine):
            for shown in mine:
                if shown.variant != STOCK:
                    good, of = counts.get(shown.variant, (0, 0))
                    counts[shown.variant] = (good + shown.fixed, of + 1)
    return counts


def _reason(finding: Finding) -> str:
    missed = finding.trouble.kind == "not-seen" and finding.trouble.title.startswith(NOT_SEEN)
    return finding.trouble.title.removeprefix(NOT_SEEN) if missed else finding.expected


def _row(reason: str, faces: Sequence[Finding], results: Sequence[Result], columns: Sequence[_Column]) -> BugRow:
    places = dict.fromkeys((face.test, face.profile) for face in faces)
    words = {column: _word(column, list(places), faces, results) for column in columns}
    shown = []
    for (variant, machine), word in words.items():
        stock = words.get((STOCK, machine), "")
        shown.append(
            Shown(
                variant,
                machine,
                word,
                fixed=word == "not seen" and stock == "seen" and variant != STOCK,
                new=word == "seen" and stock == "not seen" and variant != STOCK,
                why=_why((variant, machine), list(places), results) if word == NO_RESULT else "",
            )
        )
    return BugRow(reason, tuple(dict.fromkeys(test for test, _ in places)), tuple(shown))


def _word(column: _Column, places: Sequence[_Place], faces: Sequence[Finding], results: Sequence[Result]) -> str:
    """Return the word for a bug that shows in `places`."""
    own = [face for face in faces if (face.variant, face.machine) == column]
    if any(face.expected for face in own):
        return "seen"
    missed = {(face.test, face.profile) for face in own}
    outcomes: dict[_Place, set[str]] = {}
    for result in results:
        if (result.variant, result.machine) == column:
            outcomes.setdefault((result.test, result.profile), set()).add(result.outcome)
    run = [place for place in places if place in outcomes]
    sound = [place for place in run if place in missed or outcomes[place] <= set(_SOUND)]
    if not run:
        return "not run"
    if not sound:
        return NO_RESULT
    return "not seen" if len(sound) == len(places) else f"not seen in {len(sound)} of {len(places)}"


def _why(column: _Column, places: Sequence[_Place], results: Sequence[Result]) -> str:
    mine = {r.outcome for r in results if (r.variant, r.machine) == column and (r.test, r.profile) in places}
    return next((words for outcome, words in _UNSOUND.items() if outcome in mine), "")
