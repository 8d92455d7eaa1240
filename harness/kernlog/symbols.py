# SPDX-License-Identifier: GPL-2.0-only
"""Finds the source lines of call traces in the debug information of vmlinux and of modules."""

from __future__ import annotations

import bisect
import functools
import posixpath
import re
import struct
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec
from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile

from harness.errors import UsageError
from harness.host import shell
from harness.host.elf import UNNAMED
from harness.model.trouble import Frame, Trouble

# Binutils' readers each know but their own machine; this is what Debian calls them.
_PREFIXES = {"EM_X86_64": "x86_64-linux-gnu-", "EM_AARCH64": "aarch64-linux-gnu-"}
_SYMBOL = struct.Struct("<IBBHQQ")
_SECTIONS = 0xFF00
"""section numbers from here on are no sections (SHN_LORESERVE)"""
_EXECUTABLE = 0x4
"""SHF_EXECINSTR"""
_PLACE = re.compile(r"^(.+):(\d+)(?: \(discriminator \d+\))?$")
_UNKNOWN = "??"


class _Function(NamedTuple):
    section: str
    """empty in a file whose addresses are final"""
    start: int
    size: int
    """as the symbol says"""
    room: int
    """bytes to the next symbol, or to the section's end: what the kernel takes for the size"""
    last: bool
    """whether nothing follows it in its section"""

    def has(self, size: int) -> bool:
        """Whether the kernel may have given the function's size as `size`, which is 0 where it gave none."""
        return size in (0, self.size, self.room) or (self.last and size >= self.size)


class _Spot(NamedTuple):
    file: Path
    section: str
    address: int


class _Line(NamedTuple):
    function: str
    file: str
    line: int


def resolve(
    troubles: Sequence[Trouble],
    vmlinux: Path,
    modules: Sequence[Path] = (),
    source: Path | None = None,
    module_source: Path | None = None,
) -> list[Trouble]:
    """Return `troubles` with files and lines for all frames of their call traces that `vmlinux` and `modules` know.

    Functions that were inlined come as frames of their own before the one that holds them. With `source`,
    the kernel's tree, and `module_source`, the folder of the modules' sources, frames get the text of their
    lines. A frame that cannot be found, or not told from another, stays as it was, and so does `Trouble.where`
    where the log told it. Raises UsageError for a file that cannot be read or is not an ELF file of a known machine.
    """
    files = {"": vmlinux, **{path.stem.replace("-", "_"): path for path in modules}}
    tables = {name: _functions(path) for name, path in files.items()}
    spots = {
        frame: _Spot(files[frame.module], *spot)
        for frame in {frame for trouble in troubles for frame in trouble.frames}
        if frame.module in tables and not frame.file and (spot := _address(frame, tables[frame.module]))
    }
    lines = _lines(set(spots.values()))
    roots = [root for root in (source, *((module_source.parent, module_source) if module_source else ())) if root]

    def found(frame: Frame) -> list[Frame]:
        told = lines.get(spots[frame], []) if frame in spots else []
        return [_told(frame, line, last=line is told[-1], roots=roots) for line in told] or [frame]

    def whole(trouble: Trouble) -> Trouble:
        frames = tuple(new for old in trouble.frames for new in found(old))
        return msgspec.structs.replace(trouble, frames=frames, where=trouble.where or _where(trouble.function, frames))

    return [whole(trouble) for trouble in troubles]


def addresses(elf: ELFFile) -> dict[str, int]:
    """Return the addresses of all symbols of an ELF file, of several with one name one."""
    return {name.decode(errors="replace"): start for name, _, start, _ in _entries(elf)}


def _told(frame: Frame, line: _Line, *, last: bool, roots: Sequence[Path]) -> Frame:
    """Return `frame` with its line, or what was inlined into it there."""
    text = _text(line.file, line.line, roots)
    if last:
        return msgspec.structs.replace(frame, file=line.file, line=line.line, source=text)
    return Frame(line.function, module=frame.module, sure=frame.sure, inlined=True, file=line.file, line=line.line, source=text)


def _where(function: str, frames: Iterable[Frame]) -> str:
    """Return the line in `function` itself, not in what was inlined into it."""
    if not function:
        return ""
    for frame in frames:
        if frame.line and function in (frame.function, frame.function.partition(".")[0]):
            return f"{frame.file}:{frame.line}"
    return ""


def _address(frame: Frame, table: Mapping[str, Sequence[_Function]]) -> tuple[str, int] | None:
    """Return section and address of the instruction that `frame` is at: the call, where it bears the address to return to."""
    candidates = [f for f in table.get(frame.function, ()) if f.has(frame.size)]
    if len(candidates) > 1:  # what the symbol itself says counts less than what the kernel would
        candidates = [f for f in candidates if f.room == frame.size]
    if len(candidates) != 1 or not 0 <= frame.offset <= candidates[0].room:
        return None
    back = 0 if frame.exact or not frame.offset else 1
    return candidates[0].section, candidates[0].start + frame.offset - back


def _functions(path: Path) -> Mapping[str, Sequence[_Function]]:
    """Return by name what an ELF file holds; names of static functions can be several functions'."""
    try:
        state = path.stat()
        return _table(path.resolve(), state.st_mtime_ns, state.st_size)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}; name a kernel or module with its symbols.") from error


@functools.lru_cache(maxsize=8)
def _table(path: Path, modified: int, size: int) -> Mapping[str, Sequence[_Function]]:
    """Read the symbols of the file that was last modified then and has that size."""
    try:
        with path.open("rb") as file:
            return _read(ELFFile(file), path)
    except (ELFError, struct.error, ValueError, LookupError, AttributeError, OverflowError, MemoryError) as error:
        raise UsageError(f"{path} is not a whole ELF file; name a kernel or module with its symbols.") from error


def _read(elf: ELFFile, path: Path) -> Mapping[str, Sequence[_Function]]:
    if elf["e_machine"] not in _PREFIXES or not elf.little_endian or elf.elfclass != 64:
        raise UsageError(f"{path} is for a machine that call traces cannot be resolved for; name a kernel of the log's machine.")
    sections = list(elf.iter_sections())
    relocatable = elf["e_type"] == "ET_REL"
    # In a file whose addresses are final, what follows a function may be in the section after its own.
    groups: dict[int, list[tuple[int, int, bytes]]] = defaultdict(list)
    starts: dict[int, list[int]] = defaultdict(list)
    for name, section, start, size in _entries(elf):
        if not 0 < section < min(_SECTIONS, len(sections)) or UNNAMED.match(name):
            continue
        group = section if relocatable else 0
        starts[group].append(start)
        if sections[section]["sh_flags"] & _EXECUTABLE:
            groups[group].append((start, size, name))
    made: dict[str, set[_Function]] = defaultdict(set)
    for group, found in groups.items():
        known = sorted(set(starts[group]))
        where = sections[group].name if relocatable else ""
        end = sections[group]["sh_size"] if relocatable else known[-1]
        for start, size, name in found:
            at = bisect.bisect_right(known, start)
            last = at == len(known)
            room = max(size, (end if last else known[at]) - start)
            made[name.decode(errors="replace")].add(_Function(where, start, size, room, last))
    return {name: sorted(functions) for name, functions in made.items()}


def _entries(elf: ELFFile) -> Iterator[tuple[bytes, int, int, int]]:
    """Yield name, section, address and size of all symbols."""
    symbols = elf.get_section_by_name(".symtab")
    if symbols is None:
        return
    names = elf.get_section(symbols["sh_link"]).data()
    data = symbols.data()
    for name_at, _, _, section, start, size in _SYMBOL.iter_unpack(data[: len(data) - len(data) % _SYMBOL.size]):
        yield names[name_at : names.index(b"\0", name_at)], section, start, size


def _lines(spots: Iterable[_Spot]) -> dict[_Spot, list[_Line]]:
    """Return the lines at `spots`: that of what was inlined last comes first, that of the function itself last."""
    asked: dict[tuple[Path, str], set[int]] = defaultdict(set)
    for spot in spots:
        asked[spot.file, spot.section].add(spot.address)
    return {
        _Spot(file, section, address): told
        for (file, section), addresses in asked.items()
        for address, told in _binutils(file, section, sorted(addresses))
    }


def _binutils(file: Path, section: str, addresses: Sequence[int]) -> Iterator[tuple[int, list[_Line]]]:
    """Have addr2line look up `addresses`, all at once: by DWARF it is faster by far than anything in Python."""
    with file.open("rb") as elf:
        prefix = _PREFIXES[ELFFile(elf)["e_machine"]]
    where = ("-j", section) if section else ()
    command = (f"{prefix}addr2line", "-a", "-i", "-f", *where, "-e", file.resolve())
    said = shell.output(command, stdin="".join(f"{address:#x}\n" for address in addresses).encode(), error=UsageError)
    for block in re.split(r"^(?=0x[0-9a-f]+$)", said, flags=re.MULTILINE)[1:]:
        address, *words = block.splitlines()
        told = [_Line(name, *place) for name, place in zip(words[::2], map(_place, words[1::2]), strict=False) if place]
        if told and len(told) == len(words) // 2:
            yield int(address, 16), told


def _place(said: str) -> tuple[str, int] | None:
    """Return file and line as addr2line said them; the file relative to the tree that it was built in, as far as it tells."""
    found = _PLACE.match(said)
    if not found or found[1] == _UNKNOWN:
        return None
    return posixpath.normpath(found[1]), int(found[2])


def _text(file: str, line: int, roots: Sequence[Path]) -> str:
    """Return the text of a line of `file`, which lies in one of `roots`; nothing where there is none."""
    for root in roots:
        lines = _source(root.resolve(), file)
        if 0 < line <= len(lines):
            return lines[line - 1].strip()
    return ""


@functools.lru_cache(maxsize=64)
def _source(root: Path, file: str) -> Sequence[str]:
    path = (root / file).resolve()
    if not path.is_relative_to(root):  # debug information may name any file
        return ()
    try:
        return path.read_text(errors="replace").splitlines()
    except OSError:
        return ()
