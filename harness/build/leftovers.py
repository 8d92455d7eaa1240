# SPDX-License-Identifier: GPL-2.0-only
"""Removes what is left in the rig's repository if git was killed there, or if the host lost its power."""

from __future__ import annotations

import os
import shutil
import time
import zlib
from collections.abc import Iterator
from contextlib import AbstractContextManager
from itertools import chain
from pathlib import Path

from harness import paths
from harness.errors import RigError, UsageError
from harness.host import files
from harness.host.deadline import Deadline

_POLL = 0.1
_PAGE = 4096
"""bytes that the host's kernel writes at once: a file whose end was not written ends at a multiple of them"""
_TEMPORARY = ("objects/??/tmp_obj_*", "objects/pack/tmp_*", "objects/pack/.tmp-*", "objects/tmp_objdir-*", "objects/incoming-*")
"""names that git gives to objects and packs until they are complete"""
_CHECKED = "rig-checked"
"""file in the repository with the boot of the host in which its objects were checked"""
_CORRUPT = ("is corrupt", "is empty", "bad object", "unable to read sha1", "unable to read tree", "invalid object")
"""texts of git's errors about an object that is damaged or missing"""
_BLOCKED = ("remove the file manually", "File exists")
"""texts of git's errors about a lock that it did not get"""


def in_use(repository: Path) -> AbstractContextManager[None]:
    """Keep others from removing locks in the repository, while a git of this rig works there."""
    return files.shared(users(repository))


def blocked(error: RigError) -> bool:
    """Return True if git failed because of a lock."""
    return any(text in str(error) for text in _BLOCKED)


def corrupt(error: RigError) -> bool:
    """Return True if git failed because of an object that is damaged or missing."""
    return any(text in str(error) for text in _CORRUPT)


def doubt(repository: Path) -> None:
    """Let the next process that uses the repository make it again."""
    files.write(repository / _CHECKED, "")


def remove(repository: Path, patience: float = 0.0) -> None:
    """Remove locks and temporary files of gits that ended before they were done.

    Once in each boot of the host it also looks for objects that were lost with the power; the repository is removed if
    there are any. Waits `patience` seconds for gits that work there. Raises UsageError if one still does.
    """
    deadline = Deadline(patience)
    while True:
        try:
            with files.locked(users(repository), f"Another rig works in {repository}; try again when it has ended."):
                _fail_if_at_work(repository)
                for path in leftovers(repository):
                    shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
                _check_after_a_boot(repository)
                return
        except UsageError:
            if deadline.over:
                raise
        time.sleep(_POLL)


def leftovers(repository: Path) -> list[Path]:
    """Return the locks and temporary files in a repository and among the rig's indexes, also those of living gits."""
    # The folders of objects are many, and have no locks.
    folders = [path for path in repository.glob("*") if path.name != "objects"]
    locks = chain(repository.glob("*.lock"), *(folder.rglob("*.lock") for folder in folders if folder.is_dir()))
    others = chain(repository.glob("objects/*/*.lock"), paths.cache().glob("index/[!.]*.lock"))
    return sorted({*locks, *others, *chain.from_iterable(map(repository.glob, _TEMPORARY))})


def users(repository: Path) -> Path:
    """Return the path that each git of a rig that works in the repository holds a shared lock of."""
    return repository.with_name(f"{repository.name}-users")


def _fail_if_at_work(repository: Path) -> None:
    """Raise UsageError if a git works in the repository that this rig did not start: an orphan, or the user's."""
    for pid, name in _gits():
        if _concerns(pid, repository):
            locks = ", ".join(map(str, leftovers(repository))) or repository
            raise UsageError(f"The process {pid} ({name}) still works with {locks}; wait until it has ended, or end it.")


def _gits() -> Iterator[tuple[int, str]]:
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            name = (folder / "comm").read_text().strip()
        except OSError:  # it has ended
            continue
        if name.startswith("git"):
            yield int(folder.name), name


def _concerns(pid: int, repository: Path) -> bool:
    """Return True if a process was started with the repository or one of its work trees, or in one of them."""
    trees = [Path(file.read_text().strip()).parent for file in repository.glob("worktrees/*/gitdir")]
    places = [repository, *(tree for tree in trees if tree.name)]
    try:
        folder = Path(f"/proc/{pid}/cwd").resolve(strict=True)
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        words += [word for word in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0") if word.startswith(b"GIT_")]
    except OSError:  # it has ended, or is another user's, who has a cache of his own
        return False
    return any(folder.is_relative_to(place) or any(os.fsencode(place) in word for word in words) for place in places)


def _check_after_a_boot(repository: Path) -> None:
    """Remove the repository if objects in it were lost: all that it holds can be imported again."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text()
    except OSError:
        return
    stamp = repository / _CHECKED
    checked = stamp.read_text() if stamp.exists() else "never"
    if not repository.exists() or checked == boot:
        return
    objects = repository.glob("objects/[0-9a-f][0-9a-f]/*")
    if not checked or any(map(_lost, objects)) or any(map(_empty, repository.glob("objects/pack/*"))):
        # The indexes and the memory of tarballs say what need not be imported.
        for path in (repository, *(paths.cache() / name for name in ("index", "tarballs"))):
            shutil.rmtree(path, ignore_errors=True)
        return
    files.write(stamp, boot)


def _empty(file: Path) -> bool:
    return file.stat().st_size == 0


def _lost(file: Path) -> bool:
    """Return True if a loose object is empty, or if its end is missing."""
    if file.stat().st_size % _PAGE:
        return False
    content = zlib.decompressobj()
    try:
        content.decompress(file.read_bytes())
    except zlib.error:
        return True
    return not content.eof
