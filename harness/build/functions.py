# SPDX-License-Identifier: GPL-2.0-only
"""Reads the functions and data objects of a built kernel, independent of their addresses.

The kernel's link leaves vmlinux.o, in which references still have names. The digest of a symbol covers its bytes and
the targets of its relocations: the name of a symbol, the text of a string, or the content of data without a name.
Sections that depend on line numbers, such as __bug_table, are not part of a function. A line number that is passed
as an argument is part of it, as in might_sleep() of a debug kernel. Where the compiler addresses the variables of a
file relative to a common anchor, their distance is part of it too: a new variable there changes the users of others.
"""

from __future__ import annotations

import hashlib
import posixpath
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec

from harness.build.references import RelocatableKernel, plain
from harness.errors import UsageError
from harness.host import elf, stored
from harness.model.changes import KernelContents, Symbol

FORMAT = 1
"""version of the digests; raise it with every change of them, so that old ones are not compared with new ones"""


def read(relocatable: Path, linked: Path, sources: Iterable[str] = ()) -> KernelContents:
    """Return the content of a kernel that was linked from `relocatable` (vmlinux.o) to `linked` (vmlinux).

    An ELF file has only the base name of a source file. The folder is taken from `sources`, if just one file there has
    this name. Raises UsageError for a file that cannot be read or is not a complete ELF file.
    """
    file = elf.read(relocatable)
    try:
        kernel = RelocatableKernel(file)
        paths = _paths(sources)
        return KernelContents(loaded(linked), _symbols(kernel, elf.FUNCTION, paths), _symbols(kernel, elf.OBJECT, paths))
    except (ValueError, LookupError, OverflowError) as error:
        raise UsageError(f"{relocatable} is damaged: its symbols or relocations make no sense; build the kernel again.") from error


def _paths(sources: Iterable[str]) -> dict[str, str]:
    """Return the paths by base name, for base names that occur once."""
    by_name: dict[str, list[str]] = defaultdict(list)
    for path in sources:
        by_name[posixpath.basename(path)].append(path)
    return {name: paths[0] for name, paths in by_name.items() if len(paths) == 1}


def _symbols(kernel: RelocatableKernel, kind: int, paths: Mapping[str, str]) -> tuple[Symbol, ...]:
    """Return the symbols of a kind, sorted by file and name."""
    symbols = []
    starts, sizes = kernel.symbols["value"].tolist(), kernel.symbols["size"].tolist()
    for index, (of, section) in enumerate(zip(kernel.kinds, kernel.numbers, strict=True)):
        if of == kind and kernel.counts(index):
            digest = kernel.digest(section, starts[index], starts[index] + sizes[index])
            file = paths.get(kernel.files[index], kernel.files[index])
            symbols.append(Symbol(plain(kernel.names[index]), file, sizes[index], digest))
    return tuple(sorted(symbols, key=lambda symbol: (symbol.file, symbol.name, symbol.digest)))


def loaded(linked: Path) -> str:
    """Return a digest of the sections of `linked` that are loaded into memory, without the notes: they hold the build-id."""
    total, kernel = hashlib.sha256(), elf.read(linked)
    for section in kernel.sections:
        if section.flags & elf.ALLOC and section.type in (elf.PROGBITS, elf.NOBITS) and not section.name.startswith(".note"):
            total.update(f"{section.name} {section.flags} {section.address} {section.size}\n".encode())
            total.update(kernel.data(section).data)
    return total.hexdigest()


def load(file: Path) -> KernelContents:
    """Read a kernel's functions.json; UsageError if it is missing or damaged."""
    try:
        return stored.decode(stored.content(file), KernelContents)
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}; run `invoke build` again.") from error
    except msgspec.DecodeError as error:
        raise UsageError(f"{file} is damaged ({error}); run `invoke build` again.") from error
