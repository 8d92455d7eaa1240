# SPDX-License-Identifier: GPL-2.0-only
"""Says who works at a scheduler, and for how long a client waits where nobody does."""

from __future__ import annotations

from collections.abc import Collection

from harness.cluster.connection import Connection, Member
from harness.errors import RigError
from harness.host.deadline import Deadline

_ALONE = 60.0
"""seconds without any worker, without one that is needed, or without a scheduler, after which a client gives up"""


class Presence:
    """The workers of a connection, each time that they are asked for."""

    def __init__(self, connection: Connection, what: str) -> None:
        """Look at a connection that is for `what`, such as ``this run``."""
        self._connection, self._what = connection, what
        self._lonely: Deadline | None = None

    def members(self, needed: Collection[str] = ()) -> list[Member]:
        """Return the workers.

        Raises RigError if for too long there is none, a name of `needed` is missing, or the scheduler is gone.
        """
        up = self._connection.up
        members = self._connection.members() if up else []
        if members and set(needed) <= {member.name for member in members}:
            self._lonely = None
            return members
        self._lonely = self._lonely or Deadline(_ALONE)
        if self._lonely.over or self._connection.client.status == "closed":
            lost = f"The worker {', '.join(sorted(needed))} is not there" if members else "There is no worker left"
            raise RigError(f"{lost if up else 'The scheduler is gone'}: {self._connection.address} has no host for {self._what}.")
        return members
