# SPDX-License-Identifier: GPL-2.0-only
"""Tells, once, of what was handed out and waits on a worker: others have its cores or its memory meanwhile."""

from __future__ import annotations

from collections.abc import Callable

from harness.host.deadline import Deadline

_PATIENCE = 10.0
"""seconds after which it counts as waiting: a worker first looks at what came and at its own files"""
Reason = Callable[[], str]
"""says what is waited for, as it is when that is told"""


class Waiting:
    """Builds or sessions that no worker has begun so far. What has begun may be said by another thread."""

    def __init__(self, tell: Callable[[str, str], None]) -> None:
        """Tell of names, each with its reason."""
        self._tell = tell
        self._late: dict[str, tuple[Deadline, Reason]] = {}

    def handed(self, name: str, reason: Reason) -> None:
        """Note that something was handed out, again or for the first time."""
        self._late[name] = Deadline(_PATIENCE), reason

    def begun(self, name: str) -> None:
        """Note that nothing is to be told of it: a worker has begun with it, or it has ended."""
        self._late.pop(name, None)

    def look(self) -> None:
        """Tell of what has waited for too long by now, unless that was told since it was handed out."""
        for name, (late, reason) in list(self._late.items()):
            if late.over and name in self._late:
                self.begun(name)
                self._tell(name, reason())
