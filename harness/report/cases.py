# SPDX-License-Identifier: GPL-2.0-only
"""Results as the cases of a CI service: their cells, their names, and the findings that belong to them."""

from __future__ import annotations

from harness.model.records import DuringTest, Result


def cell(of: DuringTest) -> str:
    """Return the cell of a record, ``machine/variant/profile``."""
    return f"{of.machine}/{of.variant}/{of.profile}"


def test(of: DuringTest) -> str:
    """Return the test of a record; the results of a boot and an end have their clock in it, and their findings have not."""
    return of.test.removesuffix(f" under {of.clock}")


def place(of: DuringTest) -> tuple[object, ...]:
    """Return what a result shares with its findings and samples."""
    return of.machine, of.variant, of.profile, of.clock, of.boot, test(of)


def name(of: Result) -> str:
    """Return the name of a case, ``test [clock, boot N]``."""
    again = f", round {of.round}" if of.round else ""
    return f"{test(of)} [{of.clock}, boot {of.boot}{again}]"
