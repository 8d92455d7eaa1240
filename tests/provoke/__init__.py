# SPDX-License-Identifier: GPL-2.0-only
"""A kernel module that makes the kernel report one kind of trouble, and how it is built."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from harness.build.jobserver import Own
from harness.build.kbuild import KernelBuild
from harness.build.kernel import Kernel, Metadata
from harness.build.modules import ModuleSource
from harness.build.patches import Patched
from harness.model.matrix import Base, Cell

MODULE = "provoke"
_FOLDER = Path(__file__).parent
_MAPS = ("-fmacro-prefix-map={work}=provoke", "-fdebug-prefix-map={work}=provoke")


def sources() -> list[Path]:
    """Return the files that the module is built from."""
    return [path for path in sorted(_FOLDER.iterdir()) if path.suffix in (".c", ".h") or path.name == "Kbuild"]


def build(base: Base, cell: Cell, kernel: Kernel) -> Path:
    """Return provoke.ko for `kernel`, the built kernel of `cell`; it is built if the cache has none.

    Raises BuildError with the first error of the log.
    """
    metadata = msgspec.json.decode((kernel.folder / "build.json").read_bytes(), type=Metadata)
    patched = Patched(kernel.commit, metadata.tree, metadata.patches, ())
    files = tuple((path.name, path.read_bytes()) for path in sources())
    work = KernelBuild(base, cell, patched, Own(os.cpu_count() or 1), lambda _: None)
    return work.module(ModuleSource("the module that provokes", files, maps=_MAPS)) / f"{MODULE}.ko"
