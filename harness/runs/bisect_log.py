# SPDX-License-Identifier: GPL-2.0-only
"""The log of a bisect: written as it goes, and read to take over what was judged."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from harness import paths
from harness.errors import UsageError
from harness.host import stored
from harness.model import run_folder
from harness.model.bisection import Begun, Concluded, Tried
from harness.model.run_folder import Run

NAME = "bisect.jsonl"
FOLDER = "bisect"
"""the folder of results/ that has those of bisects"""


_Line = Begun | Tried | Concluded
_KINDS: Any = _Line
"""the same for msgspec; mypy takes no union for a type"""


class BisectLog:
    """A bisect's folder, with its log and the runs of its prefixes."""

    def __init__(self, folder: Path) -> None:
        """Use `folder`; it is made if it does not exist."""
        self.run = Run(folder)

    @property
    def file(self) -> Path:
        """The log itself."""
        return self.run.folder / NAME

    def add(self, line: _Line) -> None:
        """Append a line; it is on the disk when this returns."""
        self.run.append(NAME, msgspec.json.encode(line) + b"\n")

    def read(self) -> tuple[Begun, list[Tried], Concluded | None]:
        """Return the first line, what was tried, and the conclusion if there is one; UsageError if a line makes no sense.

        A last line without an end is that of a bisect that was killed while it wrote it, and is left out.
        """
        *lines, _ = _content(self.file).split(b"\n")
        read: list[_Line] = []
        for number, line in enumerate(lines, 1):
            try:
                read.append(stored.decode(line, _KINDS))
            except msgspec.DecodeError as error:
                raise UsageError(f"{self.file}:{number}: {error}; remove the line, and what it says is tried again.") from error
        if not read or not isinstance(read[0], Begun):
            raise UsageError(f"{self.file} does not begin as the log of a bisect does; begin a new one.")
        concluded = [line for line in read if isinstance(line, Concluded)]
        return read[0], [line for line in read if isinstance(line, Tried)], concluded[-1] if concluded else None


def new() -> BisectLog:
    """Return the log of a new bisect, in results/."""
    return BisectLog(run_folder.new_folder(paths.RESULTS / FOLDER))


def find(name: str) -> BisectLog:
    """Return the log of a bisect by its name in results/bisect/, its folder or its file; the newest for an empty name.

    Raises UsageError if there is none.
    """
    parent = paths.RESULTS / FOLDER
    if not name:
        logs = sorted(parent.glob(f"*/{NAME}"))
        if not logs:
            raise UsageError(f"There is no bisect to resume in {parent}.")
        return BisectLog(logs[-1].parent)
    for place in (Path(name), parent / name):
        file = place / NAME if place.is_dir() else place
        if file.name == NAME and file.is_file():
            return BisectLog(file.resolve().parent)
    raise UsageError(f"There is no bisect '{name}'; name a folder in {parent}, or the {NAME} in it.")


def _content(file: Path) -> bytes:
    try:
        return stored.content(file)
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}.") from error
