# SPDX-License-Identifier: GPL-2.0-only
"""Finds lines of a patched source in the files of the patches, so that a finding can be shown at the patch's line."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

import msgspec

from harness import paths
from harness.build import git
from harness.errors import RigError
from harness.model.coverage import ChangedLine
from harness.model.run_folder import Run
from harness.model.summary import InPatch
from harness.report.summary import Places

_FILE = re.compile(r"^\+\+\+ (?:[^/\s]+/)?(\S+)")
_HUNK = re.compile(r"^@@ -\d+(?:,(\d+))? \+(\d+)(?:,(\d+))? @@")
Added = Mapping[tuple[str, str], list[tuple[int, int]]]
"""lines that a patch adds, by file and text: number in the file after the patch, and number in the patch"""


class _Variant(msgspec.Struct):
    name: str
    series: str | None = None


class _Cell(msgspec.Struct):
    variant: _Variant


class _Built(msgspec.Struct):
    cell: _Cell


class _Planned(msgspec.Struct):
    """The part of a plan that says where the series are."""

    cells: tuple[_Built, ...]


def of(run: Run) -> Places:
    """Return the folders of a run's series and the places of its changed lines in the patches, as far as the files are there."""
    where = series(run)
    folders = {name: shown for name, place in where.items() if (shown := folder(place))}
    files: dict[Path, Added] = {}
    lines = {}
    for cell in run.changed_lines():
        for line in cell.lines:
            file = where[cell.variant] / line.patch if cell.variant in where else None
            if file is not None and file not in files:
                files[file] = _read(file)
            number = _number(line, files[file]) if file is not None else 0
            path = _relative(file) if file is not None and number else ""
            lines[cell.variant, line.file, line.line] = InPatch(line.patch, path, number)
    return Places(folders, lines)


def added(patch: str) -> Added:
    """Return the lines that a patch adds."""
    found: dict[tuple[str, str], list[tuple[int, int]]] = defaultdict(list)
    file, number, old, new = "", 0, 0, 0
    for place, line in enumerate(patch.split("\n"), 1):
        if old > 0 or new > 0:
            if line.startswith("+"):
                found[file, line[1:].rstrip()].append((number, place))
            if not line.startswith(("-", "\\")):
                number, new = number + 1, new - 1
            if not line.startswith(("+", "\\")):
                old -= 1
        elif hunk := _HUNK.match(line):
            old, number, new = int(hunk[1] or 1), int(hunk[2]), int(hunk[3] or 1)
        elif begins := _FILE.match(line):
            file = begins[1]
    return found


def _number(line: ChangedLine, of: Added) -> int:
    """Return the number of a line in its patch; of several with its text that which later patches moved least; 0 if none."""
    same = of.get((line.file, line.text), [])
    return min(same, key=lambda each: abs(each[0] - line.line))[1] if same else 0


def hunk(series: Path, patch: str, text: str) -> InPatch:
    """Return the place at which a hunk with this text begins in a patch of the series at `series`, as far as it is found."""
    file = _file(series, patch)
    before, found, _ = _text(file).partition(text) if text else ("", "", "")
    return InPatch(patch, _relative(file) if found else "", before.count("\n") + 1 if found else 0)


def blamed(series: Path, source: str, commit: str, file: str, line: int) -> InPatch | None:
    """Return the place of a line of a patched source in its patch; None if it is one of the commit `source`, or unknown."""
    try:
        told = git.run("blame", "--porcelain", "-L", f"{line},{line}", f"{source}..{commit}", "--", file).split("\n")
    except RigError:  # a file that the build makes, or one of a module
        return None
    if "boundary" in told:
        return None
    patch = next((row.removeprefix("summary ") for row in told if row.startswith("summary ")), "")
    _, original, *_ = told[0].split()
    same = _read(_file(series, patch)).get((file, told[-1].removeprefix("\t").rstrip()), [])
    number = next((place for number, place in same if number == int(original)), 0)
    return InPatch(patch, _relative(_file(series, patch)) if number else "", number)


def _file(series: Path, patch: str) -> Path:
    return series if series.is_file() else series / patch


def series(run: Run) -> dict[str, Path]:
    """Return the folder or file of each variant's series; none if the run's plan cannot be read."""
    try:
        planned = msgspec.json.decode((run.folder / "plan.json").read_bytes(), type=_Planned)
    except (OSError, msgspec.DecodeError):
        return {}
    return {built.cell.variant.name: Path(built.cell.variant.series) for built in planned.cells if built.cell.variant.series}


def _read(file: Path) -> Added:
    return added(_text(file))


def _text(file: Path) -> str:
    try:
        return file.read_text(errors="replace")
    except (OSError, ValueError):  # it is gone, or its patch is one of several in a file and has no name of its own
        return ""


def folder(path: Path) -> str:
    """Return the folder of a series relative to the project; empty if it lies elsewhere, or is a file."""
    try:
        return _relative(path) if path.is_dir() else ""
    except OSError:  # a name that no folder can have
        return ""


def _relative(path: Path) -> str:
    resolved = path.resolve()
    return str(resolved.relative_to(paths.PROJECT)) if resolved.is_relative_to(paths.PROJECT) else ""
