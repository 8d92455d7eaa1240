# SPDX-License-Identifier: GPL-2.0-only
"""Tells what kernels go without, although the profile asks for it: a machine's or a toolchain's own fragments turn it off."""

from __future__ import annotations

from collections.abc import Iterable

from harness.build import kconfig
from harness.build.kbuild import fragments
from harness.model.matrix import Base, Cell
from harness.model.toolchains import by

_WHOSE = {"arch": "machine", "toolchain": "toolchain"}
"""beginning of the names of such fragments, and whose they are"""


def notes(base: Base, cells: Iterable[Cell]) -> tuple[str, ...]:
    """Return a sentence for the report for each machine, profile and toolchain whose kernels go without something.

    A symbol that Kconfig drops is an error of the build. One that a machine or a toolchain cannot have is turned off in a
    fragment of its own, and is told here: a test in such a kernel shows less than in others.
    """
    by_kind = {(cell.machine.name, cell.profile, cell.toolchain): cell for cell in cells}
    return tuple(
        f"Kernels of {by(machine, toolchain)}, profile {profile}, go without {', '.join(missing)}, which the {whose} does not"
        f" have: qemu_configs/kconfig/{named} says why."
        for (machine, profile, toolchain), cell in by_kind.items()
        for missing, named, whose in _absent(base, cell)
    )


def _absent(base: Base, cell: Cell) -> Iterable[tuple[list[str], str, str]]:
    """Yield the symbols that each fragment of the machine's or the toolchain's own takes from those before it.

    With each go the fragment's name, and a word for whose it is.
    """
    asked: dict[str, str] = {}
    for file in fragments(base, cell):
        symbols = kconfig.parse(file.read_text())
        if whose := _WHOSE.get(file.name.partition("-")[0]):
            missing = [
                name for name, value in symbols.items() if value == kconfig.OFF and asked.get(name, kconfig.OFF) != kconfig.OFF
            ]
            if missing:
                yield missing, file.name, whose
        asked.update(symbols)
