# SPDX-License-Identifier: GPL-2.0-only
"""Judges a series patch by patch: each prefix of it against the one before, in all tests, and which patch is the first bad one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from harness.model.changes import predecessor
from harness.model.clock import Clock
from harness.model.matrix import STOCK, variant_order
from harness.model.order import Order, asked
from harness.model.records import Finding, Provenance, Result
from harness.stats.causes import Cause, causes
from harness.stats.compare import Comparison

FAILED = "FAILED"
AS_BEFORE = "FAILED as before"
"""word of an entry whose findings the prefix before shows too"""
_NO_REASON = "failed without a finding"
NOT_KNOWN = ("not run", "skipped", "rig failed", _NO_REASON, "undecided", "not compared")
"""words of an entry that give no answer: not checked is never a pass"""
_Place = tuple[str, str, Clock]
"""machine, profile and clock"""


class Prefix(msgspec.Struct, frozen=True):
    """A prefix of a series, held against the one before it in the run."""

    variant: str
    against: str
    """the next shorter prefix in the run; stock for the shortest"""
    patches: tuple[str, ...]
    """that it adds, by their files' names: the last one alone where each prefix is in the run"""


class Entry(msgspec.Struct, frozen=True):
    """Result of a prefix in a test."""

    word: str
    """``ok``, ``FAILED``, ``FAILED as before``, ``known bug``, one of NOT_KNOWN, or faster, slower or same"""
    comparison: Comparison | None = None
    """with the prefix before, if the word is its verdict"""


class TestRow(msgspec.Struct, frozen=True):
    """A test in a matrix: an entry for each of its steps."""

    test: str
    entries: tuple[Entry, ...]


class Matrix(msgspec.Struct, frozen=True):
    """Tests by patches on one machine, in one profile and under one clock."""

    machine: str
    profile: str
    clock: Clock
    steps: tuple[Prefix, ...]
    rows: tuple[TestRow, ...]


class Judged(msgspec.Struct, frozen=True):
    """A patch and what speaks against it."""

    step: Prefix
    causes: tuple[Cause, ...]
    """of what was unexpected, that its predecessor does not show"""
    regressions: tuple[Comparison, ...]
    """against its predecessor, past the threshold"""
    unknown: tuple[tuple[str, int], ...]
    """words of NOT_KNOWN, each with the number of tests that have it"""

    @property
    def bad(self) -> bool:
        """True if something speaks against it."""
        return bool(self.causes or self.regressions)


class Series(msgspec.Struct, frozen=True):
    """A series, patch by patch."""

    name: str
    matrices: tuple[Matrix, ...]
    judged: tuple[Judged, ...]
    """its steps in their order"""
    from_stock: bool
    """True if the run has stock, with which the first step is compared"""

    @property
    def first_bad(self) -> Judged | None:
        """The first patch that something speaks against."""
        return next((judged for judged in self.judged if judged.bad), None)

    @property
    def open(self) -> tuple[Judged, ...]:
        """The patches of which not everything is known, of those that come before the first bad one or of all."""
        bad = self.first_bad
        before = self.judged if bad is None else self.judged[: self.judged.index(bad)]
        return tuple(judged for judged in before if judged.unknown)


def predecessors(variants: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Return for each prefix of a series the variant that it is compared with; `variants` are patches by name."""
    return {step.variant: step.against for steps in _steps(variants).values() for step in steps}


def series(
    provenance: Provenance, comparisons: Sequence[Comparison], findings: Sequence[Finding], results: Sequence[Result]
) -> list[Series]:
    """Return the series of which a run has prefixes; `comparisons` are each prefix's with its predecessor."""
    unexpected = causes(finding for finding in findings if finding.unexpected)
    judged_series = []
    for name, steps in _steps(provenance.patches).items():
        matrices = _matrices(steps, comparisons, findings, results, asked(provenance))
        if not matrices:
            continue
        judged = tuple(_judged(step, matrices, comparisons, unexpected) for step in steps)
        judged_series.append(Series(name, matrices, judged, STOCK in provenance.patches))
    return judged_series


def _steps(variants: Mapping[str, Sequence[str]]) -> dict[str, tuple[Prefix, ...]]:
    groups: dict[str, list[str]] = {}
    for variant in sorted(variants, key=variant_order):
        if variant != STOCK:
            groups.setdefault(variant.partition("@")[0], []).append(variant)
    steps = {}
    for name, members in groups.items():
        if members != [name]:
            pairs = ((predecessor(member, members) or STOCK, member) for member in members)
            steps[name] = tuple(
                Prefix(variant, against, tuple(variants[variant][len(variants.get(against, ())) :])) for against, variant in pairs
            )
    return steps


def _matrices(
    steps: Sequence[Prefix],
    comparisons: Sequence[Comparison],
    findings: Sequence[Finding],
    results: Sequence[Result],
    order: Order,
) -> tuple[Matrix, ...]:
    names = {step.variant for step in steps}
    places: dict[_Place, dict[str, None]] = {}
    seen: tuple[Iterable[Comparison | Finding | Result], ...] = (comparisons, results, findings)
    for record in (record for kind in seen for record in kind):
        if record.variant in names and _is_test(record):
            places.setdefault((record.machine, record.profile, record.clock), {})[record.test] = None
    matrices = []
    for place, tests in sorted(places.items(), key=lambda each: (order.place(*each[0][:2]), each[0][2])):
        about = _At(place, comparisons, findings, results)
        rows = [TestRow(test, tuple(about.entry(step, test) for step in steps)) for test in tests]
        matrices.append(Matrix(*place, tuple(steps), tuple(row for row in rows if _tells(row))))
    return tuple(matrix for matrix in matrices if matrix.rows)


def _tells(row: TestRow) -> bool:
    """Return whether a row is worth showing. The sizes of a sweep, which are not compared, are if one of them failed."""
    return "@" not in row.test or any(entry.word != "ok" for entry in row.entries)


def _is_test(record: Comparison | Finding | Result) -> bool:
    """Return whether a record makes a row. The boot and the end of a VM do if they have a finding."""
    if isinstance(record, Comparison) or not record.around:
        return True
    return isinstance(record, Finding) and record.unexpected


class _At:
    """The records of one machine, profile and clock."""

    def __init__(
        self, place: _Place, comparisons: Sequence[Comparison], findings: Sequence[Finding], results: Sequence[Result]
    ) -> None:
        self._comparisons = {(c.variant, c.test): c for c in comparisons if (c.machine, c.profile, c.clock) == place}
        self._findings = [f for f in findings if (f.machine, f.profile, f.clock) == place]
        self._outcomes: dict[tuple[str, str], set[str]] = {}
        for r in results:
            if (r.machine, r.profile, r.clock) == place:
                test = r.test.removesuffix(f" under {r.clock}")
                self._outcomes.setdefault((r.variant, test), set()).add(r.outcome)

    def entry(self, step: Prefix, test: str) -> Entry:
        outcomes = self._outcomes.get((step.variant, test), set())
        own = [f for f in self._findings if (f.variant, f.test) == (step.variant, test)]
        if bad := [f for f in own if f.unexpected]:
            before = {c.key for c in causes(f for f in self._findings if f.variant == step.against)}
            return Entry(FAILED if {c.key for c in causes(bad)} - before else AS_BEFORE)
        if "failed" in outcomes:
            return Entry(_NO_REASON)
        if "error" in outcomes:
            return Entry("rig failed")
        if compared := self._comparisons.get((step.variant, test)):
            return Entry(compared.verdict if outcomes or compared.measured else "not run", compared)
        if not outcomes:
            return Entry("not run")
        if outcomes == {"skipped"}:
            return Entry("skipped")
        if "xfailed" in outcomes or any(f.expected for f in own):
            return Entry("known bug")
        return Entry("dismissed" if own else "ok")


def _judged(step: Prefix, matrices: Sequence[Matrix], comparisons: Sequence[Comparison], unexpected: Sequence[Cause]) -> Judged:
    before = {cause.key for cause in unexpected if cause.variant == step.against}
    words = [row.entries[matrix.steps.index(step)].word for matrix in matrices for row in matrix.rows]
    return Judged(
        step,
        tuple(cause for cause in unexpected if cause.variant == step.variant and cause.key not in before),
        tuple(c for c in comparisons if c.variant == step.variant and c.against == step.against and c.regression),
        tuple((word, words.count(word)) for word in NOT_KNOWN if word in words),
    )
