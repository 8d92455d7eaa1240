# SPDX-License-Identifier: GPL-2.0-only
"""Compares what the variants of a machine measured."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence

import msgspec

from harness.matrix import STOCK, Clock
from harness.records import Sample


class Summary(msgspec.Struct, frozen=True):
    """The samples of one test in one cell."""

    count: int
    median: float
    low: float
    high: float
    unit: str

    @property
    def spread(self) -> float:
        """Half of the range from the lowest to the highest, in per cent of the median."""
        return (self.high - self.low) / 2 / self.median * 100 if self.median else 0.0


class Comparison(msgspec.Struct, frozen=True):
    """One test on one machine: stock against a variant."""

    machine: str
    profile: str
    clock: Clock
    test: str
    variant: str
    stock: Summary | None
    patched: Summary | None
    threshold: float

    @property
    def change(self) -> float | None:
        """How much less the variant costs than stock, in per cent of stock; negative when it costs more."""
        if not self.stock or not self.patched or not self.stock.median:
            return None
        return (self.stock.median - self.patched.median) / self.stock.median * 100

    @property
    def verdict(self) -> str:
        """``better`` or ``worse`` past the threshold, ``close`` within it, ``not compared`` without both sides."""
        if self.change is None:
            return "not compared"
        if self.change < -self.threshold:
            return "worse"
        return "better" if self.change > self.threshold else "close"


def summarise(values: Sequence[float], unit: str) -> Summary:
    """Return the summary of at least one value."""
    return Summary(len(values), statistics.median(values), min(values), max(values), unit)


def compare(samples: Iterable[Sample], threshold: float, tests: Sequence[str]) -> list[Comparison]:
    """Compare every variant with stock, for the given tests, each under its own clock.

    `threshold` is the change in per cent that counts. A variant without stock, or
    stock alone, gives a Comparison with one side empty: a gap is shown, not hidden.
    """
    cells: dict[tuple[str, str, Clock, str], dict[str, list[Sample]]] = {}
    for sample in samples:
        if sample.test in tests:
            key = (sample.machine, sample.profile, sample.clock, sample.test)
            cells.setdefault(key, {}).setdefault(sample.variant, []).append(sample)
    found = []
    for (machine, profile, clock, test), variants in cells.items():
        sides = {name: summarise([s.value for s in of], of[0].unit) for name, of in variants.items()}
        stock = sides.pop(STOCK, None)
        for variant, patched in sides.items():
            found.append(Comparison(machine, profile, clock, test, variant, stock, patched, threshold))
        if not sides:
            found.append(Comparison(machine, profile, clock, test, "", stock, None, threshold))
    return sorted(found, key=lambda c: (c.machine, c.profile, c.variant, c.clock, tests.index(c.test)))
