# SPDX-License-Identifier: GPL-2.0-only
"""A pool of jobs that several parallel makes share: GNU make's jobserver protocol over a pipe."""

from __future__ import annotations

import os
import threading
from types import TracebackType
from typing import Protocol

import msgspec


class Jobs(Protocol):
    """Source of the jobs of a make."""

    @property
    def fds(self) -> tuple[int, ...]:
        """The file descriptors that a make has to inherit."""

    @property
    def makeflags(self) -> str:
        """The value of MAKEFLAGS for it."""


class Own(msgspec.Struct, frozen=True):
    """Jobs of a make that shares them with no other."""

    count: int

    @property
    def fds(self) -> tuple[int, ...]:
        """None: there is no pool."""
        return ()

    @property
    def makeflags(self) -> str:
        """The value of MAKEFLAGS for a make that runs so many jobs."""
        return f" -j{self.count}"


class Jobserver:
    """Gives `jobs` jobs to all makes that inherit it; use it as a context manager.

    See "POSIX Jobserver Interaction" in the manual of GNU make. Every make has one job
    of its own; the pool holds the others.
    """

    def __init__(self, jobs: int, builds: int) -> None:
        """Create a pool for `builds` builds; at most `jobs` of them run at once."""
        self.at_once = max(1, min(jobs, builds))
        self._spare = max(0, jobs - self.at_once)
        self._waiting = builds - self.at_once
        self._lock = threading.Lock()

    def __enter__(self) -> Jobserver:
        self._read, self._write = os.pipe()
        os.write(self._write, b"+" * self._spare)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None) -> None:
        os.close(self._read)
        os.close(self._write)

    @property
    def fds(self) -> tuple[int, int]:
        """The file descriptors that a make has to inherit."""
        return self._read, self._write

    @property
    def makeflags(self) -> str:
        """The value of MAKEFLAGS for a make that takes its jobs from here."""
        return f" -j --jobserver-auth={self._read},{self._write}"

    def ended(self) -> None:
        """Report the end of a build; its job goes to the others, unless another build is waiting to start."""
        with self._lock:
            self._waiting -= 1
            if self._waiting < 0:
                os.write(self._write, b"+")
