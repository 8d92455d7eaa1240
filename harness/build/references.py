# SPDX-License-Identifier: GPL-2.0-only
"""Describes the references of a relocatable kernel's code and data, independent of addresses."""

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
"""suffixes that the compiler adds to the names of function copies, of function parts and of static variables"""
_UNIQUE = re.compile(r"^(__UNIQUE_ID_.*?\D|__addressable_.*?\D)\d+$")
"""names that the kernel's macros end with a counter or a line number"""
_OF_A_FUNCTION = re.compile(r"^(?:__func__|__FUNCTION__|__PRETTY_FUNCTION__|CSWTCH)\.\d+$")
"""constants that the compiler creates for a function: they count as a part of it, like data without a name"""
_BESIDE = re.compile(r"^(?:\.discard|_*k(?:sym|crc)tab|__bug_table|__jump_table|__verbose|__dyndbg|__ex_table|\.orc_|\.note)")
"""sections with information about code or data, some of it line numbers"""
_LONGEST = 1 << 16
"""maximum bytes of data without a name that are compared"""
_BRANCH = -1
"""type of a reference that has no relocation"""

Place = tuple[int, int]
"""number of a section, and offset in it"""


class Reference(msgspec.Struct, frozen=True):
    """A reference from a section to a symbol or a place."""

    offset: int
    type: int
    """type of the relocation"""
    name: str
    """symbol and addend; empty if the reference is to `place`"""
    place: Place


class RelocatableKernel:
    """A relocatable kernel; raises ValueError, LookupError or OverflowError if its tables are not valid."""

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
        self._descriptions: dict[Place, str] = {}

    def digest(self, section: int, start: int, end: int) -> str:
        """Return a digest of a part of a section and of its references."""
        total = hashlib.blake2b(self._data[section][start:end].data, digest_size=8)
        for reference in self._within(section, start, end):
            total.update(f"\n{reference.offset - start} {reference.type} {self._target(reference)}".encode())
        return total.hexdigest()

    def counts(self, symbol: int) -> bool:
        """Return True if the symbol with this number is code or data of the running kernel with a name in the source."""
        return self._lies(self.numbers[symbol]) and not _OF_A_FUNCTION.match(self.names[symbol])

    def _lies(self, section: int) -> bool:
        return 0 < section < len(self.sections) and self._holds(section)

    def _holds(self, section: int) -> bool:
        return bool(self.sections[section].flags & elf.ALLOC) and not _BESIDE.match(self.sections[section].name)

    def _files(self) -> list[str]:
        """Return the source file of each symbol: local symbols follow the symbol of their file."""
        files, file = [], ""
        local = (self.symbols["info"] >> 4 == 0).tolist()
        for name, kind, is_local in zip(self.names, self.kinds, local, strict=True):
            file = name if kind == elf.FILE else file
            files.append(file if is_local else "")
        return files

    def _look_up(self) -> None:
        """Store the start and the end of each symbol; of several at one place the first by name stands for all."""
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
        """Return for each section the offsets of its references, and the references in the same order."""
        by_section, relocations = {}, file.relocations()
        for number, section in enumerate(self.sections):
            if section.type != elf.PROGBITS or not self._holds(number):
                continue
            code = self._data[number]
            table = relocations.get(number, np.zeros(0, elf.RELOCATION))
            offsets = table["offset"].astype(np.int64)
            addends = table["addend"] + machine_code.implicit(file.machine, code, offsets, table["type"])
            if section.flags & elf.EXECUTE:
                addends += machine_code.beyond(file.machine, code, offsets, table["type"])
            columns = (offsets.tolist(), table["type"].tolist(), table["symbol"].tolist(), addends.tolist())
            references = [self._reference(*row) for row in zip(*columns, strict=True)]
            if section.flags & elf.EXECUTE:
                starts = np.array(list(self._named[number]), np.int64)
                where, to = machine_code.branches(file.machine, code, starts, offsets)
                pairs = zip(where.tolist(), to.tolist(), strict=True)
                references += [Reference(at, _BRANCH, "", (number, target)) for at, target in pairs]
                references.sort(key=lambda reference: reference.offset)
            by_section[number] = [reference.offset for reference in references], references
        return by_section

    def _reference(self, offset: int, type_: int, symbol: int, addend: int) -> Reference:
        if self.kinds[symbol] == elf.SECTION:
            return Reference(offset, type_, "", (self.numbers[symbol], addend))
        return Reference(offset, type_, f"{plain(self.names[symbol])}+{addend}", (0, 0))

    def _boundaries(self) -> dict[int, list[int]]:
        """Return the offsets in each section at which a symbol begins or ends, or to which a reference leads."""
        places: dict[int, set[int]] = defaultdict(set)
        for section, ends in self._ends.items():
            places[section].update(ends, ends.values())
        for _, references in self._references.values():
            for reference in references:
                section, at = reference.place
                places[section].add(at)
        return {section: sorted(offsets) for section, offsets in places.items()}

    def _within(self, section: int, start: int, end: int) -> list[Reference]:
        offsets, references = self._references.get(section, ([], []))
        return references[bisect.bisect_left(offsets, start) : bisect.bisect_left(offsets, end)]

    def _target(self, reference: Reference) -> str:
        """Return a description of the target of a reference."""
        if reference.name:
            return reference.name
        if reference.place not in self._descriptions:
            self._descriptions[reference.place] = self._name(reference.place) or self._unnamed(reference.place)
        return self._descriptions[reference.place]

    def _name(self, place: Place) -> str:
        """Return the symbol that holds a place, with the offset in it; empty if there is none."""
        section, at = place
        if name := self._named[section].get(at):
            return f"{name}+0"
        starts = self._starts.get(section, [])
        before = bisect.bisect_right(starts, at) - 1
        if before < 0 or at >= self._ends[section][starts[before]] or starts[before] not in self._named[section]:
            return ""
        return f"{self._named[section][starts[before]]}+{at - starts[before]}"

    def _unnamed(self, place: Place) -> str:
        """Return the content at a place without a symbol: a string, a constant, or data such as the table of a switch."""
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
    """Return a symbol's name in the source."""
    name = _ADDED.sub("", name)
    unique = _UNIQUE.match(name)
    return unique[1] if unique else name
