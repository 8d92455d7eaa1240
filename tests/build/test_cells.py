# SPDX-License-Identifier: GPL-2.0-only
"""The cells of a selection: its machines, those that are used by default, and the profiles that its tests fit."""

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


def test_a_profile_fits_the_tests_that_its_kernels_run() -> None:
    assert cells.profiles_for("all") == ["perf", "debug", "latency", "trace"]
    assert cells.profiles_for("le_fit_alloc_test") == ["perf", "latency", "trace"]
    assert cells.profiles_for("mix_stress_test") == ["perf", "debug", "trace"]
