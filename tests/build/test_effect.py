# SPDX-License-Identifier: GPL-2.0-only
"""Kernels of one run held against each other: what is told of them, and what a run keeps of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from harness.build import effect
from harness.build.built import BuiltCell
from harness.build.kernel import Kernel
from harness.build.patches import Patched
from harness.build.rootfs import Rootfs
from harness.model.changes import Change, Changes, KernelContents, Symbol
from harness.model.matrix import Base, Cell, Variant, load_machine
from harness.model.run_folder import Run
from harness.runs import lifecycle
from tests.support import make

FUNCTION = Symbol("alloc_vmap_area", "mm/vmalloc.c", 800, "00")


@pytest.fixture
def built(tmp_path: Path) -> Any:
    """Return what makes a kernel with one function, whose digest is given."""

    def make_one(
        variant: str, digest: str, *, machine: str = "x86_64", key: str = "", sources: tuple[str, ...] = ("mm/vmalloc.c",)
    ) -> BuiltCell:
        series = None if variant == "stock" else tmp_path / variant.partition("@")[0]
        cell = Cell(load_machine(machine), Variant(variant, series), "perf")
        folder = tmp_path / cell.file_name
        folder.mkdir()
        function = msgspec.structs.replace(FUNCTION, digest=digest)
        (folder / "functions.json").write_bytes(msgspec.json.encode(KernelContents(f"loaded {digest}", (function,), ())))
        (folder / "sources.json").write_bytes(msgspec.json.encode(sources))
        (folder / "build.json").write_text('{"release": "4.18.0", "seconds": 12.5}')
        (folder / "config").write_text("CONFIG_MMU=y\n")
        (folder / "rootfs.json").write_text("{}")
        kernel = Kernel(
            folder,
            folder / "image",
            folder / "config",
            folder / "m.ko",
            key or cell.file_name,
            "4.18.0",
            make.BUILD_ID,
            make.MODULE_BUILD_ID,
        )
        return BuiltCell(cell, kernel, Rootfs(folder / "initramfs", "0" * 64, make.INITRAMFS, {}), "tcg")

    return make_one


def patched(*cells: BuiltCell, **files: tuple[str, ...]) -> dict[Variant, Patched]:
    """Return that the patches of each series, in this order, change these `files`; of a prefix so many of them."""
    made = {}
    for cell in cells:
        variant = cell.cell.variant
        count = int(variant.name.partition("@")[2] or len(files)) if variant.series else 0
        names = tuple(list(files)[:count])
        made[variant] = Patched("0" * 40, "0" * 40, names, (), tuple(files[name] for name in names))
    return made


def test_each_kernel_is_held_against_its_predecessor_of_the_same_machine(built: Any) -> None:
    cells = [
        built("stock", "0"),
        built("mine@1", "1"),
        built("mine", "2"),
        built("mine", "1", machine="aarch64"),
        built("mine@1", "1", machine="aarch64"),
    ]
    changed = Changes((Change("changed", "alloc_vmap_area", "mm/vmalloc.c", 800, 800),))
    found = [(of.machine, of.variant, of.against, of.changes) for of in effect.between(cells)]
    assert found == [
        ("x86_64", "mine@1", "stock", changed),
        ("x86_64", "mine", "mine@1", changed),
        ("aarch64", "mine", "mine@1", Changes(same_image=True)),
    ]


def test_a_kernel_of_which_nothing_is_kept_is_left_out(built: Any) -> None:
    cells = [built("stock", "0"), built("mine@1", "1"), built("mine", "2")]
    cells[1].kernel.functions.unlink()
    assert [(of.variant, of.against) for of in effect.between(cells)] == [("mine", "stock")]
    cells[0].kernel.functions.unlink()
    cells[2].kernel.sources.unlink()
    assert effect.between(cells) == ()
    assert effect.notes(cells, patched(*cells, a=("mm/vmalloc.c",))) == ()


def test_kernels_that_are_the_same_are_told(built: Any) -> None:
    cells = [
        built("stock", "0"),
        built("mine@1", "1"),
        built("mine@2", "1"),
        built("mine@3", "0"),
        built("mine", "0", key="x86_64-mine@3-perf"),
    ]
    assert effect.notes(cells, patched(*cells, a=("mm/vmalloc.c",), b=("mm/vmalloc.c",), c=("mm/vmalloc.c",))) == (
        "x86_64/mine@2/perf is the same image as x86_64/mine@1/perf: these patches change nothing in this configuration.",
        "x86_64/mine@3/perf is the same image as x86_64/stock/perf:"
        " what their patches do differently changes nothing in this configuration.",
        "x86_64/mine/perf is the same image as x86_64/mine@3/perf: their source is the same.",
    )


def test_a_patch_of_nothing_that_is_compiled_is_told_once(built: Any) -> None:
    cells = [built("stock", "0"), built("mine@1", "1"), built("mine", "2")]
    told = patched(*cells, **{"0001-hmm.patch": ("mm/hmm.c",), "0002-x.patch": ("mm/vmalloc.c", "mm/hmm.c")})
    said = "0001-hmm.patch changes only mm/hmm.c, which is not compiled for x86_64, profile perf; its effect is not tested here."
    assert effect.notes(cells, told) == (said,)


def test_a_file_that_a_later_patch_has_compiled_is_tested(built: Any) -> None:
    cells = [built("mine@1", "1"), built("mine", "2", sources=("mm/vmalloc.c", "mm/new.c")), built("yours", "3")]
    told = patched(*cells, **{"0001-new.patch": ("mm/new.c",), "0002-use.patch": ("mm/Makefile",)})
    assert effect.notes(cells, told) == (
        "0001-new.patch changes only mm/new.c, which is not compiled for x86_64, profile perf; its effect is not tested here.",
    ), "of the series yours, which has it too"
    assert effect.notes(cells[:2], told) == ()


def test_a_run_keeps_what_its_kernels_change(tmp_path: Path, base: Base, built: Any) -> None:
    cells = (built("stock", "0"), built("mine", "1"))
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/a.patch").write_text("--- a/a\n+++ b/a\n@@ -1 +1 @@\n-a\n+b\n")
    run = Run(tmp_path / "run")
    lifecycle.begin(run, make.plan(base, cells=cells, notes=("a note",)), "invoke test")
    assert run.changes() == list(effect.between(cells))
    assert [(name, len(digest)) for name, digest in run.provenance().patchsets.items()] == [("mine", 64)]
    stock, mine = (msgspec.json.decode((run.folder / f"x86_64-{name}-perf.build.json").read_bytes()) for name in ("stock", "mine"))
    assert stock == {"release": "4.18.0", "seconds": 12.5}
    assert mine == {
        **stock,
        "against": "stock",
        "changes": {
            "functions": [{"kind": "changed", "name": "alloc_vmap_area", "file": "mm/vmalloc.c", "before": 800, "after": 800}],
            "data": [],
            "same_image": False,
        },
    }
    assert Run(tmp_path / "before").changes() == [], "a run from before has no such file"
