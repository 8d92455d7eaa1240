# SPDX-License-Identifier: GPL-2.0-only
"""Result of an audit of a cell, and the choice of the next cell to audit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

IMAGE, VMLINUX = "image", "vmlinux"
_STALE = "vmlinux is the same: the cached image was not made from it; a compiler's cache may have returned an old object"


class Compared(msgspec.Struct, frozen=True):
    """One file of a cell, as the cache holds it and as it was built again."""

    file: str
    """its name in the cached folder"""
    cached: str
    """its path in the cache"""
    difference: Difference | None = None
    kept: str = ""
    """path of the file that was built again, if it differs"""
    remove: tuple[str, ...] = ()
    """cache folders to remove if it differs: one of them may hold its cause"""
    skipped: str = ""
    """reason why it was not compared; empty if it was"""

    @property
    def words(self) -> str:
        """The result in one line."""
        if self.skipped:
            return f"not compared: {self.skipped}"
        return self.difference.words if self.difference else "same"


class Audit(msgspec.Struct, frozen=True):
    """Result of the audit of a cell."""

    cell: str
    """name of its kernel: `Cell.kernel_name`"""
    key: str
    """key of the kernel"""
    module: str
    """key of the module"""
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
        verdict = f"differs in {', '.join(one.file for one in self.differing)}" if self.differing else "same"
        return f"{verdict}{''.join(f'; {one.file} not compared' for one in self.skipped)}"

    @property
    def sentences(self) -> tuple[str, ...]:
        """The verdict, the first difference of each file, and the steps to take."""
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
    """Return the cell to audit next: the first without an audit, else the one whose audit is the oldest."""
    return min(cells, key=lambda cell: known[cell].date if cell in known else "")


def verdict(audit: Audit | None, key: str, module: str) -> str:
    """Return the date and the verdict of `audit`; empty if it is not of the kernel with this key."""
    if audit is None or audit.key != key:
        return ""
    return f"{audit.date}: {audit.short}{'' if audit.module == module else '; with another module'}"


class Difference(msgspec.Struct, frozen=True):
    """The first difference between two files: its place, and the content of each file there."""

    offset: int
    """in bytes, in the cached file"""
    where: str
    """name of the place, such as ``line 12`` or ``byte 0x40 (section .text, alloc_vmap_area+0x1c)``"""
    cached: str
    rebuilt: str

    @property
    def words(self) -> str:
        """The difference in a line."""
        return f"{self.where}: {self.cached} in the cache, {self.rebuilt} built again"
