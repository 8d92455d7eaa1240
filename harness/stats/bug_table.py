# SPDX-License-Identifier: GPL-2.0-only
"""Which kernels showed which of stock's known bugs, from a run's records alone."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from harness.model.known_bugs import NOT_SEEN
from harness.model.matrix import STOCK, variant_order
from harness.model.records import Finding, Provenance, Result

_SOUND = ("passed", "xfailed")
_Place = tuple[str, str]
"""a test and a profile"""
_Column = tuple[str, str]
"""a variant and a machine"""


class Shown(msgspec.Struct, frozen=True):
    """What became of a bug in the kernels of a variant on a machine."""

    variant: str
    machine: str
    said: str
    """``seen``, ``not seen``, ``not run``, or what lies between"""
    fixed: bool = False
    """whether it was not seen where stock shows it"""
    new: bool = False
    """whether it was seen where stock does not show it"""

    @property
    def words(self) -> str:
        """All of it."""
        return f"{self.said}: fixed" if self.fixed else self.said


class Row(msgspec.Struct, frozen=True):
    """A bug, and who showed it; all rows of a run have the same columns."""

    reason: str
    tests: tuple[str, ...]
    """that showed it, or should have"""
    shown: tuple[Shown, ...]


def rows(provenance: Provenance, findings: Sequence[Finding], results: Sequence[Result]) -> list[Row]:
    """Return a row for each known bug that was seen in a run, or that stock should have shown."""
    ran = {(result.variant, result.machine) for result in results}
    columns = [(variant, machine) for variant in sorted(provenance.patches, key=variant_order) for machine in provenance.machines]
    told: dict[str, list[Finding]] = {}
    for finding in findings:
        if reason := _reason(finding):
            told.setdefault(reason, []).append(finding)
    return [_row(reason, faces, results, [c for c in columns if c in ran]) for reason, faces in told.items()]


def fixed(found: Sequence[Row], machine: str) -> dict[str, tuple[int, int]]:
    """Return, by variant, how many of the bugs that stock showed on a machine it fixes, and how many these are."""
    counts: dict[str, tuple[int, int]] = {}
    for row in found:
        mine = [shown for shown in row.shown if shown.machine == machine]
        if any(shown.variant == STOCK and shown.said == "seen" for shown in mine):
            for shown in mine:
                if shown.variant != STOCK:
                    good, of = counts.get(shown.variant, (0, 0))
                    counts[shown.variant] = (good + shown.fixed, of + 1)
    return counts


def _reason(finding: Finding) -> str:
    missed = finding.trouble.kind == "not-seen" and finding.trouble.title.startswith(NOT_SEEN)
    return finding.trouble.title.removeprefix(NOT_SEEN) if missed else finding.expected


def _row(reason: str, faces: Sequence[Finding], results: Sequence[Result], columns: Sequence[_Column]) -> Row:
    places = dict.fromkeys((face.test, face.profile) for face in faces)
    words = {column: _word(column, list(places), faces, results) for column in columns}
    shown = []
    for (variant, machine), said in words.items():
        stock = words.get((STOCK, machine), "")
        told = Shown(
            variant,
            machine,
            said,
            fixed=said == "not seen" and stock == "seen" and variant != STOCK,
            new=said == "seen" and stock == "not seen" and variant != STOCK,
        )
        shown.append(told)
    return Row(reason, tuple(dict.fromkeys(test for test, _ in places)), tuple(shown))


def _word(column: _Column, places: Sequence[_Place], faces: Sequence[Finding], results: Sequence[Result]) -> str:
    """Return what became of a bug that shows in `places`."""
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
        return "no result"
    return "not seen" if len(sound) == len(places) else f"not seen in {len(sound)} of {len(places)}"
