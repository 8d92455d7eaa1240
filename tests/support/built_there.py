# SPDX-License-Identifier: GPL-2.0-only
"""Builds for a cluster, and their answers, without a kernel."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from harness.build.kernel_tree import Tree
from harness.build.modules import ModuleSource
from harness.build.patches import Patched
from harness.cluster import artifacts
from harness.cluster.artifacts import Artifact
from harness.cluster.build_task import BuildAnswer, BuildTask, Made
from harness.cluster.revision import Facts
from harness.host import files
from harness.model.matrix import Base, Cell, Variant, load_machine

KERNEL, MODULE = "kernels/0123456789abcdef", "modules/fedcba9876543210"
"""places of what a build makes"""
TREE = Tree("c" * 40, "7" * 40, "4.18.0", "here")


def task(base: Base, variant: str = "stock", **other: Any) -> BuildTask:
    """Return a build of a cell of x86_64."""
    fields: dict[str, Any] = {
        "run": "the-run",
        "client": "me",
        "facts": Facts("1", {}),
        "base": base,
        "cell": Cell(load_machine("x86_64"), Variant(variant, Path("/some/series")), "perf"),
        "source": TREE,
        "patched": Patched(TREE.commit, TREE.tree, (), ()),
        "series": b"",
        "tools": ("gcc 12", "ld 2.40"),
        "kernel": KERNEL,
        "module": ModuleSource("the test module", (("main.c", b"\0int x;"),)),
    }
    return msgspec.structs.replace(BuildTask(**fields), **other)


def folders(root: Path) -> None:
    """Put a small kernel and a module into the cache at `root`."""
    for place, names in ((KERNEL, ("image", "config", "vmlinux")), (MODULE, ("vmalloc_test.ko", "debug/vmalloc_test.ko"))):
        for name in names:
            files.write(root / place / name, f"{name} of {place}\n" * 99)
        files.seal(root / place)


def made(root: Path, *places: str) -> tuple[Made, ...]:
    """Return folders of the cache at `root`, as a worker sends them."""
    found = (Artifact(place, artifacts.digest(root / place)) for place in places or (KERNEL, MODULE))
    return tuple(Made(artifact, artifacts.archive(root, artifact)) for artifact in found)


def answer(root: Path, worker: str = "w1", **other: Any) -> BuildAnswer:
    """Return the answer of a worker that built in the cache at `root`."""
    folders(root)
    return BuildAnswer(worker, made=made(root), **other)
