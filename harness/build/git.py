# SPDX-License-Identifier: GPL-2.0-only
"""The rig's own git repository of kernel sources: imports, patched commits and work trees."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from harness import paths
from harness.errors import RigError
from harness.host import files, shell

_WHO = {
    # Fixed, so that the same tree always gives the same commit.
    "GIT_AUTHOR_NAME": "kernel-patch-rig",
    "GIT_AUTHOR_EMAIL": "rig@kernel-patch-rig.invalid",
    "GIT_AUTHOR_DATE": "2018-08-12T00:00:00Z",
    "GIT_COMMITTER_NAME": "kernel-patch-rig",
    "GIT_COMMITTER_EMAIL": "rig@kernel-patch-rig.invalid",
    "GIT_COMMITTER_DATE": "2018-08-12T00:00:00Z",
    # The user's own settings, such as line ends and hooks, must not apply to this repository.
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
}
_TRIES = 20
"""maximum number of checkouts of a work tree, while builds of other sources check out theirs in it"""
_BUILT = "/build-*"
"""build folders in a work tree, which are not part of the source"""
_SETTINGS = {"core.looseCompression": "1", "core.autocrlf": "false", "gc.auto": "0", "core.logAllRefUpdates": "false"}


def repository() -> Path:
    """Return the path of the bare repository; it is created if it does not exist."""
    path = paths.cache() / "linux.git"
    with files.locked(path):
        if not path.exists():
            with files.folder(path) as bare:
                shell.output(("git", "init", "--quiet", "--bare", bare))
                for key, value in _SETTINGS.items():
                    shell.output(("git", "--git-dir", bare, "config", key, value))
    return path


def run(
    *arguments: str | Path,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    stdin: bytes | None = None,
    error: type[RigError] = RigError,
) -> str:
    """Run git on the rig's repository and return what it printed."""
    git = ("git", "--git-dir", repository())
    return shell.output((*git, *arguments), env={**_WHO, **(env or {})}, cwd=cwd, stdin=stdin, error=error)


def commit(tree: str, message: str, parent: str = "") -> str:
    """Return a commit of `tree`: always the same one for the same arguments."""
    return run("commit-tree", tree, *(("-p", parent) if parent else ()), "-m", message)


def keep(reference: str, commit_id: str) -> None:
    """Protect a commit from git gc by the reference ``refs/rig/REFERENCE``."""
    run("update-ref", f"refs/rig/{reference}", commit_id)


def tree_of(commit_id: str) -> str:
    """Return the tree of a commit, which identifies a source."""
    return run("rev-parse", f"{commit_id}^{{tree}}")


def blob(commit_id: str, path: str) -> bytes | None:
    """Return the content of a file in a commit, or None if there is no such file."""
    try:
        return run("cat-file", "blob", f"{commit_id}:{path}").encode()
    except RigError:
        return None


def import_folder(folder: Path) -> str:
    """Return the tree of all files below `folder`.

    The index is kept, so that the next import reads only files that changed.
    """
    index = _index(folder)
    with files.locked(index):
        env = {"GIT_INDEX_FILE": str(index), "GIT_WORK_TREE": str(folder)}
        run("add", "--all", "--force", "--", ".", env=env, cwd=folder)
        return run("write-tree", env=env)


def with_files(commit_id: str, files: Mapping[str, str], message: str) -> str:
    """Return a commit on top of another that replaces the texts of `files`; these files have to exist."""
    with scratch_index(commit_id) as env:
        for path, text in files.items():
            new = run("hash-object", "-w", "--stdin", stdin=text.encode())
            mode = run("ls-files", "--stage", "--", path, env=env).split()[0]
            run("update-index", "--cacheinfo", f"{mode},{new},{path}", env=env)
        return commit(run("write-tree", env=env), message, commit_id)


@contextmanager
def scratch_index(commit_id: str) -> Iterator[dict[str, str]]:
    """Yield the environment of a temporary index that holds `commit_id`."""
    with tempfile.TemporaryDirectory() as folder:
        env = {"GIT_INDEX_FILE": str(Path(folder) / "index")}
        run("read-tree", commit_id, env=env)
        yield env


def worktree(path: Path, commit_id: str) -> None:
    """Check out `commit_id` in the work tree at `path`; writes only files that differ, and keeps build folders."""
    if _known(path):
        shell.output(("git", "-C", path, "checkout", "--quiet", "--force", "--detach", commit_id), env=_WHO)
        shell.output(("git", "-C", path, "clean", "-ffdxq", f"--exclude={_BUILT}"), env=_WHO)
        return
    if (path / ".git").exists():
        shutil.rmtree(path)  # its repository was deleted and created again
    path.parent.mkdir(parents=True, exist_ok=True)
    run("worktree", "prune")
    run("worktree", "add", "--quiet", "--force", "--detach", path, commit_id)


@contextmanager
def held(tree: Path, commit: str, say: Callable[[str], None]) -> Iterator[None]:
    """Check out `commit` in `tree`, and hold a shared lock that keeps others from a checkout there.

    Builds of the same source share the tree.
    """
    for _ in range(_TRIES):
        with files.shared(tree):
            if is_at(tree, commit) and not _has_others(tree):
                yield
                return
        with files.locked(tree):
            say("checking out the source")
            worktree(tree, commit)
    raise RigError(f"{tree} does not stay as it was checked out; remove it, and find out what else writes there.")


def is_at(path: Path, commit_id: str) -> bool:
    """Return True if the work tree at `path` is at `commit_id` without changes."""
    if not _known(path):
        return False
    git = ("git", "-C", path)
    at = shell.output((*git, "rev-parse", "HEAD"), env=_WHO)
    return at == commit_id and not shell.output((*git, "diff-index", "--name-only", "HEAD"), env=_WHO)


def _has_others(path: Path) -> bool:
    """Return True if the work tree at `path` has untracked files, which a build would use."""
    others = ("ls-files", "--others", "--directory", "--no-empty-directory", f"--exclude={_BUILT}")
    return bool(shell.output(("git", "-C", path, *others), env=_WHO))


def _known(path: Path) -> bool:
    """Return True if `path` is a work tree of the current repository."""
    if not (path / ".git").exists():
        return False
    try:
        shell.output(("git", "-C", path, "rev-parse", "HEAD"), env=_WHO)
    except RigError:
        return False
    return True


def forget(folder: Path) -> None:
    """Remove the index of a folder that will not be imported again."""
    _index(folder).unlink(missing_ok=True)


def _index(folder: Path) -> Path:
    return paths.cache() / "index" / files.digest(str(folder))[:16]
