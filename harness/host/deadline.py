# SPDX-License-Identifier: GPL-2.0-only
"""Deadlines, and what a guest's nanoseconds mean under each clock."""

from __future__ import annotations

import math
import os
import time

from harness.errors import UsageError

POLL = 0.01
"""seconds between two looks at something that is awaited"""


class Deadline:
    """A point in time; all waiting in the rig ends at one."""

    def __init__(self, seconds: float) -> None:
        """Set it `seconds` from now."""
        self._end = time.monotonic() + seconds

    @property
    def over(self) -> bool:
        """Whether it has passed."""
        return time.monotonic() >= self._end


def patience() -> float:
    """Return how many times longer than usual a test may take by the user's word, RIG_PATIENCE: by default 1."""
    told = os.environ.get("RIG_PATIENCE", "1")
    try:
        factor = float(told)
    except ValueError:
        factor = math.nan
    if not 0 < factor < math.inf:
        raise UsageError(f"RIG_PATIENCE has to be a number above 0, such as 3, not '{told}'.")
    return factor
