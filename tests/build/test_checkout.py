# SPDX-License-Identifier: GPL-2.0-only
"""A user's checkout is read, and none of the programs that its configuration names is run."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import pytest

from harness.build import checkout, git, source
from harness.errors import UsageError
from harness.model.matrix import Base
from tests.support.git import run_git


@pytest.fixture
def cloned(kernel_source: Path) -> Path:
    run_git(kernel_source, "init", "--quiet")
    run_git(kernel_source, "add", ".")
    run_git(kernel_source, "commit", "--quiet", "-m", "Linux 4.18")
    return kernel_source


def trap(folder: Path, ran: Path) -> None:
    """Let a repository name a program wherever one can be named; each leaves a file in `ran`."""
    ran.mkdir()

    def program(name: str) -> str:
        script = ran.with_name(f"{ran.name}-{name}")
        script.write_text(f"#!/bin/sh\ntouch {ran}/{name}\ncat\n")
        script.chmod(0o755)
        return str(script)

    run_git(folder, "config", "filter.evil.clean", program("clean"))
    run_git(folder, "config", "filter.evil.smudge", program("smudge"))
    run_git(folder, "config", "filter.long=name.process", program("process"))
    run_git(folder, "config", "diff.evil.textconv", program("textconv"))
    run_git(folder, "config", "diff.external", program("external"))
    run_git(folder, "config", "core.fsmonitor", program("fsmonitor"))
    run_git(folder, "config", "core.alternateRefsCommand", program("alternates"))
    run_git(folder, "config", "uploadpack.packObjectsHook", program("pack"))
    hooks = ("post-index-change", "post-checkout", "reference-transaction", "pre-commit", "pre-auto-gc", "fsmonitor-watchman")
    for hook in hooks:
        (folder / ".git/hooks").mkdir(exist_ok=True)
        shutil.copy(program(hook), folder / ".git/hooks" / hook)


def with_attributes(folder: Path) -> None:
    (folder / ".gitattributes").write_text("*.c filter=evil diff=evil\nMakefile filter=long=name\n")
    run_git(folder, "add", ".")
    run_git(folder, "commit", "--quiet", "-m", "Attributes")


def test_the_trap_works(cloned: Path, tmp_path: Path) -> None:
    with_attributes(cloned)
    trap(cloned, tmp_path / "ran")
    soil(cloned)
    run_git(cloned, "status")
    assert {"fsmonitor", "clean"} <= {path.name for path in (tmp_path / "ran").iterdir()}


def soil(folder: Path) -> None:
    """Make git read the files again: another time and another inode, but the same content."""
    for file in (folder / "mm/vmalloc.c", folder / "Makefile"):
        content = file.read_bytes()
        file.unlink()
        file.write_bytes(content)
        os.utime(file, (time.time() - 1000,) * 2)


def test_nothing_of_a_checkout_is_run(base: Base, cloned: Path, tmp_path: Path) -> None:
    with_attributes(cloned)
    trap(cloned, tmp_path / "ran")
    soil(cloned)
    found = source.resolve(base, str(cloned), print)
    assert found.tree == run_git(cloned, "rev-parse", "HEAD^{tree}")
    git.worktree(tmp_path / "tree", found.commit)
    named = source.resolve(base, f"{cloned}#HEAD", print)
    assert named.tree == found.tree
    (cloned / "mm/vmalloc.c").write_text("changed\n")
    with pytest.raises(UsageError, match="changes that are not committed"):
        source.resolve(base, str(cloned), print)
    assert list((tmp_path / "ran").iterdir()) == []


def test_nothing_of_the_users_configuration_is_run(
    base: Base, kernel_source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, ran = tmp_path / "home", tmp_path / "ran"
    (home / "template/hooks").mkdir(parents=True)
    run_git(tmp_path, "init", "--quiet", str(tmp_path / "mine"))
    trap(tmp_path / "mine", ran)
    shutil.copy(tmp_path / "mine/.git/config", home / ".gitconfig")
    shutil.copytree(tmp_path / "mine/.git/hooks", home / "template/hooks", dirs_exist_ok=True)
    with (home / ".gitconfig").open("a") as file:
        file.write(f"[init]\n\ttemplateDir = {home}/template\n[core]\n\tbare = false\n\thooksPath = {home}/template/hooks\n")
    monkeypatch.setenv("HOME", str(home))
    (kernel_source / ".gitattributes").write_text("*.c filter=evil\nMakefile filter=long=name\n")
    found = source.resolve(base, str(kernel_source), print)
    git.worktree(tmp_path / "tree", found.commit)
    assert (tmp_path / "tree/mm/vmalloc.c").read_bytes() == (kernel_source / "mm/vmalloc.c").read_bytes()
    assert list(ran.iterdir()) == []


def test_a_file_that_was_only_touched_is_not_changed(cloned: Path) -> None:
    soil(cloned)
    assert not checkout.changed(cloned, checkout.head(cloned))
    index = (cloned / ".git/index").read_bytes()
    assert not checkout.changed(cloned, checkout.head(cloned))
    assert (cloned / ".git/index").read_bytes() == index, "the checkout itself is only read"


@pytest.mark.parametrize("how", ["edited", "of the same length", "removed", "staged", "mode"])
def test_every_change_is_seen(cloned: Path, how: str) -> None:
    file = cloned / "mm/vmalloc.c"
    if how == "edited":
        file.write_text("other\n")
    elif how == "of the same length":
        file.write_text(file.read_text().replace("line 1\n", "line X\n"))
    elif how == "removed":
        file.unlink()
    elif how == "mode":
        file.chmod(0o755)
    else:
        (cloned / "mm/new.c").write_text("new\n")
        run_git(cloned, "add", "mm/new.c")
    assert checkout.changed(cloned, checkout.head(cloned))


def test_edits_are_one_patch_of_all_that_differs(cloned: Path, tmp_path: Path) -> None:
    (cloned / ".gitignore").write_text("*.o\n")
    run_git(cloned, "add", ".")
    run_git(cloned, "commit", "--quiet", "-m", "Ignored")
    (cloned / "mm/vmalloc.c").write_text("line 1\n")
    (cloned / "Makefile").chmod(0o755)
    (cloned / "mm/new.c").write_bytes(b"caf\xe9\n")
    (cloned / "mm/new.bin").write_bytes(bytes(range(256)))
    (cloned / "mm/made.o").write_text("an object\n")
    (cloned / "mm/staged.c").write_text("staged\n")
    run_git(cloned, "add", "mm/staged.c")
    index = (cloned / ".git/index").read_bytes()
    (tmp_path / "patch").write_bytes(checkout.edits(cloned, checkout.head(cloned)))
    assert (cloned / ".git/index").read_bytes() == index, "the checkout itself is only read"
    run_git(tmp_path, "clone", "--quiet", str(cloned), "copy")
    run_git(tmp_path / "copy", "apply", "--index", "../patch")
    run_git(cloned, "add", ".")
    assert run_git(tmp_path / "copy", "write-tree") == run_git(cloned, "write-tree")


def test_nothing_is_edited(cloned: Path) -> None:
    soil(cloned)
    assert checkout.edits(cloned, checkout.head(cloned)) == b""


def test_edits_have_nothing_of_other_repositories_in_the_tree(cloned: Path, tmp_path: Path) -> None:
    run_git(tmp_path, "init", "--quiet", "module")
    run_git(tmp_path / "module", "commit", "--quiet", "--allow-empty", "-m", "One")
    run_git(cloned, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", f"{tmp_path}/module", "module")
    run_git(cloned, "commit", "--quiet", "-m", "Submodule")
    run_git(cloned / "module", "commit", "--quiet", "--allow-empty", "-m", "Two")
    run_git(cloned, "worktree", "add", "--quiet", "--detach", "[other] *")
    run_git(cloned, "init", "--quiet", "mm/unborn")
    assert checkout.edits(cloned, checkout.head(cloned)) == b""
    (cloned / "mm/vmalloc.c").write_text("changed\n")
    patch = checkout.edits(cloned, checkout.head(cloned))
    assert patch.count(b"diff --git") == 1
    (cloned / "[other] */mm/vmalloc.c").write_text("other\n")
    assert checkout.edits(cloned, checkout.head(cloned)) == patch
    assert b"+other" in checkout.edits(cloned / "[other] *", checkout.head(cloned))


@pytest.mark.parametrize("how", ["info/exclude", "core.excludesFile", "user's core.excludesFile", "XDG_CONFIG_HOME", "HOME"])
def test_edits_leave_out_what_the_user_has_git_ignore(
    cloned: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    home = tmp_path / "home"
    (home / ".config/git").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    (cloned / "tags").write_text("mine\n")
    assert b"+mine" in checkout.edits(cloned, checkout.head(cloned))
    patterns = home / "patterns"
    if how == "info/exclude":
        patterns = cloned / ".git/info/exclude"
    elif how == "core.excludesFile":
        run_git(cloned, "config", "core.excludesFile", "~/patterns")
    elif how == "HOME":
        patterns = home / ".config/git/ignore"
    elif how == "XDG_CONFIG_HOME":
        monkeypatch.setenv("XDG_CONFIG_HOME", str(home))
        patterns = home / "git/ignore"
        patterns.parent.mkdir()
    else:
        (home / ".gitconfig").write_text("[core]\n\texcludesFile = ~/patterns\n")
    patterns.write_text("tags\n")
    assert checkout.edits(cloned, checkout.head(cloned)) == b""


def test_edits_of_a_sparse_checkout(cloned: Path) -> None:
    (cloned / "lib").mkdir()
    (cloned / "lib/sort.c").write_text("1\n")
    run_git(cloned, "add", ".")
    run_git(cloned, "commit", "--quiet", "-m", "More")
    run_git(cloned, "sparse-checkout", "set", "--cone", "--sparse-index", "mm")
    assert not (cloned / "lib").exists()
    assert checkout.edits(cloned, checkout.head(cloned)) == b""
    (cloned / "mm/vmalloc.c").write_text("changed\n")
    patch = checkout.edits(cloned, checkout.head(cloned))
    assert (b"+changed" in patch, b"lib/sort.c" in patch) == (True, False)


def test_edits_run_nothing_of_the_checkout(cloned: Path, tmp_path: Path) -> None:
    with_attributes(cloned)
    trap(cloned, tmp_path / "ran")
    (cloned / "mm/vmalloc.c").write_text("changed\n")
    assert b"+changed" in checkout.edits(cloned, checkout.head(cloned))
    assert list((tmp_path / "ran").iterdir()) == []


def test_the_top_of_a_checkout(cloned: Path, tmp_path: Path) -> None:
    assert checkout.top(cloned / "mm") == cloned
    with pytest.raises(UsageError, match=f"{tmp_path} is no git checkout"):
        checkout.top(tmp_path)
    with pytest.raises(UsageError, match=r"\.git is no git checkout"):
        checkout.top(cloned / ".git")
    with pytest.raises(UsageError, match="There is no folder"):
        checkout.top(tmp_path / "gone")


def test_a_tree_that_is_known_is_not_fetched_again(base: Base, cloned: Path) -> None:
    said: list[str] = []
    first = source.resolve(base, f"{cloned}#HEAD", said.append)
    again = source.resolve(base, f"{cloned}#{checkout.head(cloned)}", said.append)
    assert first.commit == again.commit
    assert len(said) == 1


def test_a_repository_that_cannot_be_had_is_an_error_of_the_fetch(base: Base, cloned: Path, tmp_path: Path) -> None:
    source.resolve(base, f"{cloned}#HEAD", print)
    with pytest.raises(UsageError, match="find remote ref none"):
        source.resolve(base, f"file://{cloned}#none", print)
    with pytest.raises(UsageError, match="Could not read from remote repository"):
        source.resolve(base, f"file://{tmp_path}/gone#HEAD", print)


def test_a_checkout_with_the_mark_of_a_ref_in_its_name(base: Base, cloned: Path, tmp_path: Path) -> None:
    odd = cloned.rename(tmp_path / "linux#2")
    assert source.resolve(base, f"{odd}#HEAD", print).tree == run_git(odd, "rev-parse", "HEAD^{tree}")


def test_files_that_git_does_not_know_do_not_count(cloned: Path) -> None:
    (cloned / "notes.txt").write_text("mine\n")
    assert not checkout.changed(cloned, checkout.head(cloned))


def test_modes_do_not_count_where_the_checkout_has_none(cloned: Path) -> None:
    run_git(cloned, "config", "core.fileMode", "false")
    (cloned / "mm/vmalloc.c").chmod(0o755)
    assert not checkout.changed(cloned, checkout.head(cloned))


def test_line_ends_are_those_of_the_checkout(cloned: Path) -> None:
    run_git(cloned, "config", "core.autocrlf", "true")
    (cloned / "mm/vmalloc.c").unlink()
    run_git(cloned, "checkout", "--", ".")
    assert (cloned / "mm/vmalloc.c").read_bytes().startswith(b"line 1\r\n")
    soil(cloned)
    assert not checkout.changed(cloned, checkout.head(cloned))


def test_a_work_tree_with_a_split_index(base: Base, cloned: Path, tmp_path: Path) -> None:
    run_git(cloned, "worktree", "add", "--quiet", str(tmp_path / "linked"))
    run_git(tmp_path / "linked", "update-index", "--split-index")
    assert not checkout.changed(tmp_path / "linked", checkout.head(tmp_path / "linked"))
    assert source.resolve(base, str(tmp_path / "linked"), print).tree == run_git(cloned, "rev-parse", "HEAD^{tree}")


def test_a_checkout_without_a_commit(tmp_path: Path) -> None:
    run_git(tmp_path, "init", "--quiet")
    with pytest.raises(UsageError, match=f"{tmp_path} has no commit yet"):
        checkout.head(tmp_path)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give files away")
def test_a_checkout_of_another_user_is_refused(base: Base, cloned: Path) -> None:
    for path in (cloned, cloned / ".git"):
        os.chown(path, 12345, 12345)
    with pytest.raises(UsageError, match=f"{cloned} belongs to another user; name a copy of your own"):
        source.resolve(base, str(cloned), print)
