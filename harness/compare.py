# SPDX-License-Identifier: GPL-2.0-only
"""Compares what two kernels measured, test by test, and says how sure that is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from harness.matrix import Clock
from harness.records import Sample


class Summary(msgspec.Struct, frozen=True):
    """The samples of one test in one cell."""

    values: tuple[tuple[float, ...], ...]
    """by boot, warm-up left out; outliers are part of it"""
    unit: str

    @property
    def boots(self) -> int:
        """How many boots they come from."""
        return len(self.values)

    @property
    def count(self) -> int:
        """How many samples there are."""
        return sum(map(len, self.values))

    @property
    def median(self) -> float:
        """The median over boots of each boot's median."""
        raise NotImplementedError

    @property
    def spread(self) -> float:
        """Half of the range from the lowest to the highest sample, in per cent of the median."""
        raise NotImplementedError


class Comparison(msgspec.Struct, frozen=True):
    """One test on one machine under one clock: a variant against a baseline."""

    machine: str
    profile: str
    clock: Clock
    test: str
    variant: str
    """empty where there is nothing but the baseline"""
    against: str
    """what the baseline is called: ``stock``, or a run's name"""
    baseline: Summary | None
    measured: Summary | None
    margin: float
    """per cent within which two figures count as the same"""
    threshold: float
    """per cent of slow-down from which on a change is a regression"""
    ratio: float | None = None
    """measured by baseline: below 1 is cheaper"""
    interval: tuple[float, float] | None = None
    """of the ratio, 95 % confidence"""
    p: float | None = None
    """that there is no difference, by Holm over the tests of a cell"""
    verdict: str = "not compared"
    """faster, slower, same, undecided, or ``not compared`` without both sides"""
    more: int = 0
    """boots of each side beyond those made that would likely decide what is undecided"""

    @property
    def change(self) -> float | None:
        """How much less it costs than the baseline, in per cent; negative when it costs more."""
        return None if self.ratio is None else (1 - self.ratio) * 100

    @property
    def regression(self) -> bool:
        """Whether it is slower, and past the threshold."""
        return self.verdict == "slower" and self.change is not None and self.change < -self.threshold


def compare(samples: Iterable[Sample], tests: Sequence[str], margins: Mapping[Clock, float], threshold: float) -> list[Comparison]:
    """Compare every variant with stock, for the given tests, each under its own clock.

    A variant without stock, or stock alone, gives a Comparison with one side empty: a gap is
    shown, not hidden.
    """
    raise NotImplementedError


def across(
    before: Iterable[Sample],
    after: Iterable[Sample],
    against: str,
    tests: Sequence[str],
    margins: Mapping[Clock, float],
    threshold: float,
) -> list[Comparison]:
    """Compare the cells of two runs that are in both; `against` is the name of the run `before`."""
    raise NotImplementedError
