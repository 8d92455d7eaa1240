# SPDX-License-Identifier: GPL-2.0-only
"""Time for deadlines in tests."""

from __future__ import annotations

import time


class FakeTime:
    """A time that a test sets."""

    def __init__(self) -> None:
        self.ran = self.lost = self.stood = 0.0


class RealTime:
    """The host's time, in which nothing stands still unless a test says so."""

    def __init__(self) -> None:
        self.lost = self.stood = 0.0

    @property
    def ran(self) -> float:
        return time.monotonic()
