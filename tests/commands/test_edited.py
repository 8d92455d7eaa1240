# SPDX-License-Identifier: GPL-2.0-only
"""What is edited in a checkout becomes a selection."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from harness import paths
from harness.build import cells, patches, source
from harness.commands import edited, timings
from harness.errors import UsageError
from harness.model.matrix import Base, find_variant
from harness.model.selection import Selection, words
from tests.support.git import run_git


@pytest.fixture
def tree(kernel_source: Path) -> Path:
    """A checkout of the tiny source, with one line edited."""
    for command in (("init", "--quiet"), ("add", "."), ("commit", "--quiet", "-m", "Linux 4.18")):
        run_git(kernel_source, *command)
    file = kernel_source / "mm/vmalloc.c"
    file.write_text(file.read_text().replace("line 7\n", "line seven\n"))
    return kernel_source


def test_the_edits_are_a_series_on_top_of_head(base: Base, tree: Path) -> None:
    wanted = edited.selected(Selection(machine="x86_64"), str(tree / "mm"))
    assert (wanted.variant, wanted.tests, wanted.scale, wanted.plain) == (f"{tree.name}-edits", "stress", "quick", True)
    assert wanted.machine == "x86_64"
    found = source.resolve(base, wanted.source, print)
    patched = patches.apply(found, find_variant(base, wanted.variant, Path(wanted.series)))
    assert patched.files == (("mm/vmalloc.c",),)
    assert patched.notes == ()


@pytest.mark.parametrize(("patchlevel", "like"), [("18", ""), ("20", "4.18")])
def test_head_may_be_of_any_release(tree: Path, patchlevel: str, like: str) -> None:
    makefile = tree / "Makefile"
    makefile.write_text(makefile.read_text().replace("PATCHLEVEL = 18", f"PATCHLEVEL = {patchlevel}"))
    run_git(tree, "commit", "--quiet", "--allow-empty", "-m", "HEAD", "Makefile")
    wanted = edited.selected(Selection(machine="x86_64"), str(tree))
    had = source.sources(wanted, print)
    assert (had.base.name, had.base.like) == (f"4.{patchlevel}", like)
    (cell,) = cells.cells(wanted, had.base)
    assert patches.apply(had.tree, cell.variant).files == (("mm/vmalloc.c",),)


def test_what_is_compared_is_tested_with_head_as_well(tree: Path) -> None:
    wanted = edited.selected(Selection(tests="le_fit_alloc_test,align_shift_alloc_test", scale="default"), str(tree))
    assert (wanted.variant, wanted.scale) == (f"stock,{tree.name}-edits", "default")
    assert words(wanted) == (
        *("--variant", f"stock,{tree.name}-edits", "--tests", "le_fit_alloc_test,align_shift_alloc_test", "--scale", "default"),
        *("--plain", "--source", wanted.source, "--series", wanted.series),
    )


def test_a_foreign_module_is_loaded_into_both_kernels(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    module = tmp_path_factory.mktemp("module")
    (module / "one.c").write_text("")
    wanted = edited.selected(Selection(module=str(module), module_args="a=1"), str(tree))
    assert (wanted.variant, wanted.tests, wanted.module_args) == (f"stock,{tree.name}-edits", "", "a=1")


def test_the_time_that_the_edits_take_is_recorded(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timings, "HERE", timings.Record(0.0))
    edited.selected(Selection(), str(tree))
    assert [(span.stage, span.of, span.what) for span in timings.HERE.spans()] == [("try", tree.name, "reading the edits")]


def test_the_same_edits_are_the_same_series(tree: Path) -> None:
    first = edited.selected(Selection(), str(tree))
    assert edited.selected(Selection(), str(tree)) == first
    (tree / "mm/vmalloc.c").write_text("other\n")
    other = edited.selected(Selection(), str(tree))
    assert other.series != first.series
    assert other.variant == first.variant
    assert len(list((paths.cache() / edited.FOLDER).iterdir())) == 2


def test_nothing_to_try(tree: Path, tmp_path: Path) -> None:
    subprocess.run(("git", "-C", tree, "checkout", "--quiet", "."), check=True)
    with pytest.raises(UsageError, match=f"Nothing is edited in {tree}"):
        edited.selected(Selection(), str(tree))
    with pytest.raises(UsageError, match="Name it with --tree"):
        edited.selected(Selection(), "")
    with pytest.raises(UsageError, match=f"{tmp_path} is no git checkout"):
        edited.selected(Selection(), str(tmp_path))


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        (Selection(source="x"), "--source has no meaning here"),
        (Selection(series="x"), "--series has no meaning here"),
        (Selection(variant="stock"), "--variant has no meaning here"),
        (Selection(each_patch=True), "--each-patch has no meaning here"),
        (Selection(tests="none"), "There is no test 'none'"),
        (Selection(machine="none"), "There is no machine 'none'"),
        (Selection(scale="none"), "There is no scale 'none'"),
    ],
)
def test_options_that_are_wrong_whatever_is_edited(tree: Path, wanted: Selection, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        edited.check(wanted)
    with pytest.raises(UsageError, match=said):
        edited.selected(wanted, str(tree))


@pytest.mark.parametrize("left", [".config", "include/config/auto.conf"])
def test_a_tree_that_was_built_in(tree: Path, left: str) -> None:
    (tree / left).parent.mkdir(parents=True, exist_ok=True)
    (tree / left).write_text("CONFIG_X=y\n")
    with pytest.raises(UsageError, match=f"{tree} has been built in, and git does not ignore"):
        edited.selected(Selection(), str(tree))
    (tree / ".gitignore").write_text("/.config\n/include/config/\n")
    assert edited.selected(Selection(), str(tree)).series


def test_the_command_has_all_digits_of_a_number() -> None:
    assert words(Selection(loops=0.1234567, boots=3)) == ("--boots", "3", "--loops", "0.1234567")
