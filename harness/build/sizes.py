# SPDX-License-Identifier: GPL-2.0-only
"""Compares the sizes of two built kernels: of functions and data as bloat-o-meter does, and of structures."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from harness.build import functions, git
from harness.errors import RigError
from harness.host import shell
from harness.model import changes
from harness.model.series_check import Check, State

_LARGEST = 8
"""changes that are listed"""
_STRUCTURE = re.compile(r"^(?:typedef )?(?P<kind>struct|union) (?P<name>\w+)[^;{]*\{.*?^\}", re.M | re.S)
_HUNK = re.compile(r"^@@ -\S+ \+(\d+)(?:,(\d+))? @@", re.M)
_GDB = "gdb-multiarch"
_SIZE = re.compile(r"^(?P<name>(?:struct|union) \w+) (?P<size>\d+)$", re.M)


def vmlinux(before: Path, after: Path) -> Check:
    """Return the growth of the functions and data of a kernel in the folder `after` against that in `before`."""
    old, new = functions.load(before / "functions.json"), functions.load(after / "functions.json")
    differing = changes.changes(old, new)
    deltas = [(change.after - change.before, change) for change in (*differing.functions, *differing.data)]
    deltas = sorted((pair for pair in deltas if pair[0]), key=lambda pair: (-abs(pair[0]), pair[1].name))
    up, down = sum(delta for delta, _ in deltas if delta > 0), sum(delta for delta, _ in deltas if delta < 0)
    total = sum(symbol.size for symbol in (*old.functions, *old.data))
    summary = f"{up + down:+,} bytes (up {up:,}, down {-down:,}), from {total:,} ({(up + down) / (total or 1):+.2%})"
    details = [f"{change.name}: {change.before:,} to {change.after:,} ({delta:+,})" for delta, change in deltas[:_LARGEST]]
    rest = [f"and {len(deltas) - _LARGEST} more"] if len(deltas) > _LARGEST else []
    return Check("size of vmlinux", State.TOLD, summary, (*details, *rest))


def structures(source: str, commit: str, changed: Sequence[str], before: Path, after: Path) -> Check:
    """Return the sizes of the structures that the patches between two commits touch, in kernels with debug information."""
    name = "structures"
    touched = list(dict.fromkeys(found for file in changed for found in _touched(source, commit, file)))
    if not touched:
        return Check(name, State.GOOD, "the series touches none")
    try:
        old, new = (_sizes(folder / "vmlinux", touched) for folder in (before, after))
    except RigError as error:
        return Check(name, State.NOT_CHECKED, str(error).rstrip("."))
    if not new:
        return Check(name, State.NOT_CHECKED, f"the kernel's debug information lacks {', '.join(touched)}")
    told = [_growth(structure, old, new) for structure in touched]
    grown = sum(new.get(structure, 0) != old.get(structure, 0) for structure in touched)
    return Check(name, State.TOLD, f"{grown} of {len(touched)} that the series touches have another size", tuple(told))


def _growth(structure: str, old: Mapping[str, int], new: Mapping[str, int]) -> str:
    if structure not in new:
        return f"{structure}: not checked, this kernel's debug information lacks it"
    if structure not in old:
        return f"{structure}: {new[structure]:,} bytes, new"
    return f"{structure}: {old[structure]:,} to {new[structure]:,} bytes ({new[structure] - old[structure]:+,})"


def _touched(source: str, commit: str, file: str) -> Iterator[str]:
    """Yield the structures in which the lines of a file changed."""
    text = (git.blob(commit, file) or b"").decode(errors="replace") if file.endswith((".c", ".h")) else ""
    diff = git.run("diff", "--no-renames", "--unified=0", source, commit, "--", file) if text else ""
    # Lines that were only removed have the place of the line before them.
    hunks = [(int(start), int(start) + max(int(count or 1), 1)) for start, count in _HUNK.findall(diff)]
    for found in _STRUCTURE.finditer(text):
        first = text.count("\n", 0, found.start()) + 1
        last = first + found[0].count("\n")
        if any(start <= last and first < end for start, end in hunks):
            yield f"{found['kind']} {found['name']}"


def _sizes(kernel: Path, names: Sequence[str]) -> dict[str, int]:
    """Return the bytes of structures in a kernel; gdb is here already, and says no less of this than pahole."""
    asked = [word for name in names for word in ("-ex", f'printf "{name} %d\\n", sizeof({name})')]
    # It ends with an error if it does not know the last of them.
    said = shell.output((_GDB, "-nx", "-batch", *asked, "-ex", 'printf "\\n"', kernel))
    return {found["name"]: int(found["size"]) for found in _SIZE.finditer(said)}
