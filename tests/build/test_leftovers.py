# SPDX-License-Identifier: GPL-2.0-only
"""The rig's repository after its git was killed, and after a power loss."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from harness.build import git, leftovers, source
from harness.build.kernel_tree import Tree
from harness.errors import RigError, UsageError
from harness.model.matrix import Base


@pytest.fixture
def place(cache: Path, tree: Tree) -> Path:
    """A work tree of the tiny source."""
    folder = cache / "trees/4.18/mine"
    git.worktree(folder, tree.commit)
    return folder


def another_process() -> None:
    """Forget, as a new process does, that the repository was found in order."""
    git._ready.clear()


def another_boot() -> None:
    """Forget, as after a restart of the host, that objects were checked."""
    (git.repository() / leftovers._CHECKED).write_text("another boot\n")
    another_process()


LOCKS = [
    "linux.git/HEAD.lock",
    "linux.git/config.lock",
    "linux.git/packed-refs.lock",
    "linux.git/shallow.lock",
    "linux.git/refs/rig/sources/{tree}.lock",
    "linux.git/worktrees/mine/index.lock",
    "linux.git/worktrees/mine/HEAD.lock",
    "linux.git/objects/info/commit-graph.lock",
    "index/0123456789abcdef.lock",
]


@pytest.mark.parametrize("name", LOCKS)
def test_locks_that_were_left_are_removed_by_the_next_process(cache: Path, tree: Tree, place: Path, name: str) -> None:
    lock = cache / name.format(tree=tree.tree)
    lock.touch()
    another_process()
    git.repository()
    assert not lock.exists()


def test_a_lock_that_is_left_meanwhile_is_removed_when_it_is_in_the_way(
    cache: Path, base: Base, kernel_source: Path, tree: Tree, place: Path
) -> None:
    (index,) = (cache / "index").glob("[!.]*")
    locks = [
        index.with_name(f"{index.name}.lock"),
        git.repository() / f"refs/rig/sources/{tree.tree}.lock",
        git.repository() / "worktrees/mine/index.lock",
        git.repository() / "worktrees/mine/HEAD.lock",
    ]
    for lock in locks:
        lock.touch()
        git.worktree(place, git.commit(tree.tree, "Another"))
        (kernel_source / "mm/vmalloc.c").write_text(lock.name)
        changed = source.resolve(base, str(kernel_source), print)
        git.keep(f"sources/{tree.tree}", changed.commit)
        git.worktree(place, changed.commit)
        lock.unlink(missing_ok=True)
        assert (place / "mm/vmalloc.c").read_text() == lock.name


@contextmanager
def living(cwd: Path, *arguments: str | Path) -> Iterator[int]:
    """Run a git that waits for its input, as one that has a lock and is at work."""
    command = ("git", *arguments, "update-ref", "--stdin")
    with subprocess.Popen(command, cwd=cwd, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin
        assert process.stdout
        process.stdin.write(b"start\n")
        process.stdin.flush()
        # Until it answers, it may have its name already, but no words and no environment yet.
        assert process.stdout.readline() == b"start: ok\n"
        yield process.pid
        process.stdin.close()


def test_the_lock_of_a_living_git_stays(cache: Path, tree: Tree, place: Path, tmp_path: Path) -> None:
    lock = git.repository() / "worktrees/mine/index.lock"
    lock.touch()
    for cwd, arguments in ((tmp_path, ("--git-dir", git.repository())), (place, ()), (tmp_path, ("-C", place))):
        with living(cwd, *arguments) as pid, pytest.raises(UsageError, match=rf"process {pid} \(git\) .*{lock}.*wait until"):
            leftovers.remove(git.repository(), patience=0.3)
        assert lock.exists()
    leftovers.remove(git.repository())
    assert not lock.exists()


def test_a_git_that_works_elsewhere_is_not_waited_for(
    place: Path, tree: Tree, kernel_source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OLDPWD", str(place))
    git.plain("init", "--quiet", kernel_source, cwd=kernel_source)
    with living(kernel_source):
        leftovers.remove(git.repository())


def test_a_git_that_was_told_where_to_work_by_its_environment_is_waited_for(
    tree: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository = git.repository()
    monkeypatch.setenv("GIT_DIR", str(repository))
    with living(tmp_path), pytest.raises(UsageError, match=r"\(git\) still works with"):
        leftovers.remove(repository)


def test_locks_stay_while_another_rig_works(tree: Tree) -> None:
    repository = git.repository()
    lock = repository / "HEAD.lock"
    lock.touch()
    with leftovers.in_use(repository), pytest.raises(UsageError, match="Another rig works"):
        leftovers.remove(repository)
    assert lock.exists()
    another_process()
    with leftovers.in_use(repository):
        assert git.tree_of(tree.commit) == tree.tree, "what takes no lock need not wait"
    assert lock.exists()


def test_the_rigs_own_locks_stay(cache: Path, tree: Tree) -> None:
    before = sorted(path for path in cache.rglob(".*.lock"))
    leftovers.remove(git.repository())
    assert sorted(path for path in cache.rglob(".*.lock")) == before != []


def test_what_is_half_written_is_removed(tree: Tree) -> None:
    objects = git.repository() / "objects"
    (objects / "ab").mkdir(exist_ok=True)
    for name in ("ab/tmp_obj_x1", "pack/tmp_pack_x2", "pack/tmp_idx_x3", "pack/.tmp-12-pack-ab.pack"):
        (objects / name).write_bytes(b"half")
    for name in ("tmp_objdir-bulk-fsync-x", "incoming-x"):
        (objects / name).mkdir()
        (objects / name / "file").touch()
    another_process()
    git.repository()
    assert leftovers.leftovers(git.repository()) == []
    assert git.run("fsck", "--no-dangling").count("error") == 0


def test_a_work_tree_whose_creation_was_cut_off_is_created(place: Path, tree: Tree) -> None:
    (git.repository() / "worktrees/mine/locked").write_text("initializing\n")
    (git.repository() / "worktrees/mine/HEAD").write_text("")
    (place / ".git").unlink()
    git.worktree(place, tree.commit)
    assert git.is_at(place, tree.commit)


def objects() -> list[Path]:
    return sorted((git.repository() / "objects").glob("??/*"))


def test_a_repository_that_lost_an_object_is_made_again(base: Base, kernel_source: Path, tree: Tree) -> None:
    for number in range(len(objects())):
        lost = objects()[number]
        lost.chmod(0o644)
        lost.write_bytes(b"")
        another_boot()
        assert source.resolve(base, str(kernel_source), print) == tree
        assert lost.stat().st_size > 0
        assert git.run("fsck", "--no-dangling").count("error") == 0


def test_an_object_that_ends_at_a_page_is_read(base: Base, kernel_source: Path, said: list[str]) -> None:
    (kernel_source / "noise").write_bytes(os.urandom(20_000))
    made = source.resolve(base, str(kernel_source), print)
    (large,) = (path for path in objects() if path.stat().st_size > 4 * 4096)
    large.chmod(0o644)
    os.truncate(large, 2 * 4096)
    another_boot()
    assert source.resolve(base, str(kernel_source), print) == made
    assert large.stat().st_size > 4 * 4096


@pytest.mark.parametrize("harm", ["empty", "cut short", "gone"])
def test_a_repository_that_git_finds_damaged_is_made_again_by_the_next_process(
    base: Base, kernel_source: Path, place: Path, tree: Tree, harm: str
) -> None:
    blob = git.run("rev-parse", f"{tree.commit}:mm/vmalloc.c")
    lost = git.repository() / "objects" / blob[:2] / blob[2:]
    content = lost.read_bytes()
    lost.unlink()
    if harm != "gone":
        lost.write_bytes(content[:40] if harm == "cut short" else b"")
    (place / "mm/vmalloc.c").unlink()
    with pytest.raises(RigError, match=rf"{blob}.*; call again: then the rig makes {git.repository()} anew"):
        git.worktree(place, tree.commit)
    another_process()
    assert source.resolve(base, str(kernel_source), print) == tree
    git.worktree(place, tree.commit)
    assert git.is_at(place, tree.commit)


def test_a_damaged_repository_of_a_user_does_not_count(base: Base, kernel_source: Path, tree: Tree) -> None:
    for arguments in (("init", "--quiet"), ("add", "."), ("-c", "user.name=a", "commit", "--quiet", "-m", "Linux 4.18")):
        git.plain(*arguments, cwd=kernel_source)
    for path in (kernel_source / ".git/objects").glob("??/*"):
        path.chmod(0o644)
        path.write_bytes(b"")
    with pytest.raises(UsageError):
        source.resolve(base, f"{kernel_source}#HEAD", print)
    another_process()
    assert git.tree_of(tree.commit) == tree.tree


def test_a_whole_repository_stays_after_a_boot(tree: Tree) -> None:
    before = git.run("for-each-ref")
    another_boot()
    assert git.run("for-each-ref") == before != ""
    assert (git.repository() / leftovers._CHECKED).read_text() == Path("/proc/sys/kernel/random/boot_id").read_text()


def test_a_tarball_is_imported_again_if_its_objects_were_lost(base: Base, kernel_source: Path, tmp_path: Path) -> None:
    tarball = Path(shutil.make_archive(str(tmp_path / "kernel"), "tar", tmp_path, kernel_source.name))
    first = source.resolve(base, str(tarball), print)
    (lost, *_) = objects()
    lost.chmod(0o644)
    lost.write_bytes(b"")
    another_boot()
    assert source.resolve(base, str(tarball), print) == first


def test_a_work_tree_is_checked_out_again_from_a_new_repository(base: Base, kernel_source: Path, place: Path, tree: Tree) -> None:
    objects()[0].chmod(0o644)
    objects()[0].write_bytes(b"")
    another_boot()
    source.resolve(base, str(kernel_source), print)
    with git.held(place, tree.commit, print):
        assert git.is_at(place, tree.commit)


def test_files_of_a_work_tree_that_were_lost_are_checked_out_again(place: Path, tree: Tree) -> None:
    os.truncate(place / "mm/vmalloc.c", 0)
    with git.held(place, tree.commit, print):
        assert (place / "mm/vmalloc.c").read_text().startswith("line 1\n")


def test_an_error_that_is_no_lock_is_told_at_once(tree: Tree) -> None:
    started = time.monotonic()
    with pytest.raises(RigError, match="nothing-there"):
        git.run("rev-parse", "nothing-there")
    assert time.monotonic() - started < 30


def test_a_cache_without_a_repository(cache: Path) -> None:
    leftovers.remove(cache / "linux.git")
    assert not (cache / "linux.git").exists()
