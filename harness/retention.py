# SPDX-License-Identifier: GPL-2.0-only
"""Old runs' folders make room for new ones."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import time
from collections.abc import Collection
from pathlib import Path

import msgspec

from harness.errors import RigError

_NAME = re.compile(r"\d{8}-\d{6}-[0-9a-f]{4}")
_GOING = ".removing-"
"""begins the name of a folder whose removal has begun, so that a half-removed run is never taken for one"""
_DAY = 24 * 3600.0
"""seconds for which an unfinished run counts as one that is being written, since its last change"""


class Limits(msgspec.Struct, frozen=True):
    """What old runs may take; those that are never removed count as well."""

    runs: int = 30
    size: int = 5 << 30
    """bytes"""


class Removed(msgspec.Struct, frozen=True):
    """A run whose folder is gone."""

    run: str
    size: int
    """bytes of its files"""


class _Folder(msgspec.Struct, frozen=True):
    path: Path
    size: int
    changed: float
    finished: bool


class _Finished(msgspec.Struct):
    """All that retention has to know of run.json, which another version of the rig may have written."""

    finished: str = ""


def folders(results: Path) -> list[Path]:
    """Return the runs' folders in `results`, oldest first: by their names, with a run.json, and no links to elsewhere."""
    if not results.is_dir():
        return []
    found = [path for path in results.iterdir() if _NAME.fullmatch(path.name) and path.is_dir() and not path.is_symlink()]
    return sorted(path for path in found if (path / "run.json").is_file())


def prune(results: Path, limits: Limits, keep: Collection[str] = ()) -> list[Removed]:
    """Remove the oldest runs until there are no more, and no larger, than the limits say; return them.

    What stays in any case: the newest, what ``latest`` points to, those named by `keep`, and what is being written.
    Raises RigError when one cannot be removed.
    """
    _finish(results)
    kept = [_look(path) for path in folders(results)]
    safe = {*keep, _target(results / "latest"), *(folder.path.name for folder in kept[-1:])}
    removed = []
    for folder in list(kept):
        if len(kept) <= limits.runs and sum(other.size for other in kept) <= limits.size:
            break
        if folder.path.name in safe or (not folder.finished and time.time() - folder.changed < _DAY):
            continue
        _remove(folder.path)
        kept.remove(folder)
        removed.append(Removed(folder.path.name, folder.size))
    return removed


def _target(link: Path) -> str:
    return link.readlink().name if link.is_symlink() else ""


def _look(path: Path) -> _Folder:
    """Measure a folder without following links."""
    size, changed = 0, path.lstat().st_mtime
    for parent, _, names in os.walk(path):
        for name in names:
            with contextlib.suppress(FileNotFoundError):  # a run that is being written has files that come and go
                state = Path(parent, name).lstat()
                size += state.st_size
                changed = max(changed, state.st_mtime)
    return _Folder(path, size, changed, _finished(path / "run.json"))


def _finished(file: Path) -> bool:
    try:
        return bool(msgspec.json.decode(file.read_bytes(), type=_Finished).finished)
    except (OSError, msgspec.DecodeError):
        return False


def _remove(path: Path) -> None:
    going = path.with_name(_GOING + path.name)
    try:
        shutil.rmtree(path.rename(going))
    except OSError as error:
        raise RigError(f"The old run {path} cannot be removed: {error.strerror}; remove it by hand.") from error


def _finish(results: Path) -> None:
    """Remove what a removal left that was cut short."""
    for path in results.glob(f"{_GOING}*"):
        if _NAME.fullmatch(path.name.removeprefix(_GOING)) and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
