# SPDX-License-Identifier: GPL-2.0-only
"""Clocks: the source of a sample's time, and the unit of a guest's nanoseconds under each."""

from __future__ import annotations

import enum


class Clock(enum.StrEnum):
    """The source of a sample's time."""

    ICOUNT = "icount"
    """QEMU counts guest instructions: one virtual CPU, and figures that repeat on any host"""
    WALL = "wall"
    """the guest's own time, with all CPUs of the machine"""


ICOUNT_SHIFT = 1
"""argument of QEMU's -icount: one guest instruction takes 2**shift ns of guest time"""


def unit(clock: Clock) -> tuple[float, str]:
    """Return the value of one guest nanosecond under `clock`, and its unit: instructions under icount, else ns."""
    return (1 / (1 << ICOUNT_SHIFT), "instructions") if clock is Clock.ICOUNT else (1.0, "ns")


def per_operation(clock: Clock, nanoseconds: int, operations: int) -> tuple[float, str]:
    """Return the cost of one operation and its unit."""
    worth, name = unit(clock)
    return nanoseconds * worth / operations, f"{name}/op"
