# SPDX-License-Identifier: GPL-2.0-only
"""Looks up source lines in the debug information of kernels and modules, by binutils, and reads their text."""

from __future__ import annotations

import functools
import os
import posixpath
import re
import subprocess
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from elftools.elf.elffile import ELFFile

from harness.errors import UsageError
from harness.host import shell

# Each binutils reads files of its own machine only; these are Debian's prefixes.
PREFIXES = {"EM_X86_64": "x86_64-linux-gnu-", "EM_AARCH64": "aarch64-linux-gnu-", "EM_ARM": "arm-linux-gnueabi-"}
_PLACE = re.compile(r"^(.+):(\d+)(?: \(discriminator \d+\))?$")
_UNKNOWN = "??"
_ROW = re.compile(rb"^\S+ +(\d+) +0x([0-9a-f]+)\b.*?( x)?$")
"""a row of readelf's table of lines; the last column is marked where a statement begins"""


class Line(NamedTuple):
    """A line of a function."""

    function: str
    file: str
    """as in the kernel's tree"""
    line: int


def lines(file: Path, section: str, addresses: Sequence[int]) -> Iterator[tuple[int, list[Line]]]:
    """Yield the lines at each of `addresses` that debug information knows, the innermost inlined function first.

    In a relocatable file, addresses are relative to `section`. Raises UsageError if the file cannot be read.
    """
    # One call of addr2line is much faster than reading DWARF in Python.
    with file.open("rb") as elf:
        prefix = PREFIXES[ELFFile(elf)["e_machine"]]
    where = ("-j", section) if section else ()
    command = (f"{prefix}addr2line", "-a", "-i", "-f", *where, "-e", file.resolve())
    output = shell.output(command, stdin="".join(f"{address:#x}\n" for address in addresses).encode(), error=UsageError)
    for block in re.split(r"^(?=0x[0-9a-f]+$)", output, flags=re.MULTILINE)[1:]:
        address, *words = block.splitlines()
        found = [Line(name, *place) for name, place in zip(words[::2], map(_place, words[1::2]), strict=False) if place]
        if found and len(found) == len(words) // 2:
            yield int(address, 16), found


def statements(file: Path, names: Collection[str]) -> dict[tuple[str, int], list[int]]:
    """Return the addresses at which statements of source files begin, by file and line, inlined ones too.

    A line in which none begins, but one goes on, has the addresses of what goes on there. `names` are paths in
    the kernel's tree. Raises UsageError if `file` cannot be read.
    """
    command = ("readelf", "--wide", "--debug-dump=decodedline", str(file.resolve()))
    wanted = frozenset(names)
    found: dict[tuple[str, int], list[int]] = {}
    others: dict[tuple[str, int], list[int]] = {}
    current = None
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as reading:
        assert reading.stdout
        for row in reading.stdout:
            text = row.rstrip()
            if text.endswith((b":", b":[++]")):
                # The file of the rows that follow; "[++]" is one that includes another.
                named = _file(text)
                current = named if named in wanted else None
            elif current and (match := _ROW.match(text)):
                (found if match[3] else others).setdefault((current, int(match[1])), []).append(int(match[2], 16))
    if reading.returncode:
        raise UsageError(
            f"The debug information of {file} cannot be read: readelf ended with {reading.returncode}; build the kernel again."
        )
    return others | found


@functools.lru_cache(maxsize=65536)
def _file(row: bytes) -> str:
    """Return the file that a row of readelf's table is the heading of; the first one of a unit has ``CU:`` before it."""
    return posixpath.normpath(os.fsdecode(row.removesuffix(b"[++]").removesuffix(b":").removeprefix(b"CU: ")))


Source = Callable[[str], Sequence[str]]
"""returns the lines of a source file by its name in the debug information; none if it has no such file"""


def text(file: str, line: int, sources: Sequence[Source]) -> str:
    """Return the text of a line of `file` in the first of `sources` that has it; empty if none has."""
    for source in sources:
        content = source(file)
        if 0 < line <= len(content):
            return content[line - 1].strip()
    return ""


def below(root: Path) -> Source:
    """Return the source files of a folder."""
    return functools.partial(_source, root.resolve())


def _place(text: str) -> tuple[str, int] | None:
    """Return file and line in an answer of addr2line; None if it does not know them."""
    match = _PLACE.match(text)
    if not match or match[1] == _UNKNOWN:
        return None
    return posixpath.normpath(match[1]), int(match[2])


@functools.lru_cache(maxsize=64)
def _source(root: Path, file: str) -> Sequence[str]:
    path = (root / file).resolve()
    if not path.is_relative_to(root):  # debug information may name any file
        return ()
    try:
        with path.open(errors="replace") as opened:
            return opened.readlines()  # split at form feeds, which some sources have, lines would have other numbers
    except OSError:
        return ()
