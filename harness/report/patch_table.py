# SPDX-License-Identifier: GPL-2.0-only
"""A series patch by patch: whether each prefix builds, without new warnings, boots, and passes its tests."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from rich import box
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from harness import text
from harness.report import phrases
from harness.report.fitted import Fitted

NOT_CHECKED = "not checked"


class PatchRow(msgspec.Struct, frozen=True):
    """The result of the prefix that ends in a patch, on one machine."""

    patch: str
    """number and subject; ``stock`` for the kernel without any"""
    machine: str
    unbuilt: str = ""
    """reason for which its kernel does not build; empty if it does"""
    warnings: tuple[str, ...] = ()
    """that the prefix before does not have"""
    unchecked: tuple[str, ...] = ()
    """files of the patch whose warnings are not known"""
    compared: bool = True
    """False where there is no kernel before it to compare warnings with"""
    booted: bool = False
    passed: int = 0
    tests: int = 0
    skipped: int = 0
    """of those tests"""
    findings: tuple[str, ...] = ()
    """causes that the prefix before does not show"""

    @property
    def bad(self) -> bool:
        """True if something speaks against the patch, or its tests did not all pass."""
        failed = self.passed + self.skipped < self.tests
        return bool(self.unbuilt or self.warnings or self.findings or not self.booted or failed)


def table(rows: Sequence[PatchRow]) -> RenderableType:
    """Return the table, patch by machine, and below it what speaks against a patch."""
    return Group(Fitted(_table(rows)), *(Text(text.plain(line), style="bold red") for row in rows for line in _lines(row)))


def _table(rows: Sequence[PatchRow]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for title in ("patch", "machine", "built", "new warnings", "booted", "passed", "new findings"):
        table.add_column(title)
    last = ""
    for row in rows:
        shown = "" if row.patch == last else row.patch
        table.add_row(escape(text.plain(shown)), row.machine, *_cells(row), style="bold red" if row.bad else "")
        last = row.patch
    return table


def _cells(row: PatchRow) -> tuple[str, ...]:
    if row.unbuilt:
        return "no", *[NOT_CHECKED] * 4
    skipped = f", {row.skipped} skipped" if row.skipped else ""
    passed = f"{row.passed} of {row.tests}{skipped}" if row.booted else NOT_CHECKED
    return "yes", _warnings(row), "yes" if row.booted else "no", passed, str(len(row.findings))


def _warnings(row: PatchRow) -> str:
    if not row.compared:
        return "-"
    unknown = f"{NOT_CHECKED}: {phrases.number(len(row.unchecked), 'file')}" if row.unchecked else ""
    return ", ".join(part for part in (str(len(row.warnings)) if row.warnings or not unknown else "", unknown) if part)


def _lines(row: PatchRow) -> list[str]:
    each = [f"does not build: {row.unbuilt}"] if row.unbuilt else []
    each += [f"new warning: {warning}" for warning in row.warnings]
    each += [f"new finding: {finding}" for finding in row.findings]
    return [f"{row.patch} on {row.machine}: {words}" for words in each]
