# SPDX-License-Identifier: GPL-2.0-only
"""Runs as the history has them, and the figures of a test from run to run."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby

import msgspec

from harness.model.clock import Clock
from harness.model.matrix import variant_order
from harness.model.records import Amount, Count
from harness.model.toolchains import Toolchain, by
from harness.stats import cost
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
    """number of results by outcome"""
    unexpected: int
    """findings that no known bug explains, and that nobody dismissed"""
    baseline: bool
    """True if later runs are compared with it"""
    proven: bool = False
    """True if each boot proved that it ran what was built for it; runs older than this check did not"""
    dismissed: int = 0
    """findings that were dismissed"""
    toolchain: Toolchain = Toolchain.GCC

    @property
    def built(self) -> str:
        """The version of Linux, with what it was built by where that is not GCC."""
        return by(self.version, self.toolchain)

    @property
    def work(self) -> str:
        """The amount of work, such as ``quick`` or ``published x 0.1``."""
        return _work(self.scale, self.loops)

    @property
    def results(self) -> int:
        """Number of tests that have a result."""
        return sum(self.outcomes.values())

    @property
    def complete(self) -> bool:
        """True if every test that was planned has a result."""
        return self.results >= self.planned


class TrendSubject(msgspec.Struct, frozen=True):
    """The test and cell that a trend is of, the toolchain and the amount of work.

    Runs with another toolchain or amount of work are another trend, because that alone changes the figures.
    """

    machine: str
    clock: Clock
    kernel: str
    scale: str
    loops: float
    test: str
    variant: str
    profile: str
    unit: str
    toolchain: Toolchain = Toolchain.GCC

    @property
    def built(self) -> str:
        """The kernel's base, with what it was built by where that is not GCC."""
        return by(self.kernel, self.toolchain)

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

    of: TrendSubject
    figures: tuple[Figure, ...]

    @property
    def last(self) -> Figure:
        """The figure of the newest run."""
        return self.figures[-1]

    @property
    def since_previous(self) -> float | None:
        """Change of the cost from the run before to the newest, in per cent; None for the only run."""
        return _change(self.figures[-2], self.last) if len(self.figures) > 1 else None

    @property
    def since_baseline(self) -> float | None:
        """Change of the cost from the baseline to the newest run, in per cent; None if the baseline has no such figure."""
        marked = [figure for figure in self.figures if figure.baseline]
        return _change(marked[0], self.last) if marked and marked[0] is not self.last else None


class Value(msgspec.Struct, frozen=True):
    """One sample, with the run that it is from."""

    of: TrendSubject
    run: str
    started: str
    baseline: bool
    boot: Count
    value: Amount


def trends(values: Iterable[Value]) -> list[Trend]:
    """Return the trends of samples, without warm-up. They have to be sorted by subject, then by run, then by boot.

    Of each test the variants come in the order of their patches.
    """
    lines = [
        Trend(of, tuple(_figure(list(run)) for _, run in groupby(group, key=lambda value: value.run)))
        for of, group in groupby(values, key=lambda value: value.of)
    ]
    return sorted(lines, key=lambda trend: _place(trend.of))


def _place(of: TrendSubject) -> tuple[object, ...]:
    cell = of.machine, of.clock, of.kernel, of.toolchain
    return *cell, of.scale, of.loops, of.test, variant_order(of.variant), of.profile, of.unit


def _work(scale: str, loops: float) -> str:
    return scale if loops == 1 else f"{scale} x {loops:g}"


def _figure(values: Sequence[Value]) -> Figure:
    boots = tuple(tuple(value.value for value in boot) for _, boot in groupby(values, key=lambda value: value.boot))
    first = values[0]
    return Figure(first.run, first.started, Summary(boots, first.of.unit), first.baseline)


def _change(before: Figure, after: Figure) -> float | None:
    return cost.change(after.median / before.median) if before.median else None
