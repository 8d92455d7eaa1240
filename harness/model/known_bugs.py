# SPDX-License-Identifier: GPL-2.0-only
"""Bugs that stock is known to have: the tests and findings that show them."""

from __future__ import annotations

import re
from collections.abc import Iterable

from harness.host.toml import TomlTable

NOT_SEEN = "a known bug was not seen: "
"""start of the title of a finding that reports an expected bug as missing; the bug's reason follows it"""


class KnownBug(TomlTable, frozen=True):
    """A bug that a test shows in stock, and in a series that does not fix it.

    A bug that shows as several findings, such as one per profile, has an entry for each.
    """

    test: str
    kind: str
    title: str
    """a regular expression that the finding's title matches"""
    reason: str
    profiles: tuple[str, ...] = ()
    """profiles in whose kernels it shows; empty for all"""
    machines: tuple[str, ...] = ()
    """machines on which it shows; empty for all"""
    always: bool = True
    """True if stock has to show it; False if it may"""

    def concerns(self, machine: str, profile: str) -> bool:
        """Return True if the bug shows in kernels of `profile` on `machine`."""
        return profile in (self.profiles or (profile,)) and machine in (self.machines or (machine,))

    def explains(self, kind: str, title: str) -> bool:
        """Return True if a finding of `kind` with `title` is this bug."""
        return self.kind == kind and re.search(self.title, title) is not None


class UserspaceBug(TomlTable, frozen=True):
    """A bug that the allocator of stock shows in user space."""

    title: str
    """a regular expression that kind and title of the failure match, as in ``bug: kernel BUG at ...``"""
    without: str
    """word that leaves out what shows the bug, so that the rest can be tested"""
    reason: str
    always: bool = True
    """True if stock has to show it; False if it may"""


def explanation(bugs: Iterable[KnownBug], kind: str, title: str) -> str:
    """Return the reason of the first of `bugs` that explains a finding of `kind` with `title`; empty if none does."""
    return next((bug.reason for bug in bugs if bug.explains(kind, title)), "")
