# SPDX-License-Identifier: GPL-2.0-only
"""Lists what the cache holds, and removes what was not used for the longest time."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

from harness import paths
from harness.commands.dry_cells import STAGED
from harness.commands.edited import FOLDER as EDITS
from harness.commands.mutant_bench import APART as MUTANTS
from harness.errors import RigError, UsageError
from harness.host import files
from harness.model.cache import Entry
from harness.model.run_folder import Run
from harness.runs import lifecycle, retention
from harness.suite import plan

RECENT = 24 * 3600.0
"""seconds for which an entry that was used is kept in any case"""
_CUT_OFF = "cut-off build"
_REMOVABLE = {
    "work tree with build folders": "trees/*/[!.]*",
    "kernel": "kernels/[!.]*",
    "test module": "modules/[!.]*",
    "initramfs": "rootfs/[!.]*",
    "what a dry run packs an initramfs of": f"{STAGED}/[!.]*",
    "plugin of QEMU": "plugins/[!.]*",
    "allocator in user space": "userspace/[!.]*",
    "trees and kernels of mutants": f"{MUTANTS}/[!.]*",
    "edits that were tried": f"{EDITS}/[!.]*",
    "source packed for a cluster": "packs/[!.]*",
    "console log of a failed boot": "boot-failed/[!.]*",
    "log of a failed build on a cluster": "build-failed/[!.]*",
    "traceback of an error of the rig": "errors/[!.]*",
    "compiler's cache of an older rig": "ccache",
    _CUT_OFF: "[kmr]*/.*.????????",
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
    top = paths.cache()
    for place in {pattern.rpartition("/")[0] for pattern in _REMOVABLE.values()}:
        for folder in top.glob(place) if place else (top,):
            files.finish_removals(folder)
    listed = entries(now)
    total, removed = sum(entry.size for entry in listed), []
    for entry in listed:
        if total <= limit:
            break
        if not entry.kept and _remove(entry):
            total -= entry.size
            removed.append(entry)
    return removed


def _remove(entry: Entry) -> bool:
    """Remove an entry; return False if another rig holds it."""
    path = entry.path
    if entry.kind == _CUT_OFF:
        with files.held(path) as free:
            if free:
                files.remove(path)
            return free
    if not path.is_dir():
        files.remove(path)
        return True
    try:
        with files.locked(path.parent if path.parent.name == MUTANTS else path, "It is in use."):
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
    """Yield the plans that may still be tested: of the last build, of runs that can be resumed, and of soaks under way."""
    yield "the last build", paths.cache() / "plan.json"
    for folder in retention.folders(paths.RESULTS):
        run = Run(folder)
        try:
            if lifecycle.is_open(run) or not run.provenance().finished:
                yield folder.name, folder / "plan.json"
        except RigError:
            continue


def _used(path: Path) -> float:
    """Return the time of the last use: of the entry, or of what lies in it. A seal is touched with each use."""
    times = [0.0]
    with contextlib.suppress(OSError):  # gone meanwhile
        for file in (path, *(path.iterdir() if path.is_dir() else ())):
            with contextlib.suppress(OSError):
                times.append(file.lstat().st_mtime)
    return max(times)
