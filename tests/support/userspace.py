# SPDX-License-Identifier: GPL-2.0-only
"""The source that the allocator is built of in user space, and its programs, each built once."""

from __future__ import annotations

import functools
import os
import shutil
import tempfile
from pathlib import Path

from harness.build import git, patches, source, userspace
from harness.commands import mutants as commands
from harness.model import matrix, mutants
from harness.model.matrix import Base
from tests.support import linux

_NEEDED = ("Makefile", "mm/vmalloc.c", "mm/percpu.c", "mm/percpu-vm.c", "lib/rbtree.c", "lib/llist.c")


def base() -> Base:
    return matrix.load_base("4.18")


@functools.cache
def program(variant: str, mutant: str = "", *bits: str) -> Path:
    """Return the program of a variant, with a bug of mutants.toml if one is named; skips where there is no source."""
    folder = small()
    before = os.environ.get("RIG_CACHE")
    os.environ["RIG_CACHE"] = str(_cache())
    try:
        commit = patches.apply(source.resolve(base(), str(folder), lambda line: None), matrix.find_variant(base(), variant)).commit
        if mutant:
            (named,) = mutants.choose(commands.load(base(), variant), mutant)
            changed = mutants.mutate(named, lambda name: (git.blob(commit, name) or b"").decode() + "\n")
            commit = git.with_files(commit, changed, mutant)
        return userspace.build(commit, *bits)
    finally:
        del os.environ["RIG_CACHE"]
        if before is not None:
            os.environ["RIG_CACHE"] = before


@functools.cache
def _cache() -> Path:
    return Path(tempfile.mkdtemp(prefix="u")) / "c"


@functools.cache
def small() -> Path:
    """Return a folder with the part of the source that the series change or the program is made of; skips without it."""
    linux.needed()
    folder = _cache().parent / "linux"
    headers = [f"include/linux/{path.name}" for path in (linux.FOLDER / "include/linux").glob("*.h")]
    for name in (*_NEEDED, *headers):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(linux.FOLDER / name, folder / name)
    return folder
