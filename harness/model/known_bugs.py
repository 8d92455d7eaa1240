# SPDX-License-Identifier: GPL-2.0-only
"""Bugs that stock is known to have: which tests show them, and how."""

from __future__ import annotations

import re
from collections.abc import Iterable

from harness.host.toml import Table

NOT_SEEN = "a known bug was not seen: "
"""what the title of a finding begins with that is about a bug which stock has to show; its reason follows"""


class KnownBug(Table, frozen=True):
    """A bug that a test shows in stock, and in a series that leaves it as it is.

    One that shows in several ways, such as in one way for each profile, has an entry for each.
    """

    test: str
    kind: str
    title: str
    """a regular expression that the finding's title matches"""
    reason: str
    profiles: tuple[str, ...] = ()
    """in whose kernels it shows; empty for all"""
    machines: tuple[str, ...] = ()
    """on which it shows; empty for all"""
    always: bool = True
    """whether stock has to show it; else it may"""

    def concerns(self, machine: str, profile: str) -> bool:
        """Return whether it shows in kernels of `profile` on `machine`."""
        return profile in (self.profiles or (profile,)) and machine in (self.machines or (machine,))

    def explains(self, kind: str, title: str) -> bool:
        """Return whether a finding of `kind` with `title` is how it shows."""
        return self.kind == kind and re.search(self.title, title) is not None


def explanation(bugs: Iterable[KnownBug], kind: str, title: str) -> str:
    """Return the reason of the first of `bugs` that shows as a finding of `kind` with `title`; empty if none does."""
    return next((bug.reason for bug in bugs if bug.explains(kind, title)), "")
