# SPDX-License-Identifier: GPL-2.0-only
"""Which machines a selection uses: those that it names, or those that are used by default."""

from __future__ import annotations

from harness.build import cells
from harness.model import matrix
from harness.model.selection import Selection


def machines(**words: str) -> list[str]:
    """Return the machines of a selection's cells."""
    chosen = cells.cells(Selection(variant="stock", **words), matrix.load_base("4.18"))  # type: ignore[arg-type]
    return [cell.machine.name for cell in chosen]


def test_without_a_name_the_machines_are_those_that_are_used_by_default() -> None:
    assert machines() == matrix.default_machines()
    assert "arm32" not in machines()


def test_any_machine_can_be_named() -> None:
    assert machines(machine="arm32") == ["arm32"]
    assert machines(machine="arm32,x86_64") == ["arm32", "x86_64"]
