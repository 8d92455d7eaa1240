# SPDX-License-Identifier: GPL-2.0-only
"""Lists what the cache holds, and removes what was not used for the longest time."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from harness import paths
from harness.commands.mutant_bench import APART as MUTANTS
from harness.errors import RigError, UsageError
from harness.host import files
from harness.model import run_folder
from harness.model.cache import Entry
from harness.model.run_folder import Run
from harness.suite import plan

RECENT = 24 * 3600.0
"""seconds for which an entry that was used is kept in any case"""
_REMOVABLE = {
    "work tree with build folders": "trees/*/[!.]*",
    "kernel": "kernels/[!.]*",
    "test module": "modules/[!.]*",
    "initramfs": "rootfs/[!.]*",
    "trees and kernels of mutants": f"{MUTANTS}/[!.]*",
    "console log of a failed boot": "boot-failed/[!.]*",
    "traceback of an error of the rig": "errors/[!.]*",
    "compiler's cache of an older rig": "ccache",
    "cut-off build": "[kmr]*/.*.????????",
}
"""patterns of entries that are made again when they are needed, by kind"""
_KEPT = {
    "kernel source": "sources/[!.]*",
    "commits of sources and series": "linux.git",
    "compiler's cache": "ccache-2",
    "Debian packages": "apt",
}
"""patterns of entries that stay: a user's own, or small, or bounded by themselves"""


def entries(now: float | None = None) -> list[Entry]:
    """Return all entries of the cache, those that were not used for the longest time first."""
    needed, late = _needed(), (time.time() if now is None else now) - RECENT
    listed = []
    for kind, pattern in {**_REMOVABLE, **_KEPT}.items():
        for path in paths.cache().glob(pattern):
            used = _used(path)
            reason = "never removed" if kind in _KEPT else needed.get(path, "used in the last day" if used > late else "")
            listed.append(Entry(kind, path, files.size(path), used, reason))
    return sorted(listed, key=lambda entry: entry.used)


def prune(limit: int, now: float | None = None) -> list[Entry]:
    """Remove entries until the cache has at most `limit` bytes, or nothing is left that may go; return those removed.

    Nothing is removed that another rig holds, that the last build or an unfinished run needs, or that was used in the last day.
    Raises RigError if an entry cannot be removed.
    """
    for folder in {entry.path.parent for entry in entries(now)}:
        files.finish_removals(folder)
    listed = entries(now)
    total, removed = sum(entry.size for entry in listed), []
    for entry in listed:
        if total <= limit:
            break
        if not entry.kept and _remove(entry.path):
            total -= entry.size
            removed.append(entry)
    return removed


def _remove(path: Path) -> bool:
    """Remove an entry; return False if another rig holds it."""
    holder = path.parent if path.parent.name == MUTANTS else path
    try:
        with files.locked(holder, "It is in use."):
            files.remove(path)
    except UsageError:
        return False
    return True


def _needed() -> dict[Path, str]:
    """Return the entries that plans need, with the reason."""
    needed: dict[Path, str] = {}
    for name, file in _plans():
        try:
            cells = plan.load(file).cells
        except UsageError:  # of another version of the rig, which cannot go on with it either
            continue
        for cell in cells:
            for path in (cell.kernel.folder, cell.kernel.module.parent, cell.rootfs.image.parent):
                needed.setdefault(path, f"needed by {name}")
    return needed


def _plans() -> Iterator[tuple[str, Path]]:
    """Yield the plans that may still be tested: of the last build, and of runs that are not finished."""
    yield "the last build", paths.cache() / "plan.json"
    for file in paths.RESULTS.glob(f"*/{run_folder.PROVENANCE}"):
        try:
            finished = Run(file.parent).provenance().finished
        except RigError:
            continue
        if not finished:
            yield file.parent.name, file.with_name("plan.json")


def _used(path: Path) -> float:
    """Return the time of the last use: of the entry, or of what lies in it. A seal is touched with each use."""
    times: list[float] = [file.lstat().st_mtime for file in (path, *(path.iterdir() if path.is_dir() else ()))]
    return max(times)
