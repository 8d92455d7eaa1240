# SPDX-License-Identifier: GPL-2.0-only
"""Writes and reads the node ids of the suite, and reads the reason of a test's outcome."""

from __future__ import annotations

import msgspec
import pytest

from harness import paths
from harness.suite.plan import Session


class Name(msgspec.Struct, frozen=True):
    """The parts of a node id: ``file::test_WHAT[machine/variant/profile/clock/BOOT.ROUND/NAME]``."""

    cell: str
    clock: str
    boot: int
    round: int
    test: str

    @property
    def vm(self) -> str:
        """Name of the VM that it runs in, for people."""
        return f"{self.cell} {self.clock} {self.boot}"


def name(nodeid: str) -> Name:
    """Read a node id of the suite."""
    function, _, rest = nodeid.partition("[")
    cell, clock, number, called = rest.rpartition("]")[0].rsplit("/", 3)
    boot, _, round_ = number.partition(".")
    what = function.rpartition("::test_")[2]
    return Name(cell, clock, int(boot), int(round_), called if what == "module" else f"{what} under {clock}")


def parameter(session: Session, round_: int, name: str) -> str:
    """Return the part between the brackets of a node id."""
    return f"{session.built.cell.name}/{session.clock}/{session.boot}.{round_}/{name}"


def why(report: pytest.TestReport) -> str:
    """Return the reason for which a test failed or was skipped, in one line without paths of the host."""
    longrepr = report.longrepr
    if isinstance(longrepr, tuple):  # of a skipped test: file, line and reason
        reason = longrepr[2].removeprefix("Skipped: ")
    elif lookup := getattr(longrepr, "errorstring", ""):  # of a fixture that there is not, which fixtures there are follows
        reason = lookup.partition("\n")[0]
    else:
        crash = getattr(longrepr, "reprcrash", None)
        reason = crash.message.removeprefix("Failed: ") if crash else report.longreprtext
    return paths.shown((reason.strip().splitlines() or ["it did not say why"])[-1])
