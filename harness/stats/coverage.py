# SPDX-License-Identifier: GPL-2.0-only
"""Tells which lines of a series ran in which tests, and which never did."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from harness.model.coverage import ChangedLine, ChangedLines, Reached


class Where(msgspec.Struct, frozen=True, order=True):
    """A test in which a line ran."""

    machine: str
    profile: str
    test: str


class CoveredLine(msgspec.Struct, frozen=True):
    """A line that a series adds or changes, and where it ran."""

    file: str
    line: int
    text: str
    patch: str
    reached: tuple[Where, ...]

    @property
    def profiles(self) -> tuple[str, ...]:
        """Profiles in which it ran."""
        return tuple(dict.fromkeys(where.profile for where in self.reached))


class FileCoverage(msgspec.Struct, frozen=True):
    """The lines of one patch in one file that there is code of."""

    patch: str
    file: str
    lines: tuple[CoveredLine, ...]

    @property
    def unreached(self) -> tuple[CoveredLine, ...]:
        """Lines that no test reached."""
        return tuple(line for line in self.lines if not line.reached)


class Coverage(msgspec.Struct, frozen=True):
    """The lines of one variant, over all machines and profiles of a run."""

    variant: str
    files: tuple[FileCoverage, ...]
    untold: tuple[Where, ...] = ()
    """tests of which QEMU did not tell what ran"""

    @property
    def lines(self) -> tuple[CoveredLine, ...]:
        """All lines."""
        return tuple(line for file in self.files for line in file.lines)

    @property
    def unreached(self) -> int:
        """Number of lines that no test reached."""
        return sum(len(file.unreached) for file in self.files)


def coverage(changed: Iterable[ChangedLines], reached: Iterable[Reached], patches: Mapping[str, Sequence[str]]) -> list[Coverage]:
    """Return the coverage of each variant that changes a line, patch by patch in the order of `patches`, by variant."""
    ran: dict[tuple[str, str, int], dict[Where, None]] = defaultdict(dict)
    untold: dict[str, dict[Where, None]] = defaultdict(dict)
    records = tuple(reached)
    for of in records:
        if not of.told:
            untold[of.variant][Where(of.machine, of.profile, of.test)] = None
        for file, numbers in of.lines.items():
            for number in numbers:
                ran[of.variant, file, number][Where(of.machine, of.profile, of.test)] = None
    lines: dict[str, dict[tuple[str, int], ChangedLine]] = defaultdict(dict)
    heard = {(of.machine, of.variant, of.profile) for of in records}
    # Nothing is known of a cell that was not watched, or never booted.
    for cell in (of for of in changed if (of.machine, of.variant, of.profile) in heard):
        for line in cell.lines:
            lines[cell.variant].setdefault((line.file, line.line), line)
    return [
        Coverage(variant, _in_order(_files(variant, several.values(), ran), patches.get(variant, ())), tuple(untold[variant]))
        for variant, several in lines.items()
    ]


def _files(
    variant: str, lines: Iterable[ChangedLine], ran: dict[tuple[str, str, int], dict[Where, None]]
) -> tuple[FileCoverage, ...]:
    groups: dict[tuple[str, str], list[CoveredLine]] = defaultdict(list)
    for line in sorted(lines, key=lambda line: (line.file, line.line)):
        where = tuple(ran.get((variant, line.file, line.line), ()))
        groups[line.patch, line.file].append(CoveredLine(line.file, line.line, line.text, line.patch, where))
    return tuple(FileCoverage(patch, file, tuple(several)) for (patch, file), several in groups.items())


def _in_order(files: Iterable[FileCoverage], patches: Sequence[str]) -> tuple[FileCoverage, ...]:
    place = {patch: number for number, patch in enumerate(patches)}
    return tuple(sorted(files, key=lambda of: place.get(of.patch, len(place))))
