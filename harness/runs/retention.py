# SPDX-License-Identifier: GPL-2.0-only
"""Old nights' folders make room for new ones; runs that somebody made by hand are never removed."""

from __future__ import annotations

import os
import re
from collections.abc import Collection
from pathlib import Path

import msgspec

from harness.host import files
from harness.model import failed_build, run_folder

LOG = "nightly.log"
"""file in a run's folder that marks a nightly run"""
_NAME = re.compile(r"\d{8}-\d{6}-[0-9a-f]{4}")


class Limits(msgspec.Struct, frozen=True):
    """Limits for the folders of nights and for the cache; what is never removed counts too."""

    runs: int = 30
    size: int = 5 << 30
    """bytes"""
    cache: int = 30 << 30
    """bytes of the whole cache, of which a run needs a part"""


class Removed(msgspec.Struct, frozen=True):
    """A run whose folder is gone."""

    run: str
    size: int
    """bytes of its files"""


def folders(results: Path) -> list[Path]:
    """Return the runs' folders in `results`, oldest first: by their names, with a run.json, and no links to elsewhere.

    That of a damaged run may be anything, such as a pipe.
    """
    return _named(results, run_folder.PROVENANCE)


def failed_builds(results: Path) -> list[Path]:
    """Return the folders of failed builds in `results`, oldest first."""
    return _named(results, failed_build.FILE)


def _named(results: Path, file: str) -> list[Path]:
    if not results.is_dir():
        return []
    named = [path for path in results.iterdir() if _NAME.fullmatch(path.name) and path.is_dir() and not path.is_symlink()]
    return sorted(path for path in named if os.path.lexists(path / file))


def prune(results: Path, limits: Limits, stored: Collection[str]) -> list[Removed]:
    """Remove the oldest nights until there are no more, and no larger, than the limits say; return them.

    Only those go whose names are in `stored`, or whose build failed, and neither the newest nor what ``latest`` points to.
    Raises RigError when one cannot be removed.
    """
    files.finish_removals(results)
    failed = failed_builds(results)
    nights = {path: files.size(path) for path in sorted((*folders(results), *failed)) if (path / LOG).is_file()}
    safe = {_target(results / "latest"), *(path.name for path in list(nights)[-1:])}
    removed: list[Removed] = []
    for path, size in list(nights.items()):
        if len(nights) <= limits.runs and sum(nights.values()) <= limits.size:
            break
        if (path.name in stored or path in failed) and path.name not in safe:
            files.remove(path)
            del nights[path]
            removed.append(Removed(path.name, size))
    return removed


def _target(link: Path) -> str:
    return link.readlink().name if link.is_symlink() else ""
