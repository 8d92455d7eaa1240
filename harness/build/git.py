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
    # Fixed, so that the same tree always makes the same commit.
    "GIT_AUTHOR_NAME": "kernel-patch-rig",
    "GIT_AUTHOR_EMAIL": "rig@kernel-patch-rig.invalid",
    "GIT_AUTHOR_DATE": "2018-08-12T00:00:00Z",
    "GIT_COMMITTER_NAME": "kernel-patch-rig",
    "GIT_COMMITTER_EMAIL": "rig@kernel-patch-rig.invalid",
    "GIT_COMMITTER_DATE": "2018-08-12T00:00:00Z",
    # What the user's own configuration says about line ends or hooks is not for this repository.
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
}
_TRIES = 20
"""how often a work tree is checked out, which builds of other sources may want as well"""
_BUILT = "/build-*"
"""the folders in a work tree that are no part of it: kernels are built there"""
_SETTINGS = {"core.looseCompression": "1", "core.autocrlf": "false", "gc.auto": "0", "core.logAllRefUpdates": "false"}


def repository() -> Path:
    """Return the bare repository, made if there is none yet."""
    path = paths.cache() / "linux.git"
    with files.locked(path):
        if not path.exists():
            with files.folder(path) as made:
                shell.output(("git", "init", "--quiet", "--bare", made))
                for key, value in _SETTINGS.items():
                    shell.output(("git", "--git-dir", made, "config", key, value))
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
    """Return the commit of `tree`: the same one for the same arguments, whenever it is made."""
    return run("commit-tree", tree, *(("-p", parent) if parent else ()), "-m", message)


def keep(reference: str, commit_id: str) -> None:
    """Keep a commit from being collected, under ``refs/rig/`` and `reference`."""
    run("update-ref", f"refs/rig/{reference}", commit_id)


def tree_of(commit_id: str) -> str:
    """Return the tree that a commit holds: the identity of a source, whatever made it."""
    return run("rev-parse", f"{commit_id}^{{tree}}")


def blob(commit_id: str, path: str) -> bytes | None:
    """Return a file's content in a commit, or None if it has no such file."""
    try:
        return run("cat-file", "blob", f"{commit_id}:{path}").encode()
    except RigError:
        return None


def import_folder(folder: Path) -> str:
    """Return the tree of all files below `folder`.

    The index is kept, so that a second import reads only what changed.
    """
    index = _index(folder)
    with files.locked(index):
        env = {"GIT_INDEX_FILE": str(index), "GIT_WORK_TREE": str(folder)}
        run("add", "--all", "--force", "--", ".", env=env, cwd=folder)
        return run("write-tree", env=env)


def with_files(commit_id: str, files: Mapping[str, str], message: str) -> str:
    """Return a commit on top of another in which `files` have other texts; they have to be there before."""
    with scratch_index(commit_id) as env:
        for path, text in files.items():
            made = run("hash-object", "-w", "--stdin", stdin=text.encode())
            mode = run("ls-files", "--stage", "--", path, env=env).split()[0]
            run("update-index", "--cacheinfo", f"{mode},{made},{path}", env=env)
        return commit(run("write-tree", env=env), message, commit_id)


@contextmanager
def scratch_index(commit_id: str) -> Iterator[dict[str, str]]:
    """Give the environment of a throw-away index that holds `commit_id`."""
    with tempfile.TemporaryDirectory() as folder:
        env = {"GIT_INDEX_FILE": str(Path(folder) / "index")}
        run("read-tree", commit_id, env=env)
        yield env


def worktree(path: Path, commit_id: str) -> None:
    """Make the work tree at `path` hold `commit_id` and nothing else but builds, touching only files that differ."""
    if _known(path):
        shell.output(("git", "-C", path, "checkout", "--quiet", "--force", "--detach", commit_id), env=_WHO)
        shell.output(("git", "-C", path, "clean", "-ffdxq", f"--exclude={_BUILT}"), env=_WHO)
        return
    if (path / ".git").exists():
        shutil.rmtree(path)  # its repository was deleted and made anew
    path.parent.mkdir(parents=True, exist_ok=True)
    run("worktree", "prune")
    run("worktree", "add", "--quiet", "--force", "--detach", path, commit_id)


@contextmanager
def held(tree: Path, commit: str, say: Callable[[str], None]) -> Iterator[None]:
    """Have `tree` at `commit`, and nobody check out anything else there meanwhile; builds of the same source share it."""
    for _ in range(_TRIES):
        with files.shared(tree):
            if is_at(tree, commit) and not _has_others(tree):
                yield
                return
        with files.locked(tree):
            say("checking out the source")
            worktree(tree, commit)
    raise RigError(f"{tree} does not stay as it is checked out; remove it, and see who else writes there.")


def is_at(path: Path, commit_id: str) -> bool:
    """Return whether the work tree at `path` holds `commit_id`, with nothing changed."""
    if not _known(path):
        return False
    git = ("git", "-C", path)
    at = shell.output((*git, "rev-parse", "HEAD"), env=_WHO)
    return at == commit_id and not shell.output((*git, "diff-index", "--name-only", "HEAD"), env=_WHO)


def _has_others(path: Path) -> bool:
    """Return whether the work tree at `path` has files that are in no commit, which a build would take in."""
    others = ("ls-files", "--others", "--directory", "--no-empty-directory", f"--exclude={_BUILT}")
    return bool(shell.output(("git", "-C", path, *others), env=_WHO))


def _known(path: Path) -> bool:
    """Return whether `path` is a work tree of the repository that there is now."""
    if not (path / ".git").exists():
        return False
    try:
        shell.output(("git", "-C", path, "rev-parse", "HEAD"), env=_WHO)
    except RigError:
        return False
    return True


def forget(folder: Path) -> None:
    """Drop the index of a folder that will not be imported again."""
    _index(folder).unlink(missing_ok=True)


def _index(folder: Path) -> Path:
    return paths.cache() / "index" / files.digest(str(folder))[:16]
