# SPDX-License-Identifier: GPL-2.0-only
"""A kernel module that makes the kernel report one kind of trouble, and how it is built."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from harness import paths
from harness.build import buildlog, kbuild, toolchain
from harness.build.jobserver import Jobserver
from harness.build.kbuild import Kernel
from harness.errors import BuildError
from harness.host import files, shell
from harness.model.matrix import Base, Cell

MODULE = "provoke"
_FOLDER = Path(__file__).parent


def sources() -> list[Path]:
    """Return the files that the module is built from."""
    return [path for path in sorted(_FOLDER.iterdir()) if path.suffix in (".c", ".h") or path.name == "Kbuild"]


def build(base: Base, cell: Cell, kernel: Kernel) -> Path:
    """Return provoke.ko for `kernel`, the built kernel of `cell`; cached by the kernel and the module's source.

    Raises BuildError with the first error, and where the build folder that the cell's
    kernel was built in has gone or holds another one by now.
    """
    made = paths.cache() / cell.variant.apart / "modules" / files.digest(kernel.key, *_named(sources()))[:16]
    module = made / f"{MODULE}.ko"
    if module.exists():
        return module
    with files.locked(made):  # tests beside each other may ask for it at once
        if not module.exists():
            _build(base, cell, kernel, made)
    return module


def _build(base: Base, cell: Cell, kernel: Kernel, made: Path) -> None:
    """Build the module into the folder `made`."""
    folder = kbuild.folder_of(kbuild.tree_of(base, cell.variant), cell)
    key = folder / "rig-key"
    if not key.exists() or key.read_text() != kernel.key:
        raise BuildError(f"{cell.name}: {folder} holds another kernel than {kernel.folder}; remove the latter and build again.")
    with files.folder(made) as work, Jobserver(os.cpu_count() or 1, 1) as jobs:
        for path in sources():
            shutil.copy(path, work)
        log = folder / f"{MODULE}.log"
        log.unlink(missing_ok=True)
        # Its own files are called what they are called here, wherever it is built.
        names = f"KCFLAGS=-fmacro-prefix-map={work}=provoke -fdebug-prefix-map={work}=provoke"
        command = (*toolchain.make(base, cell.machine), names, "-C", str(folder), f"M={work}", "modules")
        if shell.follow(command, log=log, env=toolchain.environment(jobs, cell.variant), pass_fds=jobs.fds):
            raise BuildError(f"{cell.name}: {MODULE}.ko does not build: {buildlog.first_error(log)}; the whole log is {log}.")
        shutil.copy(log, work / "build.log")
        # Debug information is most of it, and loading it takes the guest's memory and time.
        shell.output((f"{cell.machine.build.cross_compile}strip", "--strip-debug", work / f"{MODULE}.ko"), error=BuildError)


def _named(files: list[Path]) -> list[str | Path]:
    return [part for path in files for part in (path.name, path)]
