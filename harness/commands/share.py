# SPDX-License-Identifier: GPL-2.0-only
"""The share of a suite that is done, and an estimate of the time that the rest takes."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable
from statistics import fmean

from harness import text
from harness.suite.nodeid import name

_LEAST = 0.02
"""share that has to be done before the rest is estimated"""


class Share:
    """Tests of a suite, by boot. Each is expected to take as long as on the same machine before, or else as the others do."""

    def __init__(self, ids: Iterable[str] = (), clock: Callable[[], float] = time.monotonic) -> None:
        """Begin with the tests `ids` still to do; `clock` gives seconds."""
        self._open = set(ids)
        self.tests: Counter[str] = Counter(name(nodeid).vm for nodeid in self._open)
        """number of tests by boot"""
        self._left = Counter(self.tests)
        self._phases: dict[str, float] = {}
        self._took: dict[tuple[str, str], list[float]] = {}
        self._clock, self._began = clock, clock()

    def spent(self, nodeid: str, seconds: float) -> None:
        """Note how long a phase of a test took."""
        self._phases[nodeid] = self._phases.get(nodeid, 0.0) + seconds

    def ended(self, nodeid: str) -> None:
        """Note that a test has ended."""
        if nodeid in self._open:
            self._open.remove(nodeid)
            self._left[name(nodeid).vm] -= 1
            self._took.setdefault(_kind(nodeid), []).append(self._phases.pop(nodeid, 0.0))

    def __str__(self) -> str:
        """Return it in words, such as ``3 of 40 boots done, 12 %, about 8 min left``; empty without tests."""
        if not self.tests:
            return ""
        done = self._done()
        parts = [f"{sum(not left for left in self._left.values())} of {len(self.tests)} boots done", f"{int(done * 100)} %"]
        if self._open and done >= _LEAST:
            parts.append(f"about {text.duration((self._clock() - self._began) * (1 - done) / done)} left")
        return ", ".join(parts)

    def _done(self) -> float:
        took = [seconds for each in self._took.values() for seconds in each]
        usual = fmean(took) if took else 0.0
        means = {kind: fmean(each) for kind, each in self._took.items()}
        left = sum(means.get(_kind(nodeid), usual) for nodeid in self._open)
        spent = sum(took)
        return spent / (spent + left) if spent else float(not self._open)


def _kind(nodeid: str) -> tuple[str, str]:
    """Return the machine and the test."""
    of = name(nodeid)
    return of.cell.partition("/")[0], of.test
