# SPDX-License-Identifier: GPL-2.0-only
"""Takes findings that were dismissed out of a verdict; they stay in the report, with the reason."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from harness import paths
from harness.model.clock import Clock
from harness.model.records import Finding, Result
from harness.stats.causes import fingerprint

OUTCOME = "dismissed"
"""of a test that failed for dismissed findings alone"""
_Place = tuple[str, str, str, Clock, str, int]


class Dismissal(msgspec.Struct, frozen=True):
    """A decision that a finding has nothing to do with the series."""

    fingerprint: str
    why: str
    date: str
    """time of the decision in UTC, in the format of ISO 8601"""
    title: str
    """the finding in a few words, as it was when it was dismissed"""

    @property
    def told(self) -> str:
        """Date and reason, as reports have them."""
        return f"{self.date[:10]}: {self.why}"


def applied(findings: Iterable[Finding], dismissals: Mapping[str, Dismissal]) -> tuple[Finding, ...]:
    """Return the findings, with the reason in those that were dismissed; `dismissals` are by fingerprint.

    A known bug of stock needs no dismissal, and gets none.
    """
    return tuple(
        msgspec.structs.replace(finding, dismissed=of.told)
        if dismissals and not finding.expected and (of := dismissals.get(fingerprint(finding)))
        else finding
        for finding in findings
    )


def excused(results: Iterable[Result], findings: Iterable[Finding]) -> tuple[Result, ...]:
    """Return the results, with the outcome ``dismissed`` for each test that failed for dismissed findings and nothing else."""
    told: dict[_Place, list[str]] = {}
    findings = tuple(findings)
    # Two findings of one test can have the same title and still be two.
    open_ = {_place(finding) for finding in findings if finding.unexpected}
    for finding in findings:
        if finding.dismissed:
            told.setdefault(_place(finding), []).extend((f"{finding.trouble.kind}: {finding.trouble.title}", finding.trouble.title))
    return tuple(
        msgspec.structs.replace(result, outcome=OUTCOME)
        if result.outcome == "failed" and _place(result) not in open_ and _explained(result.reason, told.get(_place(result), []))
        else result
        for result in results
    )


def _explained(reason: str, titles: Iterable[str]) -> bool:
    """Return whether nothing is left of a reason without these titles; a test's reason is the titles of its findings."""
    left = reason
    for title in sorted(map(paths.shown, titles), key=len, reverse=True):
        left = left.replace(title, "")
    return left != reason and not left.strip("; ")


def _place(of: Finding | Result) -> _Place:
    # A boot's result has its clock in the test's name, where its findings do not.
    return of.machine, of.variant, of.profile, of.clock, of.test.removesuffix(f" under {of.clock}"), of.boot
