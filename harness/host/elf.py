# SPDX-License-Identifier: GPL-2.0-only
"""Reads little-endian ELF files of 32 and 64 bits; their relocations and symbols become arrays."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from harness.errors import UsageError

Array = NDArray[Any]
PROGBITS, SYMTAB, RELA, NOBITS, REL, SYMTAB_SHNDX = 1, 2, 4, 8, 9, 18
"""kinds of sections, SHT_*"""
WRITE, ALLOC, EXECUTE, MERGE, STRINGS = 0x1, 0x2, 0x4, 0x10, 0x20
"""flags of sections, SHF_*"""
NOTYPE, OBJECT, FUNCTION, SECTION, FILE = 0, 1, 2, 3, 4
"""kinds of symbols, STT_*"""
_RESERVED, _ELSEWHERE = 0xFF00, 0xFFFF
"""SHN_LORESERVE, from which on a number is not that of a section; SHN_XINDEX: the number is in SHT_SYMTAB_SHNDX"""
_IDENTITY = np.dtype([("magic", "S4"), ("bits", "u1"), ("order", "u1"), ("rest", "V10")])
SYMBOL = np.dtype([("name", "<u4"), ("info", "u1"), ("other", "u1"), ("section", "<u2"), ("value", "<u8"), ("size", "<u8")])
RELOCATION = np.dtype([("offset", "<u8"), ("type", "<u4"), ("symbol", "<u4"), ("addend", "<i8")])


class Layout(msgspec.Struct, frozen=True):
    """How the tables of a file lie in it; one for each size of addresses."""

    header: np.dtype[Any]
    section: np.dtype[Any]
    symbol: np.dtype[Any]
    relocation: np.dtype[Any]
    """an entry of a REL section, without addend; its field ``info`` has type and symbol"""
    type_bits: int
    """bits of ``info`` that are the type"""
    addend: np.dtype[Any]
    """what an entry of a RELA section has in addition"""


def _layout(word: str, symbol: np.dtype[Any], type_bits: int) -> Layout:
    numbers = ("flags", "size", "program_size", "program_count", "section_size", "section_count", "names")
    header = [("identity", _IDENTITY), ("type", "<u2"), ("machine", "<u2"), ("version", "<u4")]
    header += [(name, f"<u{word}") for name in ("entry", "programs", "sections")]
    header += [(name, "<u4" if name == "flags" else "<u2") for name in numbers]
    section = [("name", "<u4"), ("type", "<u4"), *((name, f"<u{word}") for name in ("flags", "address", "offset", "size"))]
    section += [("link", "<u4"), ("info", "<u4"), ("align", f"<u{word}"), ("entry", f"<u{word}")]
    relocation = np.dtype([("offset", f"<u{word}"), ("info", f"<u{word}")])
    return Layout(np.dtype(header), np.dtype(section), symbol, relocation, type_bits, np.dtype(f"<i{word}"))


_SYMBOL_32 = np.dtype([("name", "<u4"), ("value", "<u4"), ("size", "<u4"), ("info", "u1"), ("other", "u1"), ("section", "<u2")])
_LAYOUTS = {1: _layout("4", _SYMBOL_32, 8), 2: _layout("8", SYMBOL, 32)}
"""by ELFCLASS*"""


class Section(msgspec.Struct, frozen=True):
    """A section's header."""

    name: str
    type: int
    flags: int
    address: int
    offset: int
    size: int
    link: int
    info: int
    entry: int
    """bytes of one of its entries"""


class Elf(msgspec.Struct, frozen=True):
    """An ELF file that is open for reading."""

    machine: int
    """EM_*"""
    sections: tuple[Section, ...]
    content: Array
    """the file's bytes"""
    layout: Layout

    def data(self, section: Section) -> Array:
        """Return the bytes of a section in the file; none for a section such as .bss."""
        return self.content[section.offset : section.offset + (0 if section.type == NOBITS else section.size)]

    def symbols(self) -> tuple[list[bytes], Array, Array]:
        """Return three arrays of equal length: names, symbols, and section numbers; 0 is no section."""
        table = next((section for section in self.sections if section.type == SYMTAB), None)
        if table is None:
            return [], np.zeros(0, SYMBOL), np.zeros(0, np.int64)
        symbols = _widened(_array(self.data(table), self.layout.symbol), SYMBOL)
        strings = self.data(self.sections[table.link]).tobytes()
        names = [strings[at : strings.index(b"\0", at)] for at in symbols["name"].tolist()]
        numbers = symbols["section"].astype(np.int64)
        numbers[(numbers >= _RESERVED) & (numbers != _ELSEWHERE)] = 0
        if (far := numbers == _ELSEWHERE).any():
            (more,) = [section for section in self.sections if section.type == SYMTAB_SHNDX]
            numbers[far] = _array(self.data(more), np.dtype("<u4"))[far]
        return names, symbols, numbers

    def relocations(self) -> dict[int, Array]:
        """Return the relocations of each section that has some, by section number, sorted by offset.

        Where a file has the addends in what is to be relocated, those in the table are 0.
        """
        tables = {}
        for section in self.sections:
            if section.type in (REL, RELA) and 0 < section.info < len(self.sections):
                table = self._relocations(section)
                tables[section.info] = table[np.argsort(table["offset"], kind="stable")]
        return tables

    def _relocations(self, section: Section) -> Array:
        layout = self.layout
        added = [("addend", layout.addend)] if section.type == RELA else []
        entries = _array(self.data(section), np.dtype([*layout.relocation.descr, *added]))
        table = np.zeros(len(entries), RELOCATION)
        table["offset"] = entries["offset"]
        table["type"] = entries["info"] & ((1 << layout.type_bits) - 1)
        table["symbol"] = entries["info"] >> layout.type_bits
        if added:
            table["addend"] = entries["addend"]
        return table


def read(path: Path) -> Elf:
    """Open an ELF file; UsageError if it cannot be read, is not an ELF file, or is truncated."""
    try:
        return _read(np.memmap(path, np.uint8, "r").view(np.ndarray))
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}; build the kernel again.") from error
    except (ValueError, LookupError, OverflowError) as error:
        raise UsageError(f"{path} is not a whole little-endian ELF file; build the kernel again.") from error


def _read(content: Array) -> Elf:
    identity = content[: _IDENTITY.itemsize].view(_IDENTITY)[0]
    layout = _LAYOUTS.get(int(identity["bits"]))
    if identity["magic"] != b"\x7fELF" or layout is None or identity["order"] != 1:
        raise ValueError
    header = content[: layout.header.itemsize].view(layout.header)[0]
    start, count, names_at = int(header["sections"]), int(header["section_count"]), int(header["names"])
    first = content[start : start + layout.section.itemsize].view(layout.section)[0]
    # With 0xff00 sections or more, their number and the section of their names are in the first section header.
    count = count or int(first["size"])
    names_at = int(first["link"]) if names_at == _ELSEWHERE else names_at
    table = content[start : start + count * layout.section.itemsize]
    headers = table.view(layout.section)
    room = len(content) - np.minimum(headers["offset"], len(content))
    if len(headers) != count or ((headers["type"] != NOBITS) & (headers["size"] > room)).any():
        raise ValueError
    names_from = int(headers[names_at]["offset"])
    names = content[names_from : names_from + int(headers[names_at]["size"])].tobytes()
    sections = [
        Section(
            names[name : names.index(b"\0", name)].decode(errors="replace"), kind, flags, address, offset, size, link, info, entry
        )
        for name, kind, flags, address, offset, size, link, info, _, entry in headers.tolist()
    ]
    return Elf(int(header["machine"]), tuple(sections), content, layout)


def _array(data: Array, kind: np.dtype[Any]) -> Array:
    return data[: len(data) - len(data) % kind.itemsize].view(kind)


def _widened(table: Array, kind: np.dtype[Any]) -> Array:
    """Return a table in another layout, with the same fields."""
    if table.dtype == kind:
        return table
    wide = np.zeros(len(table), kind)
    for name in kind.names or ():
        wide[name] = table[name]
    return wide


UNNAMED = re.compile(rb"$^|\$|\.L|__crc_")
"""symbols that are not in kallsyms: there a function does not end where one of them begins"""
