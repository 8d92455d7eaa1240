# SPDX-License-Identifier: GPL-2.0-only
"""The longest section under a lock against the size that a sweep makes grow."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

import msgspec

from harness.model.attribution import LockedSection


class LockGrowth(msgspec.Struct, frozen=True):
    """The longest section under a lock of a workload, at each size."""

    machine: str
    profile: str
    axis: str
    workload: str
    variant: str
    longest: Mapping[int, int]
    """instructions, by size, which ascends"""

    @property
    def spread(self) -> float:
        """The largest of them, as a multiple of the smallest."""
        return max(self.longest.values()) / max(1, min(self.longest.values()))


def by_size(locked: Iterable[LockedSection]) -> list[LockGrowth]:
    """Return a row for each axis, workload and variant on each machine, in the order given; nothing of performance tests."""
    longest: dict[tuple[str, str, str, str, str], dict[int, int]] = defaultdict(dict)
    for of in locked:
        if of.axis:
            sizes = longest[of.machine, of.profile, of.axis, of.test, of.variant]
            sizes[of.size] = max(of.longest, sizes.get(of.size, 0))
    rows = [LockGrowth(*key, dict(sorted(sizes.items()))) for key, sizes in longest.items()]
    order = [list(dict.fromkeys(names)) for names in zip(*map(_place, rows), strict=True)]
    return sorted(rows, key=lambda row: [names.index(name) for names, name in zip(order, _place(row), strict=True)])


def _place(row: LockGrowth) -> tuple[str, str, str, str]:
    return row.machine, row.profile, row.axis, row.workload
