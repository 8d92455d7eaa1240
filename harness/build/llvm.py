# SPDX-License-Identifier: GPL-2.0-only
"""Tells whether a release can be built by clang/LLVM, and by the one that is installed here."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable

from harness.build import git, sandbox, toolchain
from harness.build.kernel_tree import MAKEFILE, Tree
from harness.errors import UsageError
from harness.host import shell
from harness.model import releases
from harness.model.matrix import Base, Cell, Machine
from harness.model.toolchains import Toolchain

_SINCE = (5, 7)
"""the release that LLVM=1 came with (a0d1c951ef08); of older ones some stable releases have it too, such as 5.4.61"""
_PROGRAMS = ("clang", "ld.lld", *(f"llvm-{name}" for name in ("ar", "nm", "objcopy", "objdump", "readelf", "strip")))
"""programs that make calls under LLVM=1"""
_KNOWS = b"$(LLVM)"
"""words in the Makefile of a source that knows LLVM=1"""
_LEAST = "scripts/min-tool-version.sh"
"""a source's own program that prints the oldest version of a tool that it can be built with; older releases have none"""
_VERSION = re.compile(r"\d+(?:\.\d+)+")


def check_installed() -> None:
    """Raise UsageError if a program is missing that make calls under LLVM=1."""
    if missing := [program for program in _PROGRAMS if not shutil.which(program)]:
        raise UsageError(
            f"--toolchain {Toolchain.LLVM} needs {', '.join(missing)}, which is not to be found here;"
            " `apt-get install clang lld llvm` installs all that it needs."
        )


def check_base(base: Base) -> None:
    """Raise UsageError for a base whose release has no LLVM=1, before its source is fetched."""
    release = releases.number(base.release)
    if release and release < _SINCE:
        raise _unknown(base.release)


def check_source(tree: Tree, cells: Iterable[Cell]) -> None:
    """Raise UsageError if one of `cells` is for LLVM, and the source cannot be built by it, or not by the one that is here."""
    machines = dict.fromkeys(cell.machine for cell in cells if cell.toolchain is Toolchain.LLVM)
    if machines and _KNOWS not in (git.blob(tree.commit, MAKEFILE) or b""):
        raise _unknown(tree.version)
    for machine in machines:
        least, found = _least(tree, machine), _VERSION.search(toolchain.LLVM.versions[0])
        if least and found and _parts(found[0]) < _parts(least):
            raise UsageError(
                f"Linux {tree.version} needs clang {least} or later on {machine.name}, and this is {found[0]};"
                " put a newer one first in PATH, or test an older release."
            )


def _unknown(release: str) -> UsageError:
    return UsageError(
        f"Linux {release} cannot be built with --toolchain {Toolchain.LLVM}: make's LLVM=1 came with 5.7;"
        " name a newer one with --kernel or --source, or leave the option out."
    )


def _least(tree: Tree, machine: Machine) -> str:
    """Return the oldest version of LLVM that the source says it can be built with; empty if it does not say."""
    script = git.blob(tree.commit, _LEAST)
    if script is None:
        return ""
    environment = {"ARCH": machine.build.arch, "SRCARCH": machine.build.source_arch}
    said = shell.output(sandbox.enter(("sh", "-s", "--", "llvm")), env=environment, stdin=script, error=UsageError)
    return said if _VERSION.fullmatch(said) else ""


def _parts(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))
