# SPDX-License-Identifier: GPL-2.0-only
"""Results of what maintainers ask of a series before they look at it."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class State(StrEnum):
    """Result of one check. Only GOOD is a pass."""

    GOOD = "good"
    FOUND = "found"
    TOLD = "told"
    """a figure, of which people judge"""
    NOT_CHECKED = "not checked"


class Check(msgspec.Struct, frozen=True):
    """One check of a series."""

    name: str
    state: State
    summary: str
    """its result in a few words, or the reason for which it was not checked"""
    details: tuple[str, ...] = ()
    """a line for each thing that was found"""


class Checked(msgspec.Struct, frozen=True):
    """All checks of a series."""

    series: str
    base: str
    patches: int
    checks: tuple[Check, ...]

    @property
    def found(self) -> bool:
        """True if there is something to mend."""
        return any(check.state is State.FOUND for check in self.checks)
