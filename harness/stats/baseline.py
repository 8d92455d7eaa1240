# SPDX-License-Identifier: GPL-2.0-only
"""Decides what a night's figures are held against: the baseline where there is one that fits, else stock."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec

from harness.model.clock import Clock
from harness.model.matrix import STOCK
from harness.model.records import Provenance, Sample
from harness.model.toolchains import Toolchain
from harness.stats import compare
from harness.stats.compare import Comparison
from harness.stats.outcome import Outcome
from harness.stats.trend import RunRow


class Gate(msgspec.Struct, frozen=True):
    """The comparisons of a night, with the side that they were held against and the reason for it."""

    against: str
    """``stock``, or the baseline's name"""
    reason: str
    comparisons: tuple[Comparison, ...]
    """with the baseline; with stock where the baseline has no such test"""
    notes: tuple[str, ...] = ()
    """remarks for a reader of the comparisons"""

    @property
    def regressions(self) -> tuple[Comparison, ...]:
        """Tests that cost more than what they are held against, past the threshold."""
        return tuple(comparison for comparison in self.comparisons if comparison.regression)


class Baseline(msgspec.Struct, frozen=True):
    """The run that others are held against, with its samples."""

    row: RunRow
    samples: Sequence[Sample]


class Work(Protocol):
    """The fields that say what a run was of, and how much work it did. Provenance and RunRow both have them."""

    @property
    def kernel(self) -> str:
        """The kernel's base."""

    @property
    def toolchain(self) -> Toolchain:
        """The toolchain that its kernels were built with."""

    @property
    def scale(self) -> str:
        """The scale's name."""

    @property
    def loops(self) -> float:
        """Share of the scale's operations."""


def unlike(one: Work, other: Work, *, kernel: bool = True) -> list[str]:
    """Return the reasons why the figures of two runs cannot be compared; in them `one` is ``there`` and `other` ``here``.

    Another kernel and another toolchain are among them, unless `kernel` is False.
    """
    kernels = {"kernel": (one.kernel, other.kernel), "toolchain": (one.toolchain, other.toolchain)}
    sides = {
        **(kernels if kernel else {}),
        "scale": (one.scale, other.scale),
        "share of the scale's operations": (f"{one.loops:g}", f"{other.loops:g}"),
    }
    return [f"{name} {there} there, {here} here" for name, (there, here) in sides.items() if there != here]


def gate(outcome: Outcome, tests: Sequence[str], samples: Sequence[Sample], baseline: Baseline | None) -> Gate:
    """Compare the performance `tests` of a run with the `baseline`.

    A test that the baseline lacks is compared with stock. All tests are if there is no baseline, or none that fits.

    `outcome` is the run's own, compared with stock, and `samples` are its samples.
    """
    provenance = outcome.provenance
    if baseline is None:
        return _stock(outcome, "no run was made the baseline (`invoke baseline RUN` does)")
    name = baseline.row.name
    if name == provenance.run:
        return _stock(outcome, f"{name} is the baseline itself")
    if differences := unlike(baseline.row, provenance):
        return _stock(outcome, f"the baseline {name} is another kind of run: {', '.join(differences)}")
    comparisons = compare.across(baseline.samples, samples, name, tests, provenance.margins, provenance.threshold)
    if all(comparison.ratio is None for comparison in comparisons):
        return _stock(outcome, f"the baseline {name} has no test of these cells")
    held = {_called(comparison) for comparison in comparisons}
    new = [comparison for comparison in outcome.comparisons if comparison.ratio is not None and _called(comparison) not in held]
    notes = (
        *_missing(_measured(baseline.samples, tests), _measured(samples, tests), {_called(comparison) for comparison in new}),
        *_surroundings(baseline.row, provenance, {sample.clock for sample in samples}),
    )
    return Gate(name, "it is the baseline", (*comparisons, *new), notes)


def _stock(outcome: Outcome, reason: str) -> Gate:
    return Gate(STOCK, reason, outcome.comparisons)


def _called(of: Comparison | Sample) -> str:
    return f"{of.machine}/{of.variant}/{of.profile}/{of.clock} {of.test}"


def _measured(samples: Sequence[Sample], tests: Sequence[str]) -> set[str]:
    return {_called(sample) for sample in samples if sample.test in tests and not sample.warmup}


def _missing(before: set[str], after: set[str], with_stock: set[str]) -> list[str]:
    """Return a line for each test of a cell that only one of two runs has figures of."""
    lacks = [f"{name}: in the baseline, not in this run" for name in sorted(before - after)]
    return lacks + [
        f"{name}: not in the baseline, held against {STOCK if name in with_stock else 'nothing'}" for name in sorted(after - before)
    ]


def _surroundings(one: RunRow, other: Provenance, clocks: set[Clock]) -> list[str]:
    """Return the other differences between two runs that may show in their figures."""
    changed = [] if one.host == other.host or Clock.WALL not in clocks else [f"host: {one.host} there, {other.host} here"]
    if not one.proven:
        changed.append("the baseline's boots did not prove which kernels they ran; make a run of this rig the baseline")
    names = [name for name in sorted(one.tools.keys() & other.tools.keys()) if one.tools[name] != other.tools[name]]
    return changed + [f"{name}: {one.tools[name]} there, {other.tools[name]} here" for name in names]
