# SPDX-License-Identifier: GPL-2.0-only
"""Attributes the instructions of a timed loop to functions and source lines."""

from __future__ import annotations

import bisect
import itertools
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from harness.host import debug_info, elf
from harness.host.debug_info import Line, Source
from harness.model.attribution import FunctionCount, LineCount
from harness.vm.blocks import Block, Locked

UNKNOWN = "[unknown]"
_MODULE = "vmalloc_test"
_TEXT = "tTwW"
"""kinds of symbols of System.map that are functions"""
_SECTION = re.compile(r"^(\.\S+) 0x([0-9a-f]+)$")


class Code(msgspec.Struct, frozen=True):
    """A function in the guest's memory."""

    start: int
    end: int
    name: str
    module: str
    """empty for the kernel itself"""
    file: Path
    section: str
    """in a relocatable file, the section that `base` belongs to"""
    base: int
    """distance of an address in memory from that in the file"""


class Memory:
    """The functions of a guest's memory: of its kernel, and of the module where that was loaded."""

    def __init__(self, vmlinux: Path, symbols: Path, module: Path, sections: Mapping[str, int], sources: Sequence[Source]) -> None:
        """Know a kernel by its `vmlinux` and System.map `symbols`, and `module` by the addresses that its `sections` have.

        `sources` have the text of lines.
        """
        kernel = _kernel(symbols, vmlinux)
        self._code = sorted([*kernel, *_module(module, sections)], key=lambda code: code.start)
        self._starts = [code.start for code in self._code]
        self._sources = sources
        self._lines: dict[int, list[Line]] = {}

    def at(self, address: int) -> Code | None:
        """Return the function that an address lies in."""
        place = bisect.bisect_right(self._starts, address) - 1
        return self._code[place] if place >= 0 and address < self._code[place].end else None

    def functions(self, blocks: Iterable[Block], operations: int) -> tuple[FunctionCount, ...]:
        """Return the instructions an operation by function and line, the most first."""
        times: Counter[int] = Counter()
        for block in blocks:
            for address in block.addresses:
                times[address] += block.times
        self._look_up(times)
        symbols: dict[Code | None, list[int]] = defaultdict(list)
        for address in times:
            symbols[self.at(address)].append(address)
        # Parts of a function have symbols of their own, and functions of several files may share a name.
        groups: dict[tuple[str, str, str], list[int]] = defaultdict(list)
        for code, addresses in symbols.items():
            named = (code.name, code.module, self._file(addresses)) if code else (UNKNOWN, "", "")
            groups[named] += addresses
        counted = [self._function(*names, addresses, times, operations) for names, addresses in groups.items()]
        return tuple(sorted(counted, key=lambda function: (-function.instructions, function.function)))

    def sections(self, locked: Iterable[Locked], operations: int) -> Iterator[dict[str, object]]:
        """Yield the fields of a LockedSection for each function that holds locks, that with the longest section first."""
        groups: dict[tuple[str, str], list[Locked]] = defaultdict(list)
        for of in locked:
            groups[self._name(of.began)].append(of)
        for (function, module), several in sorted(groups.items(), key=lambda item: -max(of.longest for of in item[1])):
            longest = max(several, key=lambda of: of.longest)
            yield {
                "function": function,
                "module": module,
                "ended": self._name(longest.ended)[0],
                "times": sum(of.times for of in several),
                "instructions": sum(of.sum for of in several) / operations,
                "longest": longest.longest,
            }

    def _name(self, address: int) -> tuple[str, str]:
        code = self.at(address)
        return (code.name, code.module) if code else (UNKNOWN, "")

    def _file(self, addresses: Iterable[int]) -> str:
        """Return the file of a function: that of its own lines, not of those that are inlined."""
        return next((self._lines[address][-1].file for address in sorted(addresses) if address in self._lines), "")

    def _function(
        self, name: str, module: str, file: str, addresses: Sequence[int], times: Mapping[int, int], operations: int
    ) -> FunctionCount:
        by_line: Counter[tuple[str, str, int]] = Counter()
        for address in addresses:
            innermost, *outer = self._lines.get(address, [Line("", "", 0)])
            by_line[innermost.function if outer else "", innermost.file, innermost.line] += times[address]
        lines = tuple(
            LineCount(inlined, source, line, debug_info.text(source, line, self._sources), count / operations)
            for (inlined, source, line), count in sorted(by_line.items(), key=lambda item: (-item[1], item[0]))
        )
        return FunctionCount(name, module, file, sum(times[address] for address in addresses) / operations, lines)

    def _look_up(self, addresses: Iterable[int]) -> None:
        """Look up the source lines of addresses that were not looked up before."""
        asked: dict[tuple[Path, str, int], list[int]] = defaultdict(list)
        for address in addresses:
            code = self.at(address)
            if code and address not in self._lines:
                asked[code.file, code.section, code.base].append(address)
        for (file, section, base), wanted in asked.items():
            for place, lines in debug_info.lines(file, section, sorted(address - base for address in wanted)):
                self._lines[place + base] = lines


def sections(output: str) -> dict[str, int]:
    """Return the addresses of the module's sections, as the guest's kernel printed them."""
    return {match[1]: int(match[2], 16) for line in output.splitlines() if (match := _SECTION.match(line))}


def _kernel(symbols: Path, vmlinux: Path) -> Iterator[Code]:
    """Yield the functions of a kernel; each ends where the next symbol begins."""
    named: dict[int, str] = {}
    for line in symbols.read_text().splitlines():
        address, kind, name = line.split(maxsplit=2)
        if kind in _TEXT:
            named.setdefault(int(address, 16), _of_the_source(name))
    starts = sorted(named)
    for start, end in itertools.pairwise(starts):
        yield Code(start, end, named[start], "", vmlinux, "", 0)


def _module(file: Path, sections: Mapping[str, int]) -> Iterator[Code]:
    """Yield the functions of a module in the sections whose addresses are known."""
    read = elf.read(file)
    names, symbols, numbers = read.symbols()
    for name, symbol, number in zip(names, symbols, numbers, strict=True):
        section = read.sections[number].name if number else ""
        if section in sections and symbol["info"] & 0xF == elf.FUNCTION and symbol["size"]:
            start = sections[section] + int(symbol["value"])
            yield Code(start, start + int(symbol["size"]), _of_the_source(name.decode()), _MODULE, file, section, sections[section])


def _of_the_source(symbol: str) -> str:
    """Return a function's name in the source: without what GCC adds to the name of a copy or a part, such as ``.isra.0``."""
    return symbol.partition(".")[0] or symbol
