# SPDX-License-Identifier: GPL-2.0-only
"""A source and a series travel as packs, and are the same commits in another repository."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from harness.build import git, packs, patches
from harness.build.kernel_tree import Tree
from harness.build.patches import Patched
from harness.errors import RigError
from harness.host import files
from harness.model.matrix import Variant
from tests.support.series import diff


@pytest.fixture
def patched(tree: Tree, tmp_path: Path) -> Patched:
    """The source with two patches."""
    folder = tmp_path / "mine"
    folder.mkdir()
    for number in (1, 2):
        (folder / f"{number}.patch").write_text(diff(10 * number))
    return patches.apply(tree, Variant("mine", folder))


@pytest.fixture
def there(tmp_path: Path) -> Path:
    """The cache of another host."""
    return tmp_path / "there"


def move(folder: Path, there: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Go to the other host, and take a pack along."""
    shutil.copytree(folder, there / "packs" / folder.name)
    monkeypatch.setenv("RIG_CACHE", str(there))


def test_source_and_series_are_the_same_commits_there(
    tree: Tree, patched: Patched, there: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    series = packs.series(tree, patched.commit)
    move(packs.source(tree), there, monkeypatch)
    assert packs.take_source(tree)
    packs.take_series(series)
    assert git.tree_of(patched.commit) == patched.tree
    assert (git.blob(patched.commit, "mm/vmalloc.c") or b"").count(b"LINE") == 2
    assert not list((there / "packs").iterdir()), "the repository has it"
    assert packs.take_source(tree), "also without the pack"


def test_a_source_is_packed_once_and_again_if_the_pack_is_damaged(tree: Tree) -> None:
    folder = packs.source(tree)
    (pack,) = folder.glob("*.pack")
    before = pack.stat().st_ino
    assert packs.source(tree) == folder
    assert pack.stat().st_ino == before
    pack.chmod(0o644)
    pack.write_bytes(b"rotten")
    assert files.whole(packs.source(tree))


def test_stock_has_nothing_on_top_of_its_source(tree: Tree) -> None:
    assert packs.series(tree, tree.commit) == b""
    packs.take_series(b"")


def test_without_a_pack_the_source_is_lacking(tree: Tree, there: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RIG_CACHE", str(there))
    assert not packs.take_source(tree)


def test_a_pack_of_something_else_is_an_error(tree: Tree, patched: Patched, there: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = Tree(tree.commit, patched.tree, tree.version, tree.origin)
    move(packs.source(tree), there, monkeypatch)
    with pytest.raises(RigError, match="holds another source than"):
        packs.take_source(other)
    assert not git.kept(f"sources/{patched.tree}")


def test_a_pack_that_is_cut_off_is_an_error(tree: Tree, there: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    move(packs.source(tree), there, monkeypatch)
    (pack,) = packs.place(tree).glob("*.pack")
    content = pack.read_bytes()
    pack.chmod(0o644)
    pack.write_bytes(content[: len(content) // 2])
    with pytest.raises(RigError, match="index-pack"):
        packs.take_source(tree)
