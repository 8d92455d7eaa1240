# SPDX-License-Identifier: GPL-2.0-only
"""A kernel that was built, with its test module, and how it is described beside them."""

from __future__ import annotations

from pathlib import Path

import msgspec

MODULE = "vmalloc_test"
SECOND = "vmalloc_second"
"""the module that a test of MODULE loads and unloads"""


class Kernel(msgspec.Struct, frozen=True):
    """A kernel and its test module, ready to boot."""

    folder: Path
    """holds config, vmlinux, System.map, functions.json, sources.json and build.json"""
    image: Path
    config: Path
    module: Path
    """the module that is loaded, without debug information"""
    key: str
    release: str
    build_id: str
    """build-id of vmlinux, which every guest that runs it reports"""
    module_build_id: str
    commit: str = ""
    """of its source in the rig's repository"""
    foreign: bool = False
    """True if its module is not the rig's own"""

    @property
    def vmlinux(self) -> Path:
        """The kernel with debug information; source files have their paths in the kernel's tree."""
        return self.folder / "vmlinux"

    @property
    def functions(self) -> Path:
        """File with the kernel's functions and data objects, to compare it with another kernel."""
        return self.folder / "functions.json"

    @property
    def sources(self) -> Path:
        """File with the names of the source files that it was compiled from."""
        return self.folder / "sources.json"

    @property
    def second_module(self) -> Path:
        """The module that a test of the first one loads, without debug information."""
        return self.module.parent / f"{SECOND}.ko"

    @property
    def debug_module(self) -> Path:
        """The module with debug information; source files are named ``test_module/...``."""
        return self.module.parent / "debug" / self.module.name


class Metadata(msgspec.Struct, frozen=True):
    """Description of a built kernel in build.json, with the command that builds it again by hand."""

    release: str
    tree: str
    patches: tuple[str, ...]
    compiler: str
    linker: str
    command: str
    seconds: float
    objects: int
    loaded: str = ""
    """digest of all sections that are loaded into memory"""
