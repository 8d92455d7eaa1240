# SPDX-License-Identifier: GPL-2.0-only
"""Deadlines, and the factor by which the user makes them longer."""

from __future__ import annotations

import math
import os
import time

from harness.errors import UsageError

POLL = 0.01
"""seconds between two checks in a loop that waits"""


class Deadline:
    """A point in time at which a wait ends; nothing in the rig waits without one."""

    def __init__(self, seconds: float) -> None:
        """Set it `seconds` from now."""
        self._end = time.monotonic() + seconds

    @property
    def over(self) -> bool:
        """True if the deadline has passed."""
        return time.monotonic() >= self._end


def patience() -> float:
    """Return the factor from RIG_PATIENCE by which tests may take longer than usual: by default 1."""
    text = os.environ.get("RIG_PATIENCE", "1")
    try:
        factor = float(text)
    except ValueError:
        factor = math.nan
    if not 0 < factor < math.inf:
        raise UsageError(f"RIG_PATIENCE has to be a number above 0, such as 3, not '{text}'.")
    return factor
