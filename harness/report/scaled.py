# SPDX-License-Identifier: GPL-2.0-only
"""The tests that did less than they were to do, as the vmalloc range of a machine is small."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from harness import text
from harness.model.records import Scaled

TITLE = "Scaled down"
ABOUT = "The vmalloc range of these kernels has no room for what these tests do elsewhere: they did less."


class Row(msgspec.Struct, frozen=True):
    """The work of a test on a machine, in all kernels and boots that said the same of it."""

    machine: str
    mebibytes: int
    """of the vmalloc range, which is larger in VMs of little memory"""
    test: str
    asked: str
    done: str

    @property
    def place(self) -> str:
        """The machine, the range and the test, in words."""
        return f"{self.machine}, {self.mebibytes:,} MiB, {self.test}"


def rows(found: Sequence[Scaled]) -> list[Row]:
    """Return a row for all records that say the same, by machine, range and test; names are in the order of `found`."""
    machines, tests = ([*dict.fromkeys(names)] for names in ([one.machine for one in found], [one.test for one in found]))
    distinct = {Row(one.machine, one.mebibytes, one.test, one.asked, one.done) for one in found}
    return sorted(
        distinct, key=lambda row: (machines.index(row.machine), row.mebibytes, tests.index(row.test), row.done, row.asked)
    )


def sentences(found: Sequence[Scaled]) -> list[str]:
    """Return a sentence for each machine, with the number of its tests; none where no test was scaled down."""
    tests: dict[str, set[str]] = {}
    for one in found:
        tests.setdefault(one.machine, set()).add(one.test)
    return [
        f"{text.plain(machine)}: {text.counted(len(names), 'test')} scaled down to the vmalloc range; the report says how."
        for machine, names in tests.items()
    ]
