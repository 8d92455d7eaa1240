# SPDX-License-Identifier: GPL-2.0-only
"""The sources of test modules, and what is sent of them to guests."""

from __future__ import annotations

import shutil
from pathlib import Path

import msgspec

from harness import paths
from harness.build.toolchain import MODULE_NAMES
from harness.errors import BuildError
from harness.host import shell
from harness.model.matrix import Machine


class ModuleSource(msgspec.Struct, frozen=True):
    """Sources of a test module, with the options of make that it is built with."""

    called: str
    """its name in errors and in the progress"""
    files: tuple[tuple[str, bytes], ...]
    """names below its folder, and contents"""
    options: tuple[str, ...] = ()
    maps: tuple[str, ...] = MODULE_NAMES
    """options of the compiler that name its source files"""


def own_sources() -> ModuleSource:
    """Return the sources of the rig's own test module."""
    sources = ((name, (paths.TEST_MODULE / name).read_bytes()) for name in module_sources(paths.TEST_MODULE))
    return ModuleSource("the test module", tuple(sources))


def module_sources(folder: Path) -> list[str]:
    """Return the sources of the module in `folder`, relative to it, without files that a build generated."""
    names = (path.relative_to(folder) for path in folder.rglob("*") if path.suffix in (".c", ".h") or path.name == "Kbuild")
    return sorted(str(name) for name in names if not name.match("*.mod.c") and not any(part.startswith(".") for part in name.parts))


def strip(machine: Machine, module: Path) -> None:
    """Copy `module` to the subfolder debug, then strip its debug information: it is sent to every guest."""
    whole = module.parent / "debug" / module.name
    whole.parent.mkdir(exist_ok=True)
    shutil.copy(module, whole)
    shell.output(stripping(machine, whole, module), error=BuildError)


def stripping(machine: Machine, whole: Path, module: Path) -> tuple[str, ...]:
    """Return the command that copies the module `whole` to `module` without its debug information."""
    return f"{machine.build.cross_compile}objcopy", "--strip-debug", str(whole), str(module)
