# SPDX-License-Identifier: GPL-2.0-only
"""What an audit found of a cell, and which cell is the next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

IMAGE, VMLINUX = "image", "vmlinux"
_STALE = "vmlinux is the same: the cached image was not made from it, as when a compiler's cache returns an old object"


class Compared(msgspec.Struct, frozen=True):
    """One file of a cell, as the cache holds it and as it was built again."""

    file: str
    """its name in the cached folder"""
    cached: str
    """its path in the cache"""
    difference: Difference | None = None
    kept: str = ""
    """where the file that was built again is kept, if it differs"""
    remove: tuple[str, ...] = ()
    """folders that it may have come from, if it differs"""
    skipped: str = ""
    """why it was not compared; empty if it was"""

    @property
    def words(self) -> str:
        """What came of it, in a line."""
        if self.skipped:
            return f"not compared: {self.skipped}"
        return self.difference.words if self.difference else "same"


class Audit(msgspec.Struct, frozen=True):
    """What the audit of a cell found."""

    cell: str
    key: str
    """of the kernel"""
    module: str
    """the module's key"""
    date: str
    host: str
    seconds: float
    compared: tuple[Compared, ...]

    @property
    def differing(self) -> tuple[Compared, ...]:
        """The files that differ."""
        return tuple(one for one in self.compared if one.difference)

    @property
    def skipped(self) -> tuple[Compared, ...]:
        """The files that were not compared."""
        return tuple(one for one in self.compared if one.skipped)

    @property
    def short(self) -> str:
        """The verdict in a few words."""
        said = f"differs in {', '.join(one.file for one in self.differing)}" if self.differing else "same"
        return f"{said}{''.join(f'; {one.file} not compared' for one in self.skipped)}"

    @property
    def sentences(self) -> tuple[str, ...]:
        """The verdict with the first difference of each file, and what is to be done about it."""
        if not self.differing:
            return (f"Audit of {self.cell}: {self.short}.", *(f"{one.file}: {one.words}." for one in self.skipped))
        return (
            f"AUDIT of {self.cell}: {self.short}.",
            *(f"{one.file}: {one.words}{self._remark(one)}." for one in self.compared if one.difference or one.skipped),
            *(f"To see more: diffoscope (or cmp -l) {one.cached} {one.kept}" for one in self.differing if one.kept),
            f"Do not trust what was tested with {self._folders()[0]}: remove {', '.join(self._folders())};"
            " build, audit, and run the tests again.",
        )

    def _remark(self, one: Compared) -> str:
        image_alone = one.file == IMAGE and any(other.file == VMLINUX and other.words == "same" for other in self.compared)
        return f"; {_STALE}" if image_alone else ""

    def _folders(self) -> list[str]:
        return list(dict.fromkeys(folder for one in self.differing for folder in one.remove))


def turn(cells: Sequence[str], known: Mapping[str, Audit]) -> str:
    """Return the cell whose turn it is: the first that has no audit, else the one whose audit is the oldest."""
    return min(cells, key=lambda cell: known[cell].date if cell in known else "")


def told(audit: Audit | None, key: str, module: str) -> str:
    """Say when the kernel with a key was audited, and what was found; nothing if `audit` is not of this kernel."""
    if audit is None or audit.key != key:
        return ""
    return f"{audit.date}: {audit.short}{'' if audit.module == module else '; with another module'}"


class Difference(msgspec.Struct, frozen=True):
    """Where two files first differ, and what each of them has there."""

    offset: int
    """in bytes, in the cached file"""
    where: str
    """the place by its name, such as ``line 12`` or ``byte 0x40 (section .text, alloc_vmap_area+0x1c)``"""
    cached: str
    rebuilt: str

    @property
    def words(self) -> str:
        """The difference in a line."""
        return f"{self.where}: {self.cached} in the cache, {self.rebuilt} built again"
