# SPDX-License-Identifier: GPL-2.0-only
"""Looks at a guest's memory in a soak."""

from __future__ import annotations

from typing import Any

import msgspec

from harness.model.clock import Clock
from harness.model.records import Look
from harness.stats import slopes
from harness.stats.slopes import STEPS

PAGE = 4096
PACE = 0.01
"""hours of a round"""


def look(round_: int, value: float, **other: Any) -> Look:
    """Return the look at rest after a round, in which all figures have one value."""
    fields: dict[str, Any] = {
        "machine": "x86_64",
        "variant": "stock",
        "profile": "perf",
        "clock": Clock.WALL,
        "test": "pcpu_alloc_test",
        "boot": 0,
        "seed": 1,
        "share": 0.5,
        "uptime": 1.0,
        "caches": {},
        "hours": (round_ + 1) * PACE,
    }
    names = (*STEPS, *slopes.FOLLOWED)
    return Look(round=round_, values=dict.fromkeys(names, round(value)), **{**fields, **other})


def growing(rate: float, rounds: int = 40, **other: Any) -> list[Look]:
    """Return looks at a guest of which slab caches and what they are part of grow, and nothing else."""
    found = []
    for number in range(rounds):
        one = look(number, 1 << 20, caches={"kmalloc-512": 512 + round(rate) * number}, **other)
        more = {name: one.values[name] + round(rate) * number for name in ("slab_objects", "SUnreclaim", "MemUsed")}
        found.append(msgspec.structs.replace(one, values={**one.values, **more}))
    return found
