# SPDX-License-Identifier: GPL-2.0-only
"""Tells what kernels of a machine go without, although the profile asks for it: a machine's own fragments turn it off."""

from __future__ import annotations

from collections.abc import Iterable

from harness.build import kconfig
from harness.build.kbuild import fragments
from harness.model.matrix import Base, Cell


def notes(base: Base, cells: Iterable[Cell]) -> tuple[str, ...]:
    """Return a sentence for the report for each machine and profile whose kernels go without something.

    A symbol that Kconfig drops is an error of the build. One that a machine cannot have is turned off in a fragment of its
    own, and is told here: a test in such a kernel shows less than in others.
    """
    by_kind = {(cell.machine.name, cell.profile): cell for cell in cells}
    return tuple(
        f"Kernels of {machine}, profile {profile}, go without {', '.join(missing)}, which the machine does not have:"
        f" qemu_configs/kconfig/{named} says why."
        for (machine, profile), cell in by_kind.items()
        for missing, named in _absent(base, cell)
    )


def _absent(base: Base, cell: Cell) -> Iterable[tuple[list[str], str]]:
    """Yield the symbols that each of the machine's own fragments takes from those before it, and the fragment's name."""
    asked: dict[str, str] = {}
    for file in fragments(base, cell):
        symbols = kconfig.parse(file.read_text())
        if file.name.startswith("arch-"):
            missing = [
                name for name, value in symbols.items() if value == kconfig.OFF and asked.get(name, kconfig.OFF) != kconfig.OFF
            ]
            if missing:
                yield missing, file.name
        asked.update(symbols)
