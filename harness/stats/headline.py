# SPDX-License-Identifier: GPL-2.0-only
"""Says of each variant in one word how it did: broken, slower, the same, faster, mixed or unproven, and holds what decides that."""

from __future__ import annotations

import enum
from collections.abc import Sequence

import msgspec

from harness.model.matrix import STOCK, variant_order
from harness.model.records import Finding, Provenance, Result
from harness.stats.causes import Cause, causes
from harness.stats.compare import Comparison
from harness.stats.slopes import Slope

_AROUND = ("boot", "end")
"""results that are no tests: how a VM came up, and what its kernel said after the last test"""


class Word(enum.StrEnum):
    """How a variant did."""

    BROKEN = "BROKEN"
    """its kernel, or a test, showed something that no known bug explains"""
    SLOWER = "SLOWER"
    SAME = "SAME"
    FASTER = "FASTER"
    MIXED = "MIXED"
    """slower in some tests, and faster in others"""
    UNPROVEN = "UNPROVEN"
    """not all was run, no one knows which kernels ran, nothing was compared, or it is not decided: not checked is never a pass"""


class Headline(msgspec.Struct, frozen=True):
    """How a variant did, and why."""

    variant: str
    word: Word
    causes: tuple[Cause, ...]
    """of what was unexpected"""
    also: bool
    """whether stock shows the first of them too"""
    failed: tuple[Result, ...]
    """tests that the rig could not run, or that failed without a finding which would say why"""
    results: int
    """that the run has, of all variants"""
    planned: int
    """that the run should have"""
    comparisons: tuple[Comparison, ...]
    """of its performance tests, also where one side is missing"""
    tests: tuple[Result, ...]
    """how its tests went that are not compared"""
    slopes: tuple[Slope, ...]
    """of its memory over a soak, those that are judged"""
    machines: int
    """how many the run has"""
    proven: bool = True
    """whether the run's boots proved what they ran"""

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
    """Return a headline for every variant of a run, in the order of patches.

    Stock is what others are held against: it has one where it is broken, where the rig failed in it, or if it is alone. Where
    a run is held against another one, each variant of `comparisons` has one.
    """
    across = any(comparison.against != STOCK for comparison in comparisons)
    names = [*(c.variant for c in comparisons if c.variant)]
    if not across:
        names += [*provenance.patches, *(record.variant for kind in (findings, results, slopes) for record in kind)]
    variants = sorted(dict.fromkeys(names), key=variant_order)
    found = causes(finding for finding in findings if not finding.expected)
    made = [_headline(name, provenance, comparisons, found, results, slopes) for name in variants]
    return tuple(each for each in made if across or each.variant != STOCK or len(made) == 1 or each.causes or each.failed)


def _headline(
    variant: str,
    provenance: Provenance,
    comparisons: Sequence[Comparison],
    found: Sequence[Cause],
    results: Sequence[Result],
    slopes: Sequence[Slope],
) -> Headline:
    mine = tuple(cause for cause in found if cause.variant == variant)
    compared = {c.test for c in comparisons}
    made = Headline(
        variant,
        Word.UNPROVEN,
        mine,
        also=variant != STOCK and bool(mine) and any(c.variant == STOCK and c.key == mine[0].key for c in found),
        failed=tuple(r for r in results if r.variant == variant and r.outcome in _bad(mine)),
        results=len(results),
        planned=provenance.planned,
        comparisons=tuple(c for c in comparisons if c.variant == variant),
        tests=tuple(r for r in results if r.variant == variant and r.test not in compared and r.test.split()[0] not in _AROUND),
        slopes=tuple(s for s in slopes if s.variant == variant and s.judged),
        machines=len(provenance.machines),
        proven=provenance.proven,
    )
    return msgspec.structs.replace(made, word=_word(made))


def _bad(mine: Sequence[Cause]) -> tuple[str, ...]:
    return ("error",) if mine else ("error", "failed")


def _word(of: Headline) -> Word:
    if of.causes:
        return Word.BROKEN
    if of.failed or of.results < of.planned or not of.proven:
        return Word.UNPROVEN
    slower, faster = of.judged("slower"), of.judged("faster")
    if slower or faster:
        return Word.MIXED if slower and faster else Word.SLOWER if slower else Word.FASTER
    return Word.SAME if of.comparisons and len(of.judged("same")) == len(of.comparisons) else Word.UNPROVEN
