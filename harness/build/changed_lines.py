# SPDX-License-Identifier: GPL-2.0-only
"""Finds the lines that a series adds or changes, and their code in a kernel."""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from harness.build import git
from harness.build.kernel import Kernel
from harness.build.patches import Patched
from harness.host import debug_info
from harness.model.coverage import ChangedLine, ChangedLines
from harness.model.matrix import Cell

_COMPILED = (".c", ".h", ".S")
_MARKS = re.compile(r"[\s{}();,]*")
"""a line of no words, which the compiler may say that a function begins or ends in"""
_BLAMED = re.compile(r"^([0-9a-f]{40}) \d+ (\d+)")


class SourceLine(msgspec.Struct, frozen=True):
    """A line of a patched source that a patch put there."""

    file: str
    line: int
    text: str
    patch: str


def of_series(source: str, patched: Patched) -> tuple[SourceLine, ...]:
    """Return the lines that the patches on the commit `source` add or change, as they are after all patches."""
    if patched.commit == source:
        return ()
    files = dict.fromkeys(file for files in patched.files for file in files if file.endswith(_COMPILED))
    # A patch can delete what one before it created.
    left = set(git.run("ls-tree", "-r", "-z", "--name-only", patched.commit, "--", *files).split("\0")) if files else set()
    return tuple(line for file in files if file in left for line in _of_file(source, patched.commit, file))


def _of_file(source: str, commit: str, file: str) -> Iterator[SourceLine]:
    """Yield the lines of a file that no commit up to `source` has; a commit's subject is its patch's name."""
    blamed = git.run("blame", "--line-porcelain", f"{source}..{commit}", "--", file)
    number, patch, own = 0, "", True
    for row in blamed.split("\n"):  # and not at form feeds, which some sources have
        if row.startswith("\t"):
            if own and not _MARKS.fullmatch(row[1:]):
                yield SourceLine(file, number, row[1:].rstrip(), patch)
            own = True
        elif head := _BLAMED.match(row):
            number = int(head[2])
        elif row.startswith("summary "):
            patch = row.removeprefix("summary ")
        elif row == "boundary":
            own = False


def in_kernel(lines: tuple[SourceLine, ...], cell: Cell, kernel: Kernel) -> ChangedLines:
    """Return those of `lines` that a cell's kernel has code of, with the addresses of that."""
    known = debug_info.statements(kernel.vmlinux, {line.file for line in lines}) if lines else {}
    compiled = (
        ChangedLine(line.file, line.line, line.text, line.patch, tuple(sorted(known[line.file, line.line])))
        for line in lines
        if (line.file, line.line) in known
    )
    return ChangedLines(cell.machine.name, cell.variant.name, cell.profile, tuple(compiled))
