# SPDX-License-Identifier: GPL-2.0-only
"""Decides what a night's figures are held against: the baseline where there is one that fits, else stock."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from harness import compare
from harness.compare import Comparison
from harness.matrix import STOCK, Clock
from harness.outcome import Outcome
from harness.records import Sample
from harness.trend import RunRow


class Gate(msgspec.Struct, frozen=True):
    """What was compared with what, and why."""

    against: str
    """``stock``, or the baseline's name"""
    reason: str
    comparisons: tuple[Comparison, ...]
    notes: tuple[str, ...] = ()
    """what a reader of the comparisons should know"""

    @property
    def regressions(self) -> tuple[Comparison, ...]:
        """Tests that cost more than what they are held against, past the threshold."""
        return tuple(comparison for comparison in self.comparisons if comparison.regression)


class Side(msgspec.Struct, frozen=True):
    """A run with its samples."""

    row: RunRow
    samples: Sequence[Sample]


def gate(outcome: Outcome, tests: Sequence[str], mine: Side, baseline: Side | None) -> Gate:
    """Hold the performance `tests` of a run against the `baseline`, or against stock where there is none that fits."""
    if baseline is None:
        return _stock(outcome, "no run was made the baseline (`invoke baseline RUN` does)")
    name = baseline.row.name
    if name == mine.row.name:
        return _stock(outcome, f"{name} is the baseline itself")
    if unlike := _unlike(baseline.row, mine.row):
        return _stock(outcome, f"the baseline {name} is another kind of run: {', '.join(unlike)}")
    provenance = outcome.provenance
    made = tuple(compare.across(baseline.samples, mine.samples, name, tests, provenance.margins, provenance.threshold))
    if all(comparison.ratio is None for comparison in made):
        return _stock(outcome, f"the baseline {name} has no test of these cells")
    notes = (*_missing(baseline.samples, mine.samples, tests), *_surroundings(baseline.row, mine.row))
    return Gate(name, "it is the baseline", made, notes)


def _stock(outcome: Outcome, reason: str) -> Gate:
    return Gate(STOCK, reason, outcome.comparisons)


def _unlike(one: RunRow, other: RunRow) -> list[str]:
    """Say why the figures of two runs cannot be compared; nothing where they can."""
    sides = {
        "kernel": (one.kernel, other.kernel),
        "scale": (one.scale, other.scale),
        "share of the scale's operations": (f"{one.loops:g}", f"{other.loops:g}"),
    }
    return [f"{name} {there} there, {here} here" for name, (there, here) in sides.items() if there != here]


def _missing(before: Sequence[Sample], after: Sequence[Sample], tests: Sequence[str]) -> list[str]:
    """Name what only one of two runs has figures of: that is not held against anything."""
    sides = [
        {f"{s.machine}/{s.variant}/{s.profile}/{s.clock} {s.test}" for s in samples if s.test in tests and not s.warmup}
        for samples in (before, after)
    ]
    lacks = [f"{name}: in the baseline, not in this run" for name in sorted(sides[0] - sides[1])]
    return lacks + [f"{name}: not in the baseline, held against nothing" for name in sorted(sides[1] - sides[0])]


def _surroundings(one: RunRow, other: RunRow) -> list[str]:
    """Say what else was different when the two runs were made and may show in their figures."""
    changed = [] if one.host == other.host or Clock.WALL not in other.clocks else [f"host: {one.host} there, {other.host} here"]
    names = [name for name in sorted(one.tools.keys() & other.tools.keys()) if one.tools[name] != other.tools[name]]
    return changed + [f"{name}: {one.tools[name]} there, {other.tools[name]} here" for name in names]
