# SPDX-License-Identifier: GPL-2.0-only
"""The publication's figures, and ours beside them.

Theirs are those of the RFC "improve vmalloc allocation" (linux-mm, October 2018), in published.csv, in
microseconds for a million loops. Ours are instructions or nanoseconds an operation: only what has no
unit is set against each other, the change from stock to patched and the speed-up, stock by patched.
"""

from __future__ import annotations

import csv
import statistics
from collections.abc import Sequence
from itertools import zip_longest
from pathlib import Path

import msgspec

from harness.errors import RigError
from harness.model.clock import Clock
from harness.model.matrix import STOCK
from harness.stats import cost
from harness.stats.compare import Comparison
from harness.stats.estimate import FEWEST

UNIT = "us for 1,000,000 loops"
BUSY = "15,000 busy areas"
FLAT = 1.0
"""per cent around zero in which a change has no direction"""
SMALLER = ("quick",)
"""scales with fewer busy areas than the publication had"""
_SIZED = ("long_busy_list_alloc_test",)
"""tests whose cost is that of the busy areas"""
_PROFILE = "perf"
"""the only one whose kernels are for speed, as the publication's were"""
_FREE = -100.0
"""per cent: the change to no cost at all, which is no speed-up that has a number"""


class PublishedRow(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One row of the publication: three full runs after a reboot, averaged."""

    machine: str
    like: str
    """the rig's machine that is shaped like it"""
    test: str
    run: int
    stock: float
    patched: float
    change: float
    """as it was published, in per cent; the publication writes a saving with a plus"""


class Pair(msgspec.Struct, frozen=True):
    """The costs of stock and of a variant in one row, in one unit."""

    stock: float | None
    patched: float | None

    @property
    def change(self) -> float | None:
        """Change of the cost from stock to the variant, in per cent; positive when it costs more."""
        return None if not self.stock or self.patched is None else cost.change(self.patched / self.stock)


class Beside(msgspec.Struct, frozen=True):
    """One test on one machine: the publication's rows, and ours under one clock."""

    machine: str
    board: str
    """board that the publication measured on"""
    profile: str
    clock: Clock
    test: str
    variant: str
    unit: str
    """of ours"""
    theirs: tuple[Pair, ...]
    ours: tuple[Pair, ...]
    """a row is a boot, the mean of its samples, as a published row is the mean of three runs after a reboot"""
    same_size: bool = True
    """False if the cost depends on busy areas, and we had fewer than the publication"""

    @property
    def their_changes(self) -> tuple[float, ...]:
        """The change of each published row, reckoned from its figures."""
        return _changes(self.theirs)

    @property
    def our_changes(self) -> tuple[float, ...]:
        """The change of each of our rows."""
        return _changes(self.ours)

    @property
    def rows(self) -> list[tuple[Pair | None, Pair | None]]:
        """Theirs and ours, row by row."""
        return list(zip_longest(self.theirs, self.ours))

    @property
    def change(self) -> float | None:
        """The median of our rows' changes."""
        return statistics.median(self.our_changes) if self.our_changes else None

    @property
    def direction(self) -> str:
        """``same`` or ``other``; ``flat`` where theirs is about zero, or where their rows go both ways.

        ``open`` where our rows go both ways or are fewer than FEWEST, ``size`` where ours is of
        another size, empty where there is none.
        """
        if not self.same_size:
            return "size"
        theirs = statistics.median(self.their_changes)
        if abs(theirs) <= FLAT or _both_ways(self.their_changes):
            return "flat"
        if self.change is None:
            return ""
        if len(self.our_changes) < FEWEST or _both_ways(self.our_changes):
            return "open"
        return "same" if abs(self.change) > FLAT and (self.change > 0) == (theirs > 0) else "other"

    @property
    def factor(self) -> float | None:
        """Ratio of our speed-up to theirs, both of the median change: 1 is the same, 2 is twice or half.

        None where ours is of another size, or there is none.
        """
        theirs = statistics.median(self.their_changes)
        if not self.same_size or self.change is None or self.change <= _FREE or theirs <= _FREE:
            return None
        apart = cost.ratio(theirs) / cost.ratio(self.change)
        return max(apart, 1 / apart)


def read(text: str) -> tuple[PublishedRow, ...]:
    """Read rows from CSV `text`, in which lines that begin with ``#`` are remarks; RigError for what is no row."""
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    try:
        return tuple(msgspec.convert(list(csv.DictReader(lines)), list[PublishedRow], strict=False))
    except msgspec.ValidationError as error:
        raise RigError(f"The published figures cannot be read: {error}.") from error


def load() -> tuple[PublishedRow, ...]:
    """Return the publication's rows."""
    return read(Path(__file__).with_name("published.csv").read_text(encoding="utf-8"))


def beside(rows: Sequence[PublishedRow], comparisons: Sequence[Comparison], scale: str) -> list[Beside]:
    """Return the comparisons with stock at a scale, each beside the published rows for a machine shaped like it.

    They come in the order of the comparisons. Tests and machines that only one side has are left out,
    and so are kernels that are not for speed.
    """
    listed = []
    for item in comparisons:
        theirs = [row for row in rows if row.like == item.machine and row.test == item.test]
        if not theirs or item.against != STOCK or not item.variant or item.profile != _PROFILE:
            continue
        listed.append(
            Beside(
                machine=item.machine,
                board=theirs[0].machine,
                profile=item.profile,
                clock=item.clock,
                test=item.test,
                variant=item.variant,
                unit=_unit(item),
                theirs=tuple(Pair(row.stock, row.patched) for row in sorted(theirs, key=lambda row: row.run)),
                ours=_ours(item),
                same_size=scale.split()[0] not in SMALLER or item.test not in _SIZED,
            )
        )
    return listed


def _ours(item: Comparison) -> tuple[Pair, ...]:
    """Return a row for every boot: stock's first beside the variant's first, and so on."""
    sides = [[statistics.fmean(boot) for boot in side.values if boot] if side else [] for side in (item.baseline, item.measured)]
    return tuple(Pair(stock, patched) for stock, patched in zip_longest(*sides))


def _unit(item: Comparison) -> str:
    side = item.baseline or item.measured
    return side.unit if side else ""


def _changes(pairs: Sequence[Pair]) -> tuple[float, ...]:
    return tuple(pair.change for pair in pairs if pair.change is not None)


def _both_ways(changes: Sequence[float]) -> bool:
    return min(changes) < -FLAT and max(changes) > FLAT
