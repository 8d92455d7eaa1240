# SPDX-License-Identifier: GPL-2.0-only
"""Finds the first difference between two files that should be the same, and names its place in their format's terms."""

from __future__ import annotations

import enum
import struct
from collections.abc import Callable, Iterator
from itertools import zip_longest
from pathlib import Path
from typing import IO, NamedTuple

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import Section, SymbolTableSection

from harness.model.audit import Difference

_CHUNK = 1 << 16
_SHOWN = 8
"""bytes of each file"""
_LONGEST = 100
"""characters of a line"""
_END = "the end of the file"
_MISSING = "no such file"
_NEWC = b"070701"
_HEADER = 110
"""bytes before a member's name in a cpio archive of the format newc"""
# pyelftools raises these for a file that is truncated or damaged.
_DAMAGED = (ELFError, struct.error, ValueError, LookupError, AttributeError, OverflowError, MemoryError, OSError)


class FileKind(enum.StrEnum):
    """Format of a file, which decides how a place in it is named."""

    DATA = "data"
    TEXT = "text"
    ELF = "elf"
    CPIO = "cpio"


class _Place(NamedTuple):
    """Offset of the same byte in both files: their sections may start at different offsets."""

    cached: int
    rebuilt: int


def first(kind: FileKind, cached: Path, rebuilt: Path) -> Difference | None:
    """Return the first difference between two files of a kind, or None if they are the same byte for byte.

    A file that is missing or truncated differs. Raises OSError for one that cannot be read.
    """
    ours, theirs = cached.exists(), rebuilt.exists()
    if not ours or not theirs:
        return Difference(0, "the file", "there" if ours else _MISSING, "there" if theirs else _MISSING) if ours != theirs else None
    offset = _offset(cached, rebuilt)
    return None if offset is None else _NAMED[kind](cached, rebuilt, offset)


def _offset(cached: Path, rebuilt: Path) -> int | None:
    with cached.open("rb") as one, rebuilt.open("rb") as other:
        at = 0
        while True:
            ours, theirs = one.read(_CHUNK), other.read(_CHUNK)
            if ours != theirs:
                return at + _common(ours, theirs)
            if not ours:
                return None
            at += len(ours)


def _common(ours: bytes, theirs: bytes) -> int:
    """Return the length of the common start of two byte strings that differ."""
    length = min(len(ours), len(theirs))
    for at in range(0, length, _CHUNK):
        one, other = ours[at : at + _CHUNK], theirs[at : at + _CHUNK]
        if one != other:
            return at + next(
                (i for i, pair in enumerate(zip(one, other, strict=False)) if pair[0] != pair[1]), min(len(one), len(other))
            )
    return length


def _data(cached: Path, rebuilt: Path, offset: int, named: str = "", other: int | None = None) -> Difference:
    where = f"byte {offset:#x}{f' ({named})' if named else ''}"
    return Difference(offset, where, _bytes(cached, offset), _bytes(rebuilt, offset if other is None else other))


def _bytes(path: Path, offset: int) -> str:
    with path.open("rb") as file:
        file.seek(offset)
        return file.read(_SHOWN).hex(" ") or _END


def _text(cached: Path, rebuilt: Path, offset: int) -> Difference:
    pairs = zip_longest(cached.read_bytes().split(b"\n"), rebuilt.read_bytes().split(b"\n"))
    number, (ours, theirs) = next((i, pair) for i, pair in enumerate(pairs, 1) if pair[0] != pair[1])
    return Difference(offset, f"line {number}", _line(ours), _line(theirs))


def _line(line: bytes | None) -> str:
    if line is None:
        return _END
    text = line.decode(errors="replace")
    return f"'{text[:_LONGEST]}{'...' if len(text) > _LONGEST else ''}'"


def _cpio(cached: Path, rebuilt: Path, offset: int) -> Difference:
    names = [next((name for name, end in _members(path.read_bytes()) if end > offset), "") for path in (cached, rebuilt)]
    ours, theirs = (f"member {name}" if name else "" for name in names)
    return _data(
        cached, rebuilt, offset, f"{ours}, and {theirs} built again" if ours and theirs and ours != theirs else ours or theirs
    )


def _members(archive: bytes) -> Iterator[tuple[str, int]]:
    """Yield the name and the end offset of each member of a cpio archive, up to the first damaged one."""
    at = 0
    while archive[at : at + len(_NEWC)] == _NEWC:
        try:
            size, length = (int(archive[at + field : at + field + 8], 16) for field in (54, 94))
        except ValueError:
            return
        name = archive[at + _HEADER : at + _HEADER + length - 1]
        at = _padded(_padded(at + _HEADER + length) + size)
        yield name.decode(errors="replace"), at


def _padded(length: int) -> int:
    return -length % 4 + length


def _elf(cached: Path, rebuilt: Path, offset: int) -> Difference:
    try:
        with cached.open("rb") as one, rebuilt.open("rb") as other:
            place = _section(ELFFile(one), ELFFile(other))
    except _DAMAGED:
        place = None
    place = place or _Place(offset, offset)
    named = _named(cached, place.cached) or _named(rebuilt, place.rebuilt)
    return _data(cached, rebuilt, place.cached, named, place.rebuilt)


def _section(one: ELFFile, other: ELFFile) -> _Place | None:
    """Return the place of the first difference in a section.

    The ELF headers are ignored, and notes count only if no other section differs: headers hold offsets, and a build-id
    is a digest of the file, so both differ whenever anything else does.
    """
    theirs = {section.name: section for section in other.iter_sections()}
    notes = None
    for section in sorted(one.iter_sections(), key=lambda section: section["sh_offset"]):
        match = theirs.get(section.name)
        if match is None:
            continue
        data, others = _content(one.stream, section), _content(other.stream, match)
        if data == others:
            continue
        common = _common(data, others)
        place = _Place(section["sh_offset"] + common, match["sh_offset"] + common)
        if not section.name.startswith(".note"):
            return place
        notes = notes or place
    return notes


def _content(file: IO[bytes], section: Section) -> bytes:
    """Return the bytes of a section in the file; none for .bss."""
    if section["sh_type"] in ("SHT_NULL", "SHT_NOBITS"):
        return b""
    file.seek(section["sh_offset"])
    return file.read(section["sh_size"])


def _named(path: Path, offset: int) -> str:
    """Return the names of the section and the symbol at an offset of an ELF file; empty if no section is there."""
    try:
        with path.open("rb") as file:
            elf = ELFFile(file)
            for index, section in enumerate(elf.iter_sections()):
                at = offset - section["sh_offset"]
                if section["sh_type"] not in ("SHT_NULL", "SHT_NOBITS") and 0 <= at < section["sh_size"]:
                    symbol = _symbol(elf, index, section["sh_addr"] + at)
                    return f"section {section.name}{f', {symbol}' if symbol else ''}"
    except _DAMAGED:
        pass
    return ""


def _symbol(elf: ELFFile, section: int, address: int) -> str:
    """Return the symbol of a section that holds an address, with the offset in it."""
    table = elf.get_section_by_name(".symtab")
    best: tuple[bool, int, str] | None = None
    for symbol in table.iter_symbols() if isinstance(table, SymbolTableSection) else ():
        start, size = symbol["st_value"], symbol["st_size"]
        unnamed = not symbol.name or symbol.name.startswith(("$", ".L")) or symbol["st_info"]["type"] == "STT_SECTION"
        # Labels in assembly have no size: they extend to the next symbol.
        if symbol["st_shndx"] == section and not unnamed and start <= address and (not size or address < start + size):
            best = max(best or (False, 0, ""), (bool(size), start, symbol.name))
    return f"{best[2]}+{address - best[1]:#x}" if best else ""


_NAMED: dict[FileKind, Callable[[Path, Path, int], Difference]] = {
    FileKind.DATA: _data,
    FileKind.TEXT: _text,
    FileKind.ELF: _elf,
    FileKind.CPIO: _cpio,
}
