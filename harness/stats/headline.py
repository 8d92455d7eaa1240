# SPDX-License-Identifier: GPL-2.0-only
"""Gives each variant one word: broken, slower, same, faster, mixed or unproven. The reasons go with it."""

from __future__ import annotations

import enum
from collections.abc import Sequence

import msgspec

from harness.model.matrix import STOCK
from harness.model.order import asked
from harness.model.records import Finding, Provenance, Result
from harness.stats.causes import Cause, causes
from harness.stats.compare import Comparison
from harness.stats.slopes import Slope


class Word(enum.StrEnum):
    """One word for the result of a variant."""

    BROKEN = "BROKEN"
    """its kernel, or a test, showed something that no known bug explains, and that nobody dismissed"""
    SLOWER = "SLOWER"
    SAME = "SAME"
    FASTER = "FASTER"
    MIXED = "MIXED"
    """slower in some tests, and faster in others"""
    UNPROVEN = "UNPROVEN"
    """tests or records are missing, kernels not proven, nothing was compared, or it is undecided: not checked is never a pass"""


class Headline(msgspec.Struct, frozen=True):
    """The result of a variant, with the reasons for it."""

    variant: str
    word: Word
    causes: tuple[Cause, ...]
    """of what was unexpected"""
    dismissed: int
    """number of causes that were dismissed"""
    also: bool
    """True if stock shows the first of them too"""
    failed: tuple[Result, ...]
    """tests that the rig could not run, or that failed without a finding which would say why"""
    results: int
    """that the run has, of all variants"""
    planned: int
    """that the run should have"""
    comparisons: tuple[Comparison, ...]
    """of its performance tests, also where one side is missing"""
    tests: tuple[Result, ...]
    """results of its tests that are not compared"""
    slopes: tuple[Slope, ...]
    """of its memory over a soak, those that are judged"""
    machines: int
    """number of machines that the run has"""
    proven: bool = True
    """True if the run's boots proved what they ran"""
    left_out: int = 0
    """number of the run's records that could not be read"""
    module: str = ""
    """name of the foreign module whose loads are the tests"""

    @property
    def compared(self) -> tuple[Comparison, ...]:
        """Those with both sides."""
        return tuple(comparison for comparison in self.comparisons if comparison.change is not None)

    def judged(self, verdict: str) -> tuple[Comparison, ...]:
        """Return the comparisons of one verdict."""
        return tuple(comparison for comparison in self.comparisons if comparison.verdict == verdict)


def headlines(
    provenance: Provenance,
    comparisons: Sequence[Comparison],
    findings: Sequence[Finding],
    results: Sequence[Result],
    slopes: Sequence[Slope] = (),
) -> tuple[Headline, ...]:
    """Return a headline for every variant of a run, in the order asked for.

    Stock has one only if it is broken, if the rig failed in it, or if it is the only variant. In a comparison of two runs,
    each variant of `comparisons` has one.
    """
    across = any(comparison.against != STOCK for comparison in comparisons)
    names = [*(c.variant for c in comparisons if c.variant)]
    if not across:
        names += [*provenance.patches, *(record.variant for kind in (findings, results, slopes) for record in kind)]
    variants = asked(provenance).by_variant(names)
    unexplained = causes(finding for finding in findings if not finding.expected)
    headed = [_headline(name, provenance, comparisons, unexplained, results, slopes) for name in variants]
    return tuple(each for each in headed if across or each.variant != STOCK or len(headed) == 1 or each.causes or each.failed)


def _headline(
    variant: str,
    provenance: Provenance,
    comparisons: Sequence[Comparison],
    unexplained: Sequence[Cause],
    results: Sequence[Result],
    slopes: Sequence[Slope],
) -> Headline:
    mine = tuple(cause for cause in unexplained if cause.variant == variant and cause.unexpected)
    compared = {c.test for c in comparisons}
    headline = Headline(
        variant,
        Word.UNPROVEN,
        mine,
        sum(cause.variant == variant and bool(cause.dismissed) for cause in unexplained),
        also=variant != STOCK and bool(mine) and any(c.variant == STOCK and c.key == mine[0].key for c in unexplained),
        failed=tuple(r for r in results if r.variant == variant and r.outcome in _bad(mine)),
        results=len(results),
        planned=provenance.planned,
        comparisons=tuple(c for c in comparisons if c.variant == variant),
        tests=tuple(r for r in results if r.variant == variant and r.test not in compared and not r.around),
        slopes=tuple(s for s in slopes if s.variant == variant and s.judged),
        machines=len(provenance.machines),
        proven=provenance.proven,
        left_out=provenance.left_out,
        module=provenance.module.name if provenance.module else "",
    )
    return msgspec.structs.replace(headline, word=_word(headline))


def _bad(mine: Sequence[Cause]) -> tuple[str, ...]:
    return ("error",) if mine else ("error", "failed")


def _word(of: Headline) -> Word:
    if of.causes:
        return Word.BROKEN
    if of.failed or of.results < of.planned or not of.proven or of.left_out:
        return Word.UNPROVEN
    slower, faster = of.judged("slower"), of.judged("faster")
    if slower or faster:
        return Word.MIXED if slower and faster else Word.SLOWER if slower else Word.FASTER
    return Word.SAME if of.comparisons and len(of.judged("same")) == len(of.comparisons) else Word.UNPROVEN
