# SPDX-License-Identifier: GPL-2.0-only
"""Work trees of the rig's repository: what is in them, and while something is built from one."""

from __future__ import annotations

import subprocess
import threading
from pathlib import Path

import pytest

from harness.build import git, patches
from harness.build.kernel_tree import Tree
from harness.errors import RigError
from tests.support.applied import of
from tests.support.series import diff


def test_the_work_tree_is_that_of_the_patches(tree: Tree, tmp_path: Path, cache: Path) -> None:
    file = tmp_path / "fix.patch"
    file.write_text(diff(10))
    patched = patches.apply(tree, of(file))
    place = cache / "trees/4.18/mine"
    git.worktree(place, tree.commit)
    untouched = (place / "Makefile").stat().st_mtime_ns
    git.worktree(place, patched.commit)
    assert "LINE 10" in (place / "mm/vmalloc.c").read_text()
    assert (place / "Makefile").stat().st_mtime_ns == untouched
    (place / "mm/vmalloc.c").write_text("edited by hand\n")
    git.worktree(place, patched.commit)
    assert "LINE 10" in (place / "mm/vmalloc.c").read_text()
    assert not subprocess.run(("git", "-C", place, "status", "--porcelain"), capture_output=True, check=True).stdout


def test_a_work_tree_loses_what_is_in_no_commit_but_for_builds(tree: Tree, cache: Path) -> None:
    place = cache / "trees/4.18/mine"
    git.worktree(place, tree.commit)
    (place / "include").mkdir()
    for name in ("include/stray.h", "mm/stray.c", "build-x86_64-perf"):
        (place / name).touch()
    with git.held(place, tree.commit, lambda _: None):
        assert sorted(file.name for file in place.iterdir()) == [".git", "Makefile", "build-x86_64-perf", "mm"]
        assert [file.name for file in (place / "mm").iterdir()] == ["vmalloc.c"]


def test_a_work_tree_that_does_not_stay_as_it_is_is_given_up(tree: Tree, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(git, "worktree", lambda *_: None)
    with (
        pytest.raises(RigError, match="remove it"),
        git.held(cache / "trees/4.18/mine", tree.commit, lambda _: None),
    ):
        pass


def test_a_work_tree_stays_as_it_is_while_something_is_built_from_it(tree: Tree, tmp_path: Path, cache: Path) -> None:
    file = tmp_path / "fix.patch"
    file.write_text(diff(10))
    patched = patches.apply(tree, of(file))
    place = cache / "trees/4.18/mine"
    order: list[str] = []

    def build(commit: str, name: str) -> None:
        with git.held(place, commit, order.append):
            assert ("LINE 10" in (place / "mm/vmalloc.c").read_text()) == (commit == patched.commit)
            order.append(name)

    other = threading.Thread(target=build, args=(patched.commit, "patched"))
    with git.held(place, tree.commit, order.append):
        build(tree.commit, "stock beside it")
        other.start()
        other.join(0.5)
        assert "LINE 10" not in (place / "mm/vmalloc.c").read_text()
        order.append("stock")
    other.join(30)
    assert [said for said in order if "checking out" not in said] == ["stock beside it", "stock", "patched"]
