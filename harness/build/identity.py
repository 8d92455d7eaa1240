# SPDX-License-Identifier: GPL-2.0-only
"""Build-ids: they identify a kernel or a module, both in its file and in the guest that runs it.

The linker computes them over its whole output (``ld --build-id``), with debug information. The kernel shows its own in
/sys/kernel/notes, and those of modules in /sys/module/NAME/notes.
"""

from __future__ import annotations

import re
from pathlib import Path

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile

from harness.errors import BuildError

_NOTES = "SHT_NOTE"
_BUILD_ID = re.compile(rb"\x04\0\0\0(..)\0\0\x03\0\0\0GNU\0", re.DOTALL)
"""the header of an ELF note, as in elf.h: lengths of name and content, type NT_GNU_BUILD_ID, name"""


def build_id(file: Path) -> str:
    """Return the build-id of an ELF file as hexadecimal digits; BuildError if it has none or is not an ELF file."""
    try:
        with file.open("rb") as opened:
            notes = [section.data() for section in ELFFile(opened).iter_sections() if section["sh_type"] == _NOTES]
    except OSError as error:
        raise BuildError(f"{file} cannot be read: {error.strerror}; build again.") from error
    except (ELFError, ValueError, LookupError, OverflowError, MemoryError) as error:
        raise BuildError(f"{file} is not a complete ELF file; remove its folder and build again.") from error
    first = next(filter(None, map(of_notes, notes)), "")
    if not first:
        raise BuildError(f"{file} has no build-id, so that a guest cannot prove that it runs this file; link it with --build-id.")
    return first


def of_notes(notes: bytes) -> str:
    """Return the build-id among ELF notes, as hexadecimal digits; empty if there is none."""
    for header in _BUILD_ID.finditer(notes):
        length = int.from_bytes(header[1], "little")
        content = notes[header.end() : header.end() + length]
        if header.start() % 4 == 0 and content and len(content) == length:
            return content.hex()
    return ""
