# SPDX-License-Identifier: GPL-2.0-only
"""Tells what the code and data of a relocatable kernel refer to, in words that are the same wherever it lies."""

from __future__ import annotations

import bisect
import hashlib
import re
from collections import defaultdict

import msgspec
import numpy as np

from harness.build import machine_code
from harness.host import elf
from harness.host.elf import UNNAMED, Elf

_ADDED = re.compile(r"(?:\.(?:isra|constprop|part|cold|llvm|lto_priv)(?:\.\d+)?|\.\d+)+$")
"""what the compiler adds to the names of copies, of parts and of statics in functions"""
_UNIQUE = re.compile(r"^(__UNIQUE_ID_.*?\D|__addressable_.*?\D)\d+$")
"""names that the kernel's macros make with a number or a line"""
_OF_A_FUNCTION = re.compile(r"^(?:__func__|__FUNCTION__|__PRETTY_FUNCTION__|CSWTCH)\.\d+$")
"""constants that the compiler makes for functions: as much a part of them as data without a name"""
_BESIDE = re.compile(r"^(?:\.discard|_*k(?:sym|crc)tab|__bug_table|__jump_table|__verbose|__dyndbg|__ex_table|\.orc_|\.note)")
"""sections that say things about code or data, some of them with line numbers"""
_LONGEST = 1 << 16
"""bytes of data without a name that are looked at"""
_BRANCH = -1
"""stands for the type of a reference that has no relocation"""

Place = tuple[int, int]
"""number of a section, and offset in it"""


class Reference(msgspec.Struct, frozen=True):
    """Something that a section refers to."""

    offset: int
    type: int
    """of the relocation"""
    name: str
    """of a symbol that is named, with the addend; empty where `place` is meant"""
    place: Place


class RelocatableKernel:
    """A relocatable kernel; raises ValueError, LookupError or OverflowError where its tables make no sense."""

    def __init__(self, file: Elf) -> None:
        """Read the symbols and references of `file`."""
        self.sections = file.sections
        names, self.symbols, numbers = file.symbols()
        self.numbers = numbers.tolist()
        self.names = [name.decode(errors="replace") for name in names]
        self.kinds = (self.symbols["info"] & 0xF).tolist()
        self.files = self._files()
        self._data = [np.array(file.data(s)) if s.flags & elf.ALLOC else np.zeros(0, np.uint8) for s in self.sections]
        self._named: dict[int, dict[int, str]] = defaultdict(dict)
        self._ends: dict[int, dict[int, int]] = defaultdict(dict)
        self._look_up()
        self._starts = {section: sorted(ends) for section, ends in self._ends.items()}
        self._references = self._refer(file)
        self._bounds = self._boundaries()
        self._told: dict[Place, str] = {}

    def digest(self, section: int, start: int, end: int) -> str:
        """Return a digest of a part of a section and of what it refers to."""
        total = hashlib.blake2b(self._data[section][start:end].data, digest_size=8)
        for reference in self._within(section, start, end):
            total.update(f"\n{reference.offset - start} {reference.type} {self._target(reference)}".encode())
        return total.hexdigest()

    def counts(self, symbol: int) -> bool:
        """Whether a symbol by its number is code or data of the running kernel that the source names."""
        return self._lies(self.numbers[symbol]) and not _OF_A_FUNCTION.match(self.names[symbol])

    def _lies(self, section: int) -> bool:
        return 0 < section < len(self.sections) and self._holds(section)

    def _holds(self, section: int) -> bool:
        return bool(self.sections[section].flags & elf.ALLOC) and not _BESIDE.match(self.sections[section].name)

    def _files(self) -> list[str]:
        """Return the source file of each symbol: local ones follow that of their file."""
        found, file = [], ""
        local = (self.symbols["info"] >> 4 == 0).tolist()
        for name, kind, is_local in zip(self.names, self.kinds, local, strict=True):
            file = name if kind == elf.FILE else file
            found.append(file if is_local else "")
        return found

    def _look_up(self) -> None:
        """Learn where symbols begin and end; of several at one place the first by name tells for all."""
        table = zip(self.numbers, self.symbols["value"].tolist(), self.symbols["size"].tolist(), strict=True)
        for index, (section, start, size) in enumerate(table):
            name = self.names[index]
            if self.kinds[index] > elf.FUNCTION or not self._lies(section) or UNNAMED.match(name.encode()):
                continue
            if not _OF_A_FUNCTION.match(name):
                self._named[section][start] = min(plain(name), self._named[section].get(start, plain(name)))
            if size:
                self._ends[section][start] = max(start + size, self._ends[section].get(start, 0))

    def _refer(self, file: Elf) -> dict[int, tuple[list[int], list[Reference]]]:
        """Return the references of each section and, in the same order, their offsets."""
        made, relocations = {}, file.relocations()
        for number, section in enumerate(self.sections):
            if section.type != elf.PROGBITS or not self._holds(number):
                continue
            code = self._data[number]
            table = relocations.get(number, np.zeros(0, elf.RELOCATION))
            offsets, addends = table["offset"].astype(np.int64), table["addend"].copy()
            if section.flags & elf.EXECUTE:
                addends += machine_code.beyond(file.machine, code, offsets, table["type"])
            columns = (offsets.tolist(), table["type"].tolist(), table["symbol"].tolist(), addends.tolist())
            found = [self._reference(*row) for row in zip(*columns, strict=True)]
            if section.flags & elf.EXECUTE:
                starts = np.array(list(self._named[number]), np.int64)
                where, to = machine_code.branches(file.machine, code, starts, offsets)
                pairs = zip(where.tolist(), to.tolist(), strict=True)
                found += [Reference(at, _BRANCH, "", (number, target)) for at, target in pairs]
                found.sort(key=lambda reference: reference.offset)
            made[number] = [reference.offset for reference in found], found
        return made

    def _reference(self, offset: int, type_: int, symbol: int, addend: int) -> Reference:
        if self.kinds[symbol] == elf.SECTION:
            return Reference(offset, type_, "", (self.numbers[symbol], addend))
        return Reference(offset, type_, f"{plain(self.names[symbol])}+{addend}", (0, 0))

    def _boundaries(self) -> dict[int, list[int]]:
        """Return where in each section something begins or ends, be it something without a name that is referred to."""
        found: dict[int, set[int]] = defaultdict(set)
        for section, ends in self._ends.items():
            found[section].update(ends, ends.values())
        for _, references in self._references.values():
            for reference in references:
                section, at = reference.place
                found[section].add(at)
        return {section: sorted(places) for section, places in found.items()}

    def _within(self, section: int, start: int, end: int) -> list[Reference]:
        offsets, references = self._references.get(section, ([], []))
        return references[bisect.bisect_left(offsets, start) : bisect.bisect_left(offsets, end)]

    def _target(self, reference: Reference) -> str:
        """Return what a reference means."""
        if reference.name:
            return reference.name
        if reference.place not in self._told:
            self._told[reference.place] = self._name(reference.place) or self._unnamed(reference.place)
        return self._told[reference.place]

    def _name(self, place: Place) -> str:
        """Return the symbol at a place, or that holds it and how far in it; empty if there is none."""
        section, at = place
        if name := self._named[section].get(at):
            return f"{name}+0"
        starts = self._starts.get(section, [])
        before = bisect.bisect_right(starts, at) - 1
        if before < 0 or at >= self._ends[section][starts[before]] or starts[before] not in self._named[section]:
            return ""
        return f"{self._named[section][starts[before]]}+{at - starts[before]}"

    def _unnamed(self, place: Place) -> str:
        """Return what lies at a place that no symbol names: a string, a constant, or data such as the table of a switch."""
        number, at = place
        section, data = self.sections[number], self._data[number]
        kind = re.sub(r"\d+", "", section.name)
        if section.flags & elf.EXECUTE or section.type != elf.PROGBITS or not self._holds(number) or not 0 <= at < len(data):
            return kind
        if section.flags & elf.STRINGS:
            return f"{kind} {data[at : at + _LONGEST].tobytes().partition(bytes(1))[0].hex()}"
        if section.flags & elf.MERGE:
            return f"{kind} {data[at : at + section.entry].tobytes().hex()}"
        bounds = self._bounds[number]
        after = bisect.bisect_right(bounds, at)
        end = min(bounds[after] if after < len(bounds) else len(data), at + _LONGEST)
        inside = [f"{r.offset - at} {r.type} {r.name or self._name(r.place)}" for r in self._within(number, at, end)]
        return f"{kind} {data[at:end].tobytes().rstrip(bytes(1)).hex()} {' '.join(inside)}"


def plain(name: str) -> str:
    """Return a symbol's name as the source has it."""
    name = _ADDED.sub("", name)
    unique = _UNIQUE.match(name)
    return unique[1] if unique else name
