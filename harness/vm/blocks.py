# SPDX-License-Identifier: GPL-2.0-only
"""Gives QEMU its plugin, and reads the files in which that tells which blocks of a kernel ran."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from harness import text
from harness.errors import VmLost
from harness.host import files

FOLDER = "blocks"
"""folder in a VM's folder for the plugin's files"""
LOCK = re.compile(r"^_raw_(spin|read|write)_(try)?(un)?lock(_irq|_irqsave|_irqrestore|_bh|_nested|_nest_lock|_irqsave_nested)?$")
"""functions that take and release a spinlock, where the kernel does not inline them"""
_SIZES = re.compile(r"[1-9a-f]+")
_NAME = re.compile(r"^(\d{6,})\.(loop|test|other)$")


class Block(msgspec.Struct, frozen=True):
    """Instructions in a row, and how often they ran."""

    start: int
    """address of the first one"""
    times: int
    sizes: str
    """a hexadecimal digit for the bytes of each instruction"""

    @property
    def addresses(self) -> Iterator[int]:
        """Addresses of its instructions."""
        at = self.start
        for size in self.sizes:
            yield at
            at += int(size, 16)

    @property
    def end(self) -> int:
        """Address behind the last instruction."""
        return self.start + sum(int(size, 16) for size in self.sizes)


class Locked(msgspec.Struct, frozen=True):
    """Sections that began at one place: a lock was taken or interrupts were disabled there, and none before."""

    began: int
    times: int
    sum: int
    """instructions of all"""
    longest: int
    """instructions of the longest one"""
    ended: int
    """address at which the longest one ended"""


class Dump(msgspec.Struct, frozen=True):
    """One file of the plugin's."""

    number: int
    kind: str
    """``loop``: in a timed loop; ``test``: in a test, or its part before QEMU ended; ``other``: before a test, or after all"""
    blocks: tuple[Block, ...]
    sections: tuple[Locked, ...] = ()
    """of a loop"""
    lost: int = 0
    """translations of blocks for which the plugin had no room"""


def option(plugin: Path, folder: Path, symbols: Path) -> tuple[str, str]:
    """Return the option of QEMU's that loads `plugin`, to write its files into `folder`; `symbols` is the kernel's System.map."""
    return option_with(plugin, folder, *_locks(symbols))


def option_with(plugin: Path, folder: Path, acquire: Sequence[str], release: Sequence[str]) -> tuple[str, str]:
    """Return the same option, with the addresses of the functions that take a spinlock, and of those that release one."""
    parts = (
        f"file={text.escaped(plugin)}",
        f"out={text.escaped(folder)}",
        f"acquire={':'.join(acquire)}",
        f"release={':'.join(release)}",
    )
    return "-plugin", ",".join(parts)


def taken(folder: Path) -> list[Dump]:
    """Return the files that are whole, in their order, and remove them; VmLost for one that is not the plugin's."""
    named = sorted((int(match[1]), match[2], path) for path in folder.glob("*") if (match := _NAME.match(path.name)))
    dumps = []
    for number, kind, path in named:
        dumps.append(parse(number, kind, path.read_text(errors="replace")))
        files.remove(path)
    return dumps


def parse(number: int, kind: str, content: str) -> Dump:
    """Return the content of a file; VmLost if it is not the plugin's, or not whole."""
    blocks, sections, lost = [], [], 0
    *lines, last = content.splitlines() or [""]
    try:
        if last != "end":
            raise ValueError("no end")
        for line in lines:
            match line.split():
                case ["block", start, times, sizes] if _SIZES.fullmatch(sizes):
                    blocks.append(Block(int(start, 16), int(times), sizes))
                case ["section", began, times, total, longest, ended]:
                    sections.append(Locked(int(began, 16), int(times), int(total), int(longest), int(ended, 16)))
                case ["lost", times]:
                    lost = int(times)
                case _:
                    raise ValueError(line)
    except ValueError as error:
        raise VmLost(f"QEMU's plugin wrote something that cannot be read into its file {number:06}.{kind}: {error}.") from error
    return Dump(number, kind, tuple(blocks), tuple(sections), lost)


def _locks(symbols: Path) -> tuple[list[str], list[str]]:
    """Return the addresses of the functions that take a spinlock, and of those that release one."""
    acquire: list[str] = []
    release: list[str] = []
    for line in symbols.read_text().splitlines():
        address, _, name = line.split(maxsplit=2)
        if found := LOCK.match(name):
            (release if found[3] else acquire).append(address)
    return acquire, release
