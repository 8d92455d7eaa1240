# SPDX-License-Identifier: GPL-2.0-only
"""Old nights' folders make room for new ones; runs that somebody made by hand are never removed."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from collections.abc import Collection
from pathlib import Path

import msgspec

from harness.errors import RigError
from harness.model import run_folder

LOG = "nightly.log"
"""file in a run's folder that marks a nightly run"""
_NAME = re.compile(r"\d{8}-\d{6}-[0-9a-f]{4}")
_GOING = ".removing-"
"""begins the name of a folder whose removal has begun, so that a half-removed run is never taken for one"""


class Limits(msgspec.Struct, frozen=True):
    """Limits for the folders of nights; those that are never removed count too."""

    runs: int = 30
    size: int = 5 << 30
    """bytes"""


class Removed(msgspec.Struct, frozen=True):
    """A run whose folder is gone."""

    run: str
    size: int
    """bytes of its files"""


def folders(results: Path) -> list[Path]:
    """Return the runs' folders in `results`, oldest first: by their names, with a run.json, and no links to elsewhere.

    That of a damaged run may be anything, such as a pipe.
    """
    if not results.is_dir():
        return []
    named = [path for path in results.iterdir() if _NAME.fullmatch(path.name) and path.is_dir() and not path.is_symlink()]
    return sorted(path for path in named if os.path.lexists(path / run_folder.PROVENANCE))


def prune(results: Path, limits: Limits, stored: Collection[str]) -> list[Removed]:
    """Remove the oldest nights until there are no more, and no larger, than the limits say; return them.

    Only those go whose names are in `stored`, and neither the newest nor what ``latest`` points to.
    Raises RigError when one cannot be removed.
    """
    _finish(results)
    nights = {path: _size(path) for path in folders(results) if (path / LOG).is_file()}
    safe = {_target(results / "latest"), *(path.name for path in list(nights)[-1:])}
    removed: list[Removed] = []
    for path, size in list(nights.items()):
        if len(nights) <= limits.runs and sum(nights.values()) <= limits.size:
            break
        if path.name in stored and path.name not in safe:
            _remove(path)
            del nights[path]
            removed.append(Removed(path.name, size))
    return removed


def _target(link: Path) -> str:
    return link.readlink().name if link.is_symlink() else ""


def _size(path: Path) -> int:
    """Return the bytes of a folder's files, without following links."""
    size = 0
    for parent, _, names in os.walk(path):
        for name in names:
            with contextlib.suppress(OSError):  # gone since it was listed
                size += Path(parent, name).lstat().st_size
    return size


def _remove(path: Path) -> None:
    going = path.with_name(_GOING + path.name)
    try:
        shutil.rmtree(path.rename(going))
    except OSError as error:
        raise RigError(f"The old run {path} cannot be removed: {error.strerror}; remove it by hand.") from error


def _finish(results: Path) -> None:
    """Finish removals that were cut short."""
    for path in results.glob(f"{_GOING}*"):
        if _NAME.fullmatch(path.name.removeprefix(_GOING)) and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
