# SPDX-License-Identifier: GPL-2.0-only
"""One pool of jobs for several makes side by side: GNU make's jobserver protocol over a pipe."""

from __future__ import annotations

import os
from types import TracebackType


class Jobserver:
    """Gives `jobs` jobs to all makes that inherit it; use it as a context manager.

    See "POSIX Jobserver Interaction" in the manual of GNU make.
    """

    def __init__(self, jobs: int, makes: int) -> None:
        """Make a pool for `makes` makes at once, each of which has one job of its own besides."""
        self._tokens = max(0, jobs - makes)

    def __enter__(self) -> Jobserver:
        self._read, self._write = os.pipe()
        os.write(self._write, b"+" * self._tokens)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None) -> None:
        os.close(self._read)
        os.close(self._write)

    @property
    def fds(self) -> tuple[int, int]:
        """The file descriptors that a make has to inherit."""
        return self._read, self._write

    def give_back(self) -> None:
        """Add the job of a make that has ended to the pool."""
        os.write(self._write, b"+")

    @property
    def makeflags(self) -> str:
        """The value of MAKEFLAGS for a make that takes its jobs from here."""
        return f" -j --jobserver-auth={self._read},{self._write}"
