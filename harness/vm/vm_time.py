# SPDX-License-Identifier: GPL-2.0-only
"""The time in which a VM could run: deadlines that are a guest's count this time alone."""

from __future__ import annotations

import threading
from collections.abc import Callable

import msgspec

from harness.errors import VmLost
from harness.host import deadline, process
from harness.host.deadline import Timed
from harness.host.process import CpuTime

_LOOK = 0.1
"""seconds between two looks at QEMU's process; more often tells no more"""
_LONGEST = 60.0
"""maximum seconds in a row that QEMU may stand still, unless RIG_PATIENCE is above 1"""
_NEARLY_ALL = 0.9
"""share of the time: a QEMU that could not run for so much of it stands still"""


class StoodStill(VmLost):
    """QEMU did not run for so long that nothing can be said of its guest; that is not the kernel's fault."""


def hardly_ran(seconds: float) -> str:
    """Return why nothing can be said of a guest whose QEMU was without a CPU for most of the time, for so many seconds."""
    return (
        f"for {seconds:.0f} s, most of the time, the host stood still or gave QEMU no CPU, so nothing can be said of its kernel;"
        " test it again when the host is less busy."
    )


class Observed(msgspec.Struct, frozen=True):
    """Functions that look at a process; tests hand in their own."""

    stopped: Callable[[int], bool] = process.stopped
    cpu: Callable[[int], CpuTime] = process.cpu_time


_OBSERVED = Observed()


class VmTime:
    """Counts the seconds in which both this process and a QEMU could run.

    A QEMU that is stopped cannot, and neither can one that hardly gets a CPU of a busy host.
    """

    def __init__(self, name: str, pid: int, of: Timed | None = None, observed: Observed = _OBSERVED) -> None:
        """Count for the QEMU `pid` of the VM `name`, within the time `of`; by default that of this process."""
        self._name, self._pid, self._observed = name, pid, observed
        self._time: Timed | None = None
        self._last = self._before = 0.0
        self._ran = self._stopped = self._starved = self._still = 0.0
        self._cpu = CpuTime()
        self._lock = threading.Lock()
        if of:
            self._begin(of)

    @property
    def ran(self) -> float:
        """Seconds that count; raises StoodStill if QEMU has not run for too long."""
        self.look()
        if self._still > _LONGEST * max(1.0, deadline.patience()):
            why = (
                "it is stopped, as by SIGSTOP or a frozen control group"
                if self._observed.stopped(self._pid)
                else "it waits for a CPU"
            )
            raise StoodStill(
                f"{self._name}: QEMU (process {self._pid}) has not run for {self._still:.0f} s because {why}, so nothing"
                " can be said of its kernel; test it again when nothing stops QEMU and a CPU is free."
            )
        return self._ran

    @property
    def stood(self) -> float:
        """Seconds in which the host stood still or QEMU was stopped, while the guest's clock may have gone on."""
        self.look()
        return self._stopped + self._timed().lost - self._before

    @property
    def lost(self) -> float:
        """Seconds that do not count, also those in which QEMU got no CPU."""
        return self.stood + self._starved

    def look(self) -> None:
        """Count the time since the last look, as far as QEMU could run in it."""
        with self._lock:
            now = self._timed().ran
            passed = now - self._last
            if passed < _LOOK:
                return
            self._last = now
            if self._observed.stopped(self._pid):
                lost = passed
                self._stopped += passed
            else:
                lost = min(passed, self._waited())
                self._starved += lost
            self._ran += passed - lost
            self._still = self._still + passed if lost >= _NEARLY_ALL * passed else 0.0

    def _timed(self) -> Timed:
        """Return the time to count within; from the first call on, the thread that counts this process's looks here, too."""
        if self._time is None:
            self._begin(deadline.own_time())
            deadline.own_time().follow(self)
        return self._time  # type: ignore[return-value]

    def _begin(self, of: Timed) -> None:
        self._time, self._last, self._before = of, of.ran, of.lost
        self._cpu = self._observed.cpu(self._pid)

    def _waited(self) -> float:
        """Return the seconds since the last look that a thread waited for a CPU, without those in which QEMU had one.

        Half of a CPU is enough for a guest to go on, and so is any share of one that several of its CPUs take in turns.
        """
        before, self._cpu = self._cpu, self._observed.cpu(self._pid)
        waits = [waited - before.waits[thread] for thread, waited in self._cpu.waits.items() if thread in before.waits]
        return max(0.0, max(waits, default=0.0) - max(0.0, self._cpu.used - before.used))
