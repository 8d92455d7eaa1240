# SPDX-License-Identifier: GPL-2.0-only
"""Clocks: where a sample's time comes from, and the unit of a guest's nanoseconds under each."""

from __future__ import annotations

import enum


class Clock(enum.StrEnum):
    """Where a sample's time comes from."""

    ICOUNT = "icount"
    """QEMU counts guest instructions: one virtual CPU, figures that repeat on any host."""
    WALL = "wall"
    """The guest's own time, all of the machine's CPUs."""


ICOUNT_SHIFT = 1
"""under icount a guest instruction takes 2**shift ns of the guest's time"""


def unit(clock: Clock) -> tuple[float, str]:
    """Return what a nanosecond of the guest's is worth under `clock`, and in which unit; instructions are never called seconds."""
    return (1 / (1 << ICOUNT_SHIFT), "instructions") if clock is Clock.ICOUNT else (1.0, "ns")


def per_operation(clock: Clock, nanoseconds: int, operations: int) -> tuple[float, str]:
    """Return the cost of one operation and its unit."""
    worth, name = unit(clock)
    return nanoseconds * worth / operations, f"{name}/op"
