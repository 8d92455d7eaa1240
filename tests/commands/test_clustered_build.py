# SPDX-License-Identifier: GPL-2.0-only
"""What a cluster built lies in the cache as if it had been built here; what is there already is not built."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

pytest.importorskip("distributed", reason="NOT TESTED: distributed is not installed; ./bootstrap installs it")

from harness import paths
from harness.build import patches, toolchain
from harness.build.jobserver import Own
from harness.build.kbuild import KernelBuild
from harness.build.kernel_tree import Tree
from harness.build.modules import ModuleSource
from harness.build.patches import Patched
from harness.build.source import Sources
from harness.cluster.address import Address
from harness.cluster.build_task import BuildAnswer, BuildTask
from harness.cluster.builds import Ended
from harness.commands import clustered_build, pipeline
from harness.commands.pipeline import Prepared
from harness.commands.progress import Progress
from harness.errors import BuildError, RigError
from harness.host import files
from harness.model.matrix import Base, Cell, Variant, load_machine
from harness.model.selection import Selection
from tests.support import built_there
from tests.support.series import diff

PLACE = Address("tls", "host", 1)
MODULE = ModuleSource("the module", (("mine.c", b"int x;"),))


class Cluster:
    """A connection that is not there; it takes the place of the class, and of what hands out builds."""

    def __init__(self) -> None:
        self.builds: list[BuildTask] = []
        self.answers: list[BuildAnswer] = []
        self.closed = False

    def __call__(self, *_: object) -> Cluster:
        return self

    def __enter__(self) -> Cluster:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def check(self, here: object) -> None:
        pass

    def handed(self, connection: object, heard: object, builds: list[BuildTask]) -> Cluster:
        self.builds += builds
        return self

    def ends(self) -> Iterator[Ended]:
        try:
            for build, answer in zip(self.builds, self.answers, strict=True):
                yield Ended(build, answer)
        finally:
            self.closed = True


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Cluster:
    made = Cluster()
    monkeypatch.setattr(clustered_build, "Connection", made)
    monkeypatch.setattr(clustered_build, "Builds", made.handed)
    monkeypatch.setattr(toolchain, "identity", lambda cell: ("gcc 12", "ld 2.40"))
    return made


@pytest.fixture
def sources(base: Base, tree: Tree) -> Sources:
    return Sources(base, tree)


def cells(sources: Sources, *variants: Variant) -> dict[Cell, Patched]:
    return {Cell(load_machine("x86_64"), variant, "perf"): patches.apply(sources.tree, variant) for variant in variants}


def run(sources: Sources, wanted: dict[Cell, Patched], module: ModuleSource | None = None) -> tuple[str, ...]:
    return clustered_build.run(PLACE, sources, wanted, module, Progress("build"))


@pytest.fixture
def mine(tmp_path: Path) -> Variant:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "1.patch").write_text(diff(10))
    return Variant("mine", folder)


def test_each_kernel_that_is_lacking_is_built_with_what_is_on_top_of_the_source(
    cluster: Cluster, sources: Sources, mine: Variant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RIG_PATIENCE", "3")
    monkeypatch.setenv("RIG_SANDBOX", "auto")
    wanted = cells(sources, Variant("stock"), Variant("twin"), mine)
    cluster.answers = [BuildAnswer("w1", notes=("w1: a note",)), BuildAnswer("w2", notes=("w1: a note",))]
    assert run(sources, wanted) == ("w1: a note",)
    stock, patched = cluster.builds
    assert (stock.cell.variant.name, patched.cell.variant.name) == ("stock", "mine"), "twin is the same kernel as stock"
    assert stock.series == b""
    assert patched.series
    assert patched.environment == {"RIG_PATIENCE": "3", "RIG_SANDBOX": "auto"}
    assert stock.kernel != patched.kernel
    assert not stock.foreign
    assert stock.run == patched.run


def test_what_the_cache_has_is_not_built(cluster: Cluster, sources: Sources) -> None:
    (cell, patched), *_ = cells(sources, Variant("stock")).items()
    work = KernelBuild(sources.base, cell, patched, Own(1), print)
    for folder in (work.kernel, work.module_folder(MODULE)):
        files.write(folder / "file", "content")
        files.seal(folder)
    assert run(sources, {cell: patched}, MODULE) == ()
    assert not cluster.builds
    files.write(work.module_folder(MODULE) / "file", "rotten")
    cluster.answers = [BuildAnswer("w1")]
    run(sources, {cell: patched}, MODULE)
    (build,) = cluster.builds
    assert (build.module, build.foreign) == (MODULE, True)


def test_kernels_that_are_removed_after_use_are_built_here(cluster: Cluster, sources: Sources) -> None:
    run(sources, cells(sources, Variant("stock", apart="audit/stock", scratch=True)))
    assert not cluster.builds


def test_what_came_is_as_if_it_had_been_built_here(base: Base, tmp_path: Path) -> None:
    answer = built_there.answer(tmp_path)
    clustered_build.take(Ended(built_there.task(base), answer))
    for place in (built_there.KERNEL, built_there.MODULE):
        assert files.whole(paths.cache() / place)
    assert (paths.cache() / built_there.MODULE / "debug/vmalloc_test.ko").exists()


def test_what_is_there_stays(base: Base, tmp_path: Path) -> None:
    built_there.folders(paths.cache())
    image = paths.cache() / built_there.KERNEL / "image"
    before = image.stat().st_ino
    clustered_build.take(Ended(built_there.task(base), built_there.answer(tmp_path)))
    assert image.stat().st_ino == before


def test_what_is_damaged_on_the_way_is_an_error_and_leaves_nothing(base: Base, tmp_path: Path) -> None:
    answer = built_there.answer(tmp_path)
    kernel, module = answer.made
    damaged = msgspec.structs.replace(kernel, archive=module.archive)
    with pytest.raises(RigError, match=f"{built_there.KERNEL} did not arrive as it was sent"):
        clustered_build.take(Ended(built_there.task(base), msgspec.structs.replace(answer, made=(damaged,))))
    assert not (paths.cache() / built_there.KERNEL).exists()


def test_what_has_no_seal_is_an_error(base: Base, tmp_path: Path) -> None:
    built_there.folders(tmp_path)
    (tmp_path / built_there.KERNEL / files.SEAL).unlink()
    answer = BuildAnswer("w1", made=built_there.made(tmp_path, built_there.KERNEL))
    with pytest.raises(RigError, match="came from w1 without its seal"):
        clustered_build.take(Ended(built_there.task(base), answer))


def test_what_does_not_compile_is_said_as_at_home_with_the_log_here(cluster: Cluster, sources: Sources) -> None:
    broken = "x86_64/stock/perf: the kernel does not build: mm/a.c:1:1: error; the whole log is /there/build.log."
    cluster.answers = [BuildAnswer("w1", broken=broken, cell="x86_64/stock/perf", log=b"all of it", log_file="/there/build.log")]
    with pytest.raises(BuildError) as caught:
        run(sources, cells(sources, Variant("stock")))
    log = paths.cache() / "build-failed/x86_64-stock-perf.log"
    assert str(caught.value) == broken.replace("/there/build.log", str(log))
    assert log.read_text() == "all of it"
    told = caught.value.cell, caught.value.log, caught.value.commit
    assert told == ("x86_64/stock/perf", log, sources.tree.commit), "the build's summary tells of it as of one here"
    assert cluster.closed, "the others are ended"


def test_a_selection_without_a_cluster_asks_none(base: Base, tree: Tree, cluster: Cluster) -> None:
    prepared = Prepared(Sources(base, tree), (), {})
    assert pipeline._elsewhere(Selection(), prepared, None, Progress("build")) == ()
