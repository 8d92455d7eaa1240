# SPDX-License-Identifier: GPL-2.0-only
"""Reads 64-bit little-endian ELF files; their relocations and symbols become arrays."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from harness.errors import UsageError

Array = NDArray[Any]
PROGBITS, SYMTAB, RELA, NOBITS, SYMTAB_SHNDX = 1, 2, 4, 8, 18
"""kinds of sections, SHT_*"""
WRITE, ALLOC, EXECUTE, MERGE, STRINGS = 0x1, 0x2, 0x4, 0x10, 0x20
"""flags of sections, SHF_*"""
NOTYPE, OBJECT, FUNCTION, SECTION, FILE = 0, 1, 2, 3, 4
"""kinds of symbols, STT_*"""
_RESERVED, _ELSEWHERE = 0xFF00, 0xFFFF
"""SHN_LORESERVE, from which on a number is not that of a section; SHN_XINDEX: the number is in SHT_SYMTAB_SHNDX"""
_HEADER = np.dtype(
    [
        ("magic", "S4"),
        ("bits", "u1"),
        ("order", "u1"),
        ("rest", "V10"),
        ("type", "<u2"),
        ("machine", "<u2"),
        ("version", "<u4"),
        ("entry", "<u8"),
        ("programs", "<u8"),
        ("sections", "<u8"),
        ("flags", "<u4"),
        ("size", "<u2"),
        ("program_size", "<u2"),
        ("program_count", "<u2"),
        ("section_size", "<u2"),
        ("section_count", "<u2"),
        ("names", "<u2"),
    ]
)
_SECTION = np.dtype(
    [
        ("name", "<u4"),
        ("type", "<u4"),
        ("flags", "<u8"),
        ("address", "<u8"),
        ("offset", "<u8"),
        ("size", "<u8"),
        ("link", "<u4"),
        ("info", "<u4"),
        ("align", "<u8"),
        ("entry", "<u8"),
    ]
)
_SYMBOL = np.dtype([("name", "<u4"), ("info", "u1"), ("other", "u1"), ("section", "<u2"), ("value", "<u8"), ("size", "<u8")])
RELOCATION = np.dtype([("offset", "<u8"), ("type", "<u4"), ("symbol", "<u4"), ("addend", "<i8")])


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

    def data(self, section: Section) -> Array:
        """Return the bytes of a section in the file; none for a section such as .bss."""
        return self.content[section.offset : section.offset + (0 if section.type == NOBITS else section.size)]

    def symbols(self) -> tuple[list[bytes], Array, Array]:
        """Return three arrays of equal length: names, symbols, and section numbers; 0 is no section."""
        table = next((section for section in self.sections if section.type == SYMTAB), None)
        if table is None:
            return [], np.zeros(0, _SYMBOL), np.zeros(0, np.int64)
        symbols = _array(self.data(table), _SYMBOL)
        strings = self.data(self.sections[table.link]).tobytes()
        names = [strings[at : strings.index(b"\0", at)] for at in symbols["name"].tolist()]
        numbers = symbols["section"].astype(np.int64)
        numbers[(numbers >= _RESERVED) & (numbers != _ELSEWHERE)] = 0
        if (far := numbers == _ELSEWHERE).any():
            (more,) = [section for section in self.sections if section.type == SYMTAB_SHNDX]
            numbers[far] = _array(self.data(more), np.dtype("<u4"))[far]
        return names, symbols, numbers

    def relocations(self) -> dict[int, Array]:
        """Return the relocations of each section that has some, by section number, sorted by offset."""
        tables = {}
        for section in self.sections:
            if section.type == RELA and 0 < section.info < len(self.sections):
                table = _array(self.data(section), RELOCATION)
                tables[section.info] = table[np.argsort(table["offset"], kind="stable")]
        return tables


def read(path: Path) -> Elf:
    """Open an ELF file; UsageError if it cannot be read, is not an ELF file, or is truncated."""
    try:
        return _read(np.memmap(path, np.uint8, "r").view(np.ndarray))
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}; build the kernel again.") from error
    except (ValueError, LookupError, OverflowError) as error:
        raise UsageError(f"{path} is not a whole 64-bit little-endian ELF file; build the kernel again.") from error


def _read(content: Array) -> Elf:
    header = content[: _HEADER.itemsize].view(_HEADER)[0]
    if header["magic"] != b"\x7fELF" or header["bits"] != 2 or header["order"] != 1:
        raise ValueError
    start, count, names_at = int(header["sections"]), int(header["section_count"]), int(header["names"])
    first = content[start : start + _SECTION.itemsize].view(_SECTION)[0]
    # With 0xff00 sections or more, their number and the section of their names are in the first section header.
    count = count or int(first["size"])
    names_at = int(first["link"]) if names_at == _ELSEWHERE else names_at
    table = content[start : start + count * _SECTION.itemsize]
    headers = table.view(_SECTION)
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
    return Elf(int(header["machine"]), tuple(sections), content)


def _array(data: Array, kind: np.dtype[Any]) -> Array:
    return data[: len(data) - len(data) % kind.itemsize].view(kind)


UNNAMED = re.compile(rb"$^|\$|\.L|__crc_")
"""symbols that are not in kallsyms: there a function does not end where one of them begins"""
