# SPDX-License-Identifier: GPL-2.0-only
"""What the history knows of runs, and how a test's figure went from run to run."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby

import msgspec

from harness.model.clock import Clock
from harness.model.matrix import variant_order
from harness.stats.compare import Summary


class RunRow(msgspec.Struct, frozen=True):
    """A run as the history's list of runs has it."""

    name: str
    started: str
    kernel: str
    version: str
    scale: str
    loops: float
    """share of the scale's operations"""
    host: str
    tools: dict[str, str]
    clocks: tuple[Clock, ...]
    """that it has samples under"""
    planned: int
    outcomes: dict[str, int]
    """how many results went which way"""
    unexpected: int
    """findings that no known bug explains"""
    baseline: bool
    """whether later runs are measured against it"""
    proven: bool = False
    """whether each boot proved that it ran what was built for it; runs of before there was such proof did not"""

    @property
    def work(self) -> str:
        """The amount of work, such as ``quick`` or ``published x 0.1``."""
        return _work(self.scale, self.loops)

    @property
    def results(self) -> int:
        """How many tests have a result."""
        return sum(self.outcomes.values())

    @property
    def complete(self) -> bool:
        """Whether every test that was planned has a result."""
        return self.results >= self.planned


class Measured(msgspec.Struct, frozen=True):
    """What the figures of a trend are of. Runs of another amount of work are another trend: their figures differ for that alone."""

    machine: str
    clock: Clock
    kernel: str
    scale: str
    loops: float
    test: str
    variant: str
    profile: str
    unit: str

    @property
    def work(self) -> str:
        """The amount of work, such as ``quick`` or ``published x 0.1``."""
        return _work(self.scale, self.loops)


class Figure(msgspec.Struct, frozen=True):
    """A trend's figure in one run."""

    run: str
    started: str
    summary: Summary
    baseline: bool = False

    @property
    def median(self) -> float:
        """The median over boots of each boot's median."""
        return self.summary.median

    @property
    def low(self) -> float:
        """The lowest sample."""
        return min(min(boot) for boot in self.summary.values)

    @property
    def high(self) -> float:
        """The highest sample."""
        return max(max(boot) for boot in self.summary.values)


class Trend(msgspec.Struct, frozen=True):
    """One test in one cell, from run to run; oldest first, never empty."""

    of: Measured
    figures: tuple[Figure, ...]

    @property
    def last(self) -> Figure:
        """The figure of the newest run."""
        return self.figures[-1]

    @property
    def since_previous(self) -> float | None:
        """How much less the newest run costs than the one before, in per cent; None for the only one."""
        return _less(self.figures[-2], self.last) if len(self.figures) > 1 else None

    @property
    def since_baseline(self) -> float | None:
        """How much less the newest run costs than the baseline, in per cent; None where the baseline has no such figure."""
        marked = [figure for figure in self.figures if figure.baseline]
        return _less(marked[0], self.last) if marked and marked[0] is not self.last else None


class Value(msgspec.Struct, frozen=True):
    """One sample, with the run that it is from."""

    of: Measured
    run: str
    started: str
    baseline: bool
    boot: int
    value: float


def trends(values: Iterable[Value]) -> list[Trend]:
    """Return the trends of samples that are sorted by what they are of, then by run, then by boot; warm-up is left out.

    Of each test the variants come in the order of their patches.
    """
    found = [
        Trend(of, tuple(_figure(list(run)) for _, run in groupby(group, key=lambda value: value.run)))
        for of, group in groupby(values, key=lambda value: value.of)
    ]
    return sorted(found, key=lambda trend: _place(trend.of))


def _place(of: Measured) -> tuple[object, ...]:
    return of.machine, of.clock, of.kernel, of.scale, of.loops, of.test, variant_order(of.variant), of.profile, of.unit


def _work(scale: str, loops: float) -> str:
    return scale if loops == 1 else f"{scale} x {loops:g}"


def _figure(values: Sequence[Value]) -> Figure:
    boots = tuple(tuple(value.value for value in boot) for _, boot in groupby(values, key=lambda value: value.boot))
    first = values[0]
    return Figure(first.run, first.started, Summary(boots, first.of.unit), first.baseline)


def _less(before: Figure, after: Figure) -> float | None:
    return (1 - after.median / before.median) * 100 if before.median else None
