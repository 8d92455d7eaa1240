# SPDX-License-Identifier: GPL-2.0-only
"""Deadlines, the time that they count, and the factor by which the user makes them longer."""

from __future__ import annotations

import contextlib
import functools
import math
import os
import threading
import time
import weakref
from collections.abc import Callable
from typing import Protocol

from harness.errors import UsageError

POLL = 0.01
"""seconds between two checks in a loop that waits"""
_BEAT = 0.2
"""seconds between two looks of the thread that counts a process's own time"""
_LONGEST_GAP = 1.0
"""maximum seconds between two looks that count; if a gap is longer, the host stood still for the rest of it"""


class Timed(Protocol):
    """A count of seconds that does not go on while what it times stands still."""

    @property
    def ran(self) -> float:
        """Seconds that count so far."""

    @property
    def lost(self) -> float:
        """Seconds that do not count, because nothing could run in them."""


class Follower(Protocol):
    """A count of seconds that has to be brought up to date regularly."""

    def look(self) -> None:
        """Count the time since the last look."""


class OwnTime:
    """Counts the seconds in which this process could run.

    A process that was stopped, a container that was paused and a frozen host of VMs are the same to it: time
    jumps. The jump counts for nobody, because nobody could do anything in it. Linux's monotonic clock itself leaves
    out the time in which a computer is suspended.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        """Begin to count `now`, in seconds."""
        self._now = now
        self._last = now()
        self._ran = self._lost = 0.0
        self._lock = threading.Lock()
        self._followers: weakref.WeakSet[Follower] = weakref.WeakSet()

    @property
    def ran(self) -> float:
        """Seconds in which the process could run."""
        self.look()
        return self._ran

    @property
    def lost(self) -> float:
        """Seconds in which it stood still."""
        self.look()
        return self._lost

    def look(self) -> None:
        """Count the time since the last look, as far as it is no jump."""
        with self._lock:
            now = self._now()
            gap, self._last = now - self._last, now
            self._ran += min(gap, _LONGEST_GAP)
            self._lost += max(0.0, gap - _LONGEST_GAP)

    def follow(self, follower: Follower) -> None:
        """Have `follower` look whenever `beat` is called, as long as it lives."""
        with self._lock:
            self._followers.add(follower)

    def beat(self) -> None:
        """Look, and have all followers look."""
        self.look()
        with self._lock:
            followers = list(self._followers)
        for follower in followers:
            with contextlib.suppress(OSError):  # without the beat, each call that blocks would be a jump
                follower.look()


@functools.cache
def own_time() -> OwnTime:
    """Return the time of this process. A thread looks regularly, so that a call which blocks is no jump."""
    made = OwnTime()
    threading.Thread(target=_beats, args=(made,), name="own time", daemon=True).start()
    return made


def _beats(of: OwnTime) -> None:
    never = threading.Event()
    while not never.wait(_BEAT):
        of.beat()


class Deadline:
    """A point in time at which a wait ends; nothing in the rig waits without one."""

    def __init__(self, seconds: float, of: Timed | None = None) -> None:
        """Set it `seconds` from now, as `of` counts them; by default those in which this process could run."""
        self._time = of or own_time()
        self._began, self._lost = self._time.ran, self._time.lost
        self._end = self._began + seconds

    @property
    def over(self) -> bool:
        """True if the deadline has passed; raises what its count of time raises."""
        return self._time.ran >= self._end

    @property
    def doubt(self) -> float:
        """Seconds since it was set that do not count, if they are more than those that do; 0 if not.

        What hardly runs gets less done than the seconds that count would let it, as its CPUs wait for each other.
        """
        lost = self._time.lost - self._lost
        return lost if lost > self._time.ran - self._began else 0.0


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
