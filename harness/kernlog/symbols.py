# SPDX-License-Identifier: GPL-2.0-only
"""Finds the source lines of call traces in the debug information of vmlinux and of modules."""

from __future__ import annotations

import bisect
import functools
import struct
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec
from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile

from harness.errors import UsageError
from harness.host import debug_info
from harness.host.debug_info import Line, Source
from harness.host.elf import UNNAMED
from harness.model.trouble import Frame, Trouble

_SYMBOLS = {32: (struct.Struct("<IIIBBH"), (0, 5, 1, 2)), 64: (struct.Struct("<IBBHQQ"), (0, 3, 4, 5))}
"""by the bits of addresses: an entry of the symbol table, and which of its fields are name, section, address and size"""
_SECTIONS = 0xFF00
"""SHN_LORESERVE: numbers from here on are not those of sections"""
_EXECUTABLE = 0x4
"""SHF_EXECINSTR"""


class _Function(NamedTuple):
    section: str
    """empty in a file whose addresses are final"""
    start: int
    size: int
    """size in the symbol table"""
    room: int
    """bytes to the next symbol, or to the section's end: kallsyms reports them as the size"""
    last: bool
    """True if it is the last function of its section"""

    def has(self, size: int) -> bool:
        """Return True if the kernel may report `size` as the function's size; 0 means that it reported none."""
        return size in (0, self.size, self.room) or (self.last and size >= self.size)


class _Spot(NamedTuple):
    file: Path
    section: str
    address: int


def resolve(
    troubles: Sequence[Trouble],
    vmlinux: Path,
    modules: Sequence[Path] = (),
    sources: Sequence[Source] = (),
) -> list[Trouble]:
    """Return `troubles` with files and lines for all frames of their call traces that `vmlinux` and `modules` know.

    An inlined function becomes a frame of its own before the frame of its caller. Frames get the text of
    their lines, which the first of `sources` with such a file has. A frame that is not found, or is ambiguous,
    stays as it was; `Trouble.where` stays if the log gave it. Raises UsageError for a file that cannot be read
    or is not an ELF file of a known machine.
    """
    files = {"": vmlinux, **{path.stem.replace("-", "_"): path for path in modules}}
    tables = {name: _functions(path) for name, path in files.items()}
    spots = {
        frame: _Spot(files[frame.module], *spot)
        for frame in {frame for trouble in troubles for frame in trouble.frames}
        if frame.module in tables and not frame.file and (spot := _address(frame, tables[frame.module]))
    }
    lines = _lines(set(spots.values()))

    def resolved(frame: Frame) -> list[Frame]:
        places = lines.get(spots[frame], []) if frame in spots else []
        return [_located(frame, line, last=line is places[-1], sources=sources) for line in places] or [frame]

    def whole(trouble: Trouble) -> Trouble:
        frames = tuple(new for old in trouble.frames for new in resolved(old))
        return msgspec.structs.replace(trouble, frames=frames, where=trouble.where or _where(trouble.function, frames))

    return [whole(trouble) for trouble in troubles]


def addresses(elf: ELFFile) -> dict[str, int]:
    """Return the addresses of all symbols of an ELF file; one of them if several share a name."""
    return {name.decode(errors="replace"): start for name, _, start, _ in _entries(elf)}


def _located(frame: Frame, line: Line, *, last: bool, sources: Sequence[Source]) -> Frame:
    """Return `frame` with its line if it is the `last`, else the frame of a function that was inlined into it."""
    text = debug_info.text(line.file, line.line, sources)
    if last:
        return msgspec.structs.replace(frame, file=line.file, line=line.line, source=text)
    return Frame(line.function, module=frame.module, sure=frame.sure, inlined=True, file=line.file, line=line.line, source=text)


def _where(function: str, frames: Iterable[Frame]) -> str:
    """Return the line in `function` itself, not in a function that was inlined into it."""
    if not function:
        return ""
    for frame in frames:
        if frame.line and function in (frame.function, frame.function.partition(".")[0]):
            return f"{frame.file}:{frame.line}"
    return ""


def _address(frame: Frame, table: Mapping[str, Sequence[_Function]]) -> tuple[str, int] | None:
    """Return section and address of the instruction of `frame`: for a return address that of the call."""
    candidates = [f for f in table.get(frame.function, ()) if f.has(frame.size)]
    if len(candidates) > 1:  # the size that kallsyms would report decides
        candidates = [f for f in candidates if f.room == frame.size]
    if len(candidates) != 1 or not 0 <= frame.offset <= candidates[0].room:
        return None
    back = 0 if frame.exact or not frame.offset else 1
    return candidates[0].section, candidates[0].start + frame.offset - back


def _functions(path: Path) -> Mapping[str, Sequence[_Function]]:
    """Return the functions of an ELF file by name; several static functions can share a name."""
    try:
        state = path.stat()
        return _table(path.resolve(), state.st_mtime_ns, state.st_size)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}; name a kernel or module with its symbols.") from error


@functools.lru_cache(maxsize=8)
def _table(path: Path, modified: int, size: int) -> Mapping[str, Sequence[_Function]]:
    """Read the symbols of a file; the time of its last change and its size are part of the cache's key."""
    try:
        with path.open("rb") as file:
            return _read(ELFFile(file), path)
    except (ELFError, struct.error, ValueError, LookupError, AttributeError, OverflowError, MemoryError) as error:
        raise UsageError(f"{path} is not a whole ELF file; name a kernel or module with its symbols.") from error


def _read(elf: ELFFile, path: Path) -> Mapping[str, Sequence[_Function]]:
    if elf["e_machine"] not in debug_info.PREFIXES or not elf.little_endian:
        raise UsageError(f"{path} is for a machine that call traces cannot be resolved for; name a kernel of the log's machine.")
    sections = list(elf.iter_sections())
    relocatable = elf["e_type"] == "ET_REL"
    # In a linked file the next symbol may be in the next section.
    groups: dict[int, list[tuple[int, int, bytes]]] = defaultdict(list)
    starts: dict[int, list[int]] = defaultdict(list)
    for name, section, start, size in _entries(elf):
        if not 0 < section < min(_SECTIONS, len(sections)) or UNNAMED.match(name):
            continue
        group = section if relocatable else 0
        starts[group].append(start)
        if sections[section]["sh_flags"] & _EXECUTABLE:
            groups[group].append((start, size, name))
    functions: dict[str, set[_Function]] = defaultdict(set)
    for group, members in groups.items():
        known = sorted(set(starts[group]))
        where = sections[group].name if relocatable else ""
        end = sections[group]["sh_size"] if relocatable else known[-1]
        for start, size, name in members:
            at = bisect.bisect_right(known, start)
            last = at == len(known)
            room = max(size, (end if last else known[at]) - start)
            functions[name.decode(errors="replace")].add(_Function(where, start, size, room, last))
    return {name: sorted(several) for name, several in functions.items()}


def _entries(elf: ELFFile) -> Iterator[tuple[bytes, int, int, int]]:
    """Yield name, section, address and size of all symbols."""
    symbols = elf.get_section_by_name(".symtab")
    if symbols is None:
        return
    names = elf.get_section(symbols["sh_link"]).data()
    data = symbols.data()
    entry, fields = _SYMBOLS[elf.elfclass]
    for values in entry.iter_unpack(data[: len(data) - len(data) % entry.size]):
        name_at, section, start, size = (values[field] for field in fields)
        yield names[name_at : names.index(b"\0", name_at)], section, start, size


def _lines(spots: Iterable[_Spot]) -> dict[_Spot, list[Line]]:
    """Return the lines at `spots`: first that of the innermost inlined function, last that of the function itself."""
    asked: dict[tuple[Path, str], set[int]] = defaultdict(set)
    for spot in spots:
        asked[spot.file, spot.section].add(spot.address)
    return {
        _Spot(file, section, address): lines
        for (file, section), addresses in asked.items()
        for address, lines in debug_info.lines(file, section, sorted(addresses))
    }
