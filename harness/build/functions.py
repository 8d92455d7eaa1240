# SPDX-License-Identifier: GPL-2.0-only
"""Reads what each function and data object of a built kernel is, wherever it lies.

The kernel's link leaves vmlinux.o, in which references still have names. A symbol's digest is over its bytes and
over what its relocations point to: the name of a symbol, the text of a string, or the content of data that has no name.
What follows line numbers alone, as the table of BUG()s does, is no part of a function. A check that is given its line
as an argument, as might_sleep() in a kernel that debugs itself, is part of one. So is, where the compiler counts
from an anchor that a file's variables share, the distance from it: a variable that is added there changes its neighbours' users.
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
from harness.host import elf
from harness.model.changes import KernelContents, Symbol

FORMAT = 1
"""to be raised when digests become others, so that old ones are not compared with new ones"""


def read(relocatable: Path, linked: Path, sources: Iterable[str] = ()) -> KernelContents:
    """Return what a kernel holds that was linked from `relocatable` (vmlinux.o) to `linked` (vmlinux).

    An object file tells the name of its source without the folder, which is that of the one file of `sources`
    with that name. Raises UsageError for a file that cannot be read or is not a whole ELF file.
    """
    file = elf.read(relocatable)
    try:
        kernel = RelocatableKernel(file)
        paths = _paths(sources)
        return KernelContents(loaded(linked), _symbols(kernel, elf.FUNCTION, paths), _symbols(kernel, elf.OBJECT, paths))
    except (ValueError, LookupError, OverflowError) as error:
        raise UsageError(f"{relocatable} is damaged: its symbols or relocations make no sense; build the kernel again.") from error


def _paths(sources: Iterable[str]) -> dict[str, str]:
    """Return the files whose names are told apart without their folders."""
    found: dict[str, list[str]] = defaultdict(list)
    for path in sources:
        found[posixpath.basename(path)].append(path)
    return {name: paths[0] for name, paths in found.items() if len(paths) == 1}


def _symbols(kernel: RelocatableKernel, kind: int, paths: Mapping[str, str]) -> tuple[Symbol, ...]:
    """Return the symbols of a kind, by file and name."""
    found = []
    starts, sizes = kernel.symbols["value"].tolist(), kernel.symbols["size"].tolist()
    for index, (of, section) in enumerate(zip(kernel.kinds, kernel.numbers, strict=True)):
        if of == kind and kernel.counts(index):
            digest = kernel.digest(section, starts[index], starts[index] + sizes[index])
            file = paths.get(kernel.files[index], kernel.files[index])
            found.append(Symbol(plain(kernel.names[index]), file, sizes[index], digest))
    return tuple(sorted(found, key=lambda symbol: (symbol.file, symbol.name, symbol.digest)))


def loaded(linked: Path) -> str:
    """Return a digest of all that `linked` has loaded into memory but its notes, which hold the build-id."""
    total, kernel = hashlib.sha256(), elf.read(linked)
    for section in kernel.sections:
        if section.flags & elf.ALLOC and section.type in (elf.PROGBITS, elf.NOBITS) and not section.name.startswith(".note"):
            total.update(f"{section.name} {section.flags} {section.address} {section.size}\n".encode())
            total.update(kernel.data(section).data)
    return total.hexdigest()


def load(file: Path) -> KernelContents:
    """Read what was kept of a kernel; UsageError if it is not there or damaged."""
    try:
        return msgspec.json.decode(file.read_bytes(), type=KernelContents)
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}; run `invoke build` again.") from error
    except msgspec.DecodeError as error:
        raise UsageError(f"{file} is damaged ({error}); run `invoke build` again.") from error
