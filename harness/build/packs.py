# SPDX-License-Identifier: GPL-2.0-only
"""Packs a kernel's source, and a series on it, so that they travel to the rig's repository of another host."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from harness import paths
from harness.build import git
from harness.build.kernel_tree import Tree
from harness.errors import RigError
from harness.host import files

_NAME = "pack"
"""begins the names of git's files"""
# The objects are compressed anyway. To look for similar ones as well would take twice as long, for 2 % less of 4.18.
_FAST = ("--quiet", "--revs", "--window=0")


def source(tree: Tree) -> Path:
    """Return a folder of the cache with a source as a pack; it is made if the cache has none."""
    target = place(tree)
    with files.locked(target):
        if not files.whole(target):
            with files.folder(target) as work:
                _pack(work, tree.commit)
                files.seal(work, target.name)
    return target


def place(tree: Tree) -> Path:
    """Return the folder of the cache for a source as a pack."""
    return paths.cache() / "packs" / tree.commit


def series(tree: Tree, commit: str) -> bytes:
    """Return a pack of what `commit` has on top of a source; empty if that is nothing."""
    if commit == tree.commit:
        return b""
    with tempfile.TemporaryDirectory() as name:
        return _pack(Path(name), commit, f"^{tree.commit}").read_bytes()


def _pack(folder: Path, *wanted: str) -> Path:
    git.run("pack-objects", *_FAST, folder / _NAME, stdin="".join(f"{each}\n" for each in wanted).encode())
    return next(folder.glob("*.pack"))


def take_source(tree: Tree) -> bool:
    """Take a source from its pack in the cache, unless the repository has it; return False if neither is there.

    Raises RigError for a pack of something else.
    """
    if git.kept(_reference(tree)) == tree.commit:
        return True
    folder = place(tree)
    found = next(folder.glob("*.pack"), None)
    if found is None:
        return False
    git.run("index-pack", "--stdin", stdin=found.read_bytes())
    if git.tree_of(tree.commit) != tree.tree:
        raise RigError(f"The pack in {folder} holds another source than {tree.tree}.")
    git.keep(_reference(tree), tree.commit)
    shutil.rmtree(folder)  # the repository has it now
    return True


def take_series(pack: bytes) -> None:
    """Take what a series has on top of a source that the repository has."""
    if pack:
        git.run("unpack-objects", "-q", stdin=pack)


def _reference(tree: Tree) -> str:
    return f"sources/{tree.tree}"
