# SPDX-License-Identifier: GPL-2.0-only
"""A kernel by clang/LLVM: what is refused, and what keeps it apart from one that GCC built."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from harness.build import cells, kbuild, kernel_tree, llvm, patches, toolchain
from harness.build.jobserver import Own
from harness.build.kernel_tree import Tree
from harness.commands import pipeline
from harness.errors import UsageError
from harness.model import matrix
from harness.model.matrix import Base, Cell, Variant, load_machine, machine_names
from harness.model.selection import Selection
from harness.model.toolchains import Toolchain

LEAST = """\
#!/bin/sh
set -e
[ $# = 1 ]
case "$1" in
gcc) echo 5.1.0 ;;
llvm) if [ "$SRCARCH" = x86 ]; then echo 15.0.0; elif [ "$SRCARCH" = arm ]; then echo 9.2.0; else echo 13.0.1; fi ;;
esac
"""
KNOWS = "VERSION = 6\nPATCHLEVEL = 12\nSUBLEVEL = 7\nifneq ($(LLVM),)\nendif\n"
CLANG = "Debian clang version 14.0.6"


def by(toolchain: Toolchain, machine: str = "x86_64", profile: str = "perf") -> Cell:
    return Cell(load_machine(machine), Variant("stock"), profile, toolchain)


def knowing(folder: Path, least: str | None = None) -> Tree:
    """Return a source that knows LLVM=1, with the program that prints the oldest versions of tools, if it has one."""
    (folder / "Makefile").write_text(KNOWS)
    if least is not None:
        (folder / "scripts").mkdir()
        (folder / "scripts/min-tool-version.sh").write_text(least)
    return kernel_tree.import_folder(folder, "here", print)


@pytest.fixture(autouse=True)
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with all programs of LLVM, first in PATH; none of them can be run."""
    folder = tmp_path / "llvm"
    folder.mkdir()
    for name in llvm._PROGRAMS:
        (folder / name).touch(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    monkeypatch.setattr(toolchain, "_version", lambda program: CLANG if program == "clang" else f"{program} 2.40")
    return folder


def test_what_is_not_installed_is_named_with_its_packages(installed: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(installed))
    llvm.check_installed()
    (installed / "ld.lld").unlink()
    (installed / "llvm-nm").unlink()
    with pytest.raises(UsageError, match=r"^--toolchain llvm needs ld\.lld, llvm-nm, which .* `apt-get install clang lld llvm`"):
        llvm.check_installed()
    with pytest.raises(UsageError, match="needs ld"):
        pipeline.prepare(Selection(toolchain="llvm", kernel="6.12"), (), print)
    assert not cache.exists(), "nothing was fetched"


@pytest.mark.parametrize("kernel", ["", "4.18"])
def test_a_release_without_it_is_refused_before_anything_is_fetched(cache: Path, kernel: str) -> None:
    said = r"^Linux 4\.18 cannot be built with --toolchain llvm: make's LLVM=1 came with 5\.7; name a newer one with --kernel"
    with pytest.raises(UsageError, match=said):
        cells.check(Selection(toolchain="llvm", kernel=kernel))
    assert not cache.exists()


@pytest.mark.parametrize("wanted", [{"kernel": "6.1"}, {"kernel": "6.12"}, {"source": "https://kernel.invalid/linux.git#v6.12"}])
def test_a_release_that_has_it_or_may_have_it_is_not(wanted: dict[str, str]) -> None:
    cells.check(Selection(toolchain="llvm", **wanted))  # type: ignore[arg-type]


def test_a_source_without_it_is_refused(tree: Tree) -> None:
    with pytest.raises(UsageError, match=r"^Linux 4\.18\.0 cannot be built with --toolchain llvm"):
        llvm.check_source(tree, [by(Toolchain.LLVM)])
    llvm.check_source(tree, [by(Toolchain.GCC)])


def test_a_clang_that_is_too_old_is_named_for_the_machine_that_needs_another(kernel_source: Path) -> None:
    asks = knowing(kernel_source, LEAST)
    llvm.check_source(asks, [by(Toolchain.LLVM, "aarch64"), by(Toolchain.LLVM, "arm32"), by(Toolchain.GCC)])
    said = r"^Linux 6\.12\.7 needs clang 15\.0\.0 or later on x86_64, and this is 14\.0\.6; put a newer one first in PATH"
    with pytest.raises(UsageError, match=said):
        llvm.check_source(asks, [by(Toolchain.LLVM, "aarch64"), by(Toolchain.LLVM)])


@pytest.mark.parametrize("least", [None, "exit 0\n", "echo any\n"], ids=["no program", "says nothing", "says something else"])
def test_a_source_that_names_no_oldest_version_takes_any(kernel_source: Path, least: str | None) -> None:
    llvm.check_source(knowing(kernel_source, least), [by(Toolchain.LLVM)])


def test_a_program_of_the_source_that_fails_is_a_sentence(kernel_source: Path) -> None:
    with pytest.raises(UsageError, match=r"`sh -s -- llvm` failed with exit code 3"):
        llvm.check_source(knowing(kernel_source, "exit 3\n"), [by(Toolchain.LLVM)])


@pytest.mark.parametrize(("machine", "folder"), [("x86_64", "x86"), ("aarch64", "arm64"), ("arm32", "arm")])
def test_the_folder_of_an_architecture_is_the_images(machine: str, folder: str) -> None:
    assert load_machine(machine).build.source_arch == folder


@pytest.mark.parametrize("machine", machine_names())
def test_make_is_told_to_take_clang_for_the_kernel_and_gcc_for_the_host(base: Base, machine: str) -> None:
    words = toolchain.make(base, by(Toolchain.LLVM, machine))
    assert {"LLVM=1", "CC=rig-cc clang", "HOSTCC=rig-cc gcc"} <= set(words)
    assert "CC=clang" in toolchain.make(base, by(Toolchain.LLVM, machine), "")
    usual = toolchain.make(base, by(Toolchain.GCC, machine))
    assert f"CC=rig-cc {load_machine(machine).build.compiler}" in usual
    assert set(words) - set(usual) == {"LLVM=1", "CC=rig-cc clang"}


def test_a_kernel_of_one_is_never_taken_for_one_of_the_other(base: Base, monkeypatch: pytest.MonkeyPatch) -> None:
    def keys() -> list[str]:
        return [kbuild.key(base, by(each), "tree", {"CONFIG_MMU": "y"}) for each in Toolchain]

    gcc, first = keys()
    assert gcc != first
    for newer in ("clang", "ld.lld", "x86_64-linux-gnu-ld"):
        with monkeypatch.context() as patch:
            patch.setattr(toolchain, "_version", lambda name, newer=newer: CLANG if name == "clang" != newer else f"{name} {newer}")
            assert keys()[1] != first


def test_each_has_a_build_folder_and_a_lock_of_its_own(base: Base, tree: Tree) -> None:
    patched = patches.Patched(tree.commit, tree.tree, (), ())
    builds = [kbuild.KernelBuild(base, by(each), patched, Own(1), print) for each in Toolchain]
    assert [build.folder.name for build in builds] == ["build-x86_64-perf", "build-x86_64-perf-llvm"]
    assert [build.lock.name for build in builds] == ["stock-x86_64-perf", "stock-x86_64-perf-llvm"]
    assert len({build.tree for build in builds}) == 1


@pytest.mark.parametrize(("name", "toolchain"), [("", Toolchain.GCC), ("gcc", Toolchain.GCC), ("llvm", Toolchain.LLVM)])
def test_all_cells_of_a_run_have_the_one_that_was_chosen(name: str, toolchain: Toolchain) -> None:
    made = cells.cells(Selection(toolchain=name, profile="perf,debug"), matrix.load_base("6.12"))
    assert {cell.toolchain for cell in made} == {toolchain}
    assert len(made) == 8


def test_another_name_is_a_mistake() -> None:
    with pytest.raises(UsageError, match=r"^There is no toolchain 'clang'; known are gcc, llvm\.$"):
        cells.check(Selection(toolchain="clang"))
