# SPDX-License-Identifier: GPL-2.0-only
"""A plan whose cell has its files in the cache, small ones that nobody built, for tests that move them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from harness import paths
from harness.build import keys
from harness.host import files
from harness.model import catalog
from harness.model.matrix import Base, Machine
from harness.suite.plan import Plan
from tests.support import make

BUILT = {
    "kernels/1111": ("image", "config", "vmlinux", "System.map", "build.json"),
    "modules/2222": ("vmalloc_test.ko", "vmalloc_second.ko", "debug/vmalloc_test.ko"),
    "rootfs/amd64-3": ("initramfs.cpio", "rootfs.json"),
}
"""files by folder of the cache"""


def plan(base: Base, machine: Machine | None = None, **other: Any) -> Plan:
    """Return a plan as `make.plan` does, whose files are there."""
    for folder, names in BUILT.items():
        for name in names:
            text = "{}\n" if name.endswith(".json") else f"{name} of {folder}\n" * 99
            files.write(paths.cache() / folder / name, text)
    for folder in ("kernels/1111", "modules/2222"):
        files.seal(paths.cache() / folder)
    keys.ensure()
    planned = make.plan(base, machine, suite=catalog.digest(), **other)
    return msgspec.structs.replace(planned, cells=tuple(_placed(planned, paths.cache())))


def _placed(planned: Plan, cache: Path) -> Any:
    for of in planned.cells:
        folder, module = cache / "kernels/1111", cache / "modules/2222/vmalloc_test.ko"
        kernel = msgspec.structs.replace(of.kernel, folder=folder, image=folder / "image", config=folder / "config", module=module)
        rootfs = msgspec.structs.replace(of.rootfs, image=cache / "rootfs/amd64-3/initramfs.cpio")
        yield msgspec.structs.replace(of, kernel=kernel, rootfs=rootfs)
