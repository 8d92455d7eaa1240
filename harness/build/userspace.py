# SPDX-License-Identifier: GPL-2.0-only
"""Builds mm/vmalloc.c of a patched source as a program for the host, with the sanitizers of the compiler."""

from __future__ import annotations

import re
from pathlib import Path

from harness import paths
from harness.build import git
from harness.errors import BuildError, UsageError
from harness.host import files, shell

SOURCES = paths.PROJECT / "userspace"
ALLOCATOR = "mm/vmalloc.c"
_HEADERS = ("list", "llist", "overflow", "rbtree", "rbtree_augmented", "rculist", "vmalloc")
"""headers of include/linux/ that are the source's own; the shim takes the place of all others"""
_CODE = (ALLOCATOR, "lib/rbtree.c", "lib/llist.c")
_SHIM = "#include <shim/kernel.h>\n"
_INCLUDED = re.compile(r'^\s*#\s*include\s*[<"]([^>"]+)', re.M)
_FREE_LIST = re.compile(r"^static LIST_HEAD\(vmap_free_list\)", re.M)
_FLAGS = (
    *("-g", "-O1", "-std=gnu11", "-fno-omit-frame-pointer", "-Wall", "-Wno-unused"),
    # As the kernel is built.
    *("-fwrapv", "-fno-strict-aliasing"),
    # list_for_each_entry() computes with pointers that lead nowhere.
    *("-fsanitize=address,undefined", "-fno-sanitize=pointer-overflow,null", "-fno-sanitize-recover=undefined"),
)


def build(commit: str, *bits: str) -> Path:
    """Return the program made of the source at `commit`; it is built if the cache has none.

    `bits` is ``-m32`` for a machine of 32 bits. Raises UsageError for a source that lacks a file, BuildError if it does
    not compile.
    """
    tree = {name: _read(commit, name) for name in (*(f"include/linux/{header}.h" for header in _HEADERS), *_CODE)}
    own = sorted((*SOURCES.glob("*.[ch]"), *SOURCES.glob("shim/*.h")))
    compiler = shell.output(("gcc", "--version"), error=BuildError).splitlines()[0]
    target = paths.cache() / "userspace" / files.digest(compiler, *bits, *_FLAGS, *own, *tree, *tree.values())[:16]
    with files.locked(target):
        if not files.whole(target):
            with files.folder(target) as work:
                _compile(work, tree, bits)
                files.seal(work, target.name)
    return target / "allocator"


def _read(commit: str, name: str) -> str:
    content = git.blob(commit, name)
    if content is None:
        raise UsageError(f"The source has no {name}, which the allocator is built of in user space.")
    return content.decode(errors="replace") + "\n"


def _compile(work: Path, tree: dict[str, str], bits: tuple[str, ...]) -> None:
    for name, content in tree.items():
        files.write(work / name, content)
    for included in sorted({name for content in tree.values() for name in _INCLUDED.findall(content)} | {"linux/kernel.h"}):
        place = work / ("mm/internal.h" if included == "internal.h" else f"include/{included}")
        if not place.exists():
            files.write(place, _SHIM)
    defined = []
    if _FREE_LIST.search(tree[ALLOCATOR]):
        defined.append("-DHAVE_VMAP_FREE_LIST")
    code: tuple[str | Path, ...] = (*sorted(SOURCES.glob("*.c")), *(name for name in _CODE if name != ALLOCATOR))
    # Relative names of the source's files, as the kernel has them in its messages.
    command = (
        "gcc",
        *bits,
        *_FLAGS,
        "-I.",
        "-Iinclude",
        f"-I{SOURCES}",
        *defined,
        "-o",
        "allocator",
        *code,
    )
    shell.output(command, cwd=work, error=BuildError)
