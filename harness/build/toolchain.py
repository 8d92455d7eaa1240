# SPDX-License-Identifier: GPL-2.0-only
"""Calls of compilers and make: their options, and all of the environment that they see."""

from __future__ import annotations

import functools
import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from harness import paths
from harness.build.jobserver import Jobs
from harness.errors import BuildError
from harness.host import shell
from harness.model.matrix import Base, Cell, Variant
from harness.model.toolchains import Toolchain

IDENTITY = {
    # A kernel must not depend on the time, the host or the user of its build.
    "KBUILD_BUILD_TIMESTAMP": "Sun Aug 12 20:41:04 UTC 2018",
    "KBUILD_BUILD_USER": "rig",
    "KBUILD_BUILD_HOST": "kernel-patch-rig",
    "KBUILD_BUILD_VERSION": "1",
}
COMPILER = paths.TOOLS / "rig-cc"
"""calls compilers, through ccache if that is allowed"""
CCACHE = {
    # The folders of all variants share objects; these contain no path of the build folder.
    "CCACHE_NOHASHDIR": "1",
    # Ignore every ccache.conf.
    "CCACHE_CONFIGPATH": os.devnull,
    # Not CCACHE_DEPEND: it would save the preprocessing of a miss, but does not see the files that .incbin reads.
    "CCACHE_SLOPPINESS": "time_macros,include_file_ctime,include_file_mtime",
}
OBJECTS = "ccache-2"
"""folder in the cache; an old one called ``ccache`` was filled in depend mode and must not be used"""
ROOM = "8G"
"""maximum size of the folder of objects"""
# Debug information names a source file by its path in the kernel's tree, independent of the tree and the build folder.
# The compiler runs in the build folder and sees the source as "../". The image contains a digest of the debug
# information, and ccache ignores these options: so every path that differs between two builds has to be mapped.
SOURCE_NAMES = ("-fdebug-prefix-map=../=", "-fdebug-prefix-map={folder}=.")
# The same for the module, which is built in the folder that it stays in; a WARN() in it prints the mapped name.
MODULE_NAMES = ("-fdebug-prefix-map={work}=test_module", "-fmacro-prefix-map={work}=test_module")


class Tools(NamedTuple):
    """Programs that build a kernel, and how make is told to use them."""

    compiler: str
    linker: str
    variables: tuple[str, ...] = ()
    """of make"""

    @property
    def programs(self) -> tuple[str, str]:
        """The compiler and the linker."""
        return self.compiler, self.linker

    @property
    def versions(self) -> tuple[str, str]:
        """The versions of the compiler and the linker."""
        return _version(self.compiler), _version(self.linker)


LLVM = Tools("clang", "ld.lld", ("LLVM=1",))


class Command(NamedTuple):
    """A command of a build."""

    words: tuple[str, ...]
    env: Mapping[str, str] = {}
    """variables on top of those of all commands of a build"""

    @property
    def assigned(self) -> tuple[str, ...]:
        """Its words behind its variables, as env(1) takes them."""
        return (*map("=".join, self.env.items()), *self.words)


def tools(cell: Cell) -> Tools:
    """Return the programs that build the kernel of `cell`."""
    return LLVM if cell.toolchain is Toolchain.LLVM else _gnu(cell)


def _gnu(cell: Cell) -> Tools:
    return Tools(cell.machine.build.compiler, f"{cell.machine.build.cross_compile}ld")


def make(base: Base, cell: Cell, launcher: str = f"{COMPILER.name} ") -> tuple[str, ...]:
    """Return the make command for the kernel of `cell` or a module of it, without folders and targets.

    `launcher` is the program that calls the compilers, followed by a blank; empty for none.
    """
    build_, used = cell.machine.build, tools(cell)
    return (
        "make",
        f"ARCH={build_.arch}",
        *used.variables,
        # Until 5.15 clang is told its target by the prefix, and uses the assembler that has it.
        f"CROSS_COMPILE={build_.cross_compile}",
        f"CC={launcher}{used.compiler}",
        f"HOSTCC={launcher}gcc",
        # Set but empty: otherwise the release would get a "+" in a tree with patches.
        "LOCALVERSION=",
        *base.make_variables,
    )


def flags(names: tuple[str, ...], folder: Path, work: Path | None = None) -> tuple[str, ...]:
    """Return make's variables with the options that map source names, for C and for assembly."""
    options = " ".join(name.format(folder=folder, work=work) for name in names)
    return f"KCFLAGS={options}", f"KAFLAGS={options}"


def identity(cell: Cell) -> tuple[str, ...]:
    """Return the versions of all programs that decide what the kernel of `cell` is."""
    # Before 5.15 the assembler of LLVM=1 is that of binutils, which have the linker's version.
    others = (_gnu(cell).versions[1],) if cell.toolchain is Toolchain.LLVM else ()
    return (*tools(cell).versions, *others)


@functools.cache
def _version(program: str) -> str:
    return shell.output((program, "--version"), error=BuildError).splitlines()[0]


def environment(jobs: Jobs, variant: Variant) -> dict[str, str]:
    """Return the whole environment of make, without the user's KCFLAGS, LLVM and the like: no cache key covers them."""
    own = {name: os.environ[name] for name in ("HOME", "TMPDIR") if name in os.environ}
    if variant.scratch:
        own["CCACHE_DISABLE"] = "1"
    return {
        **own,
        "PATH": f"{COMPILER.parent}:{os.environ.get('PATH', os.defpath)}",
        "LC_ALL": "C",
        **IDENTITY,
        **CCACHE,
        "CCACHE_DIR": str(objects()),
        "CCACHE_MAXSIZE": ROOM,
        "MAKEFLAGS": jobs.makeflags,
    }


def objects() -> Path:
    """Return the folder of the compiler's cache."""
    return paths.cache() / OBJECTS
