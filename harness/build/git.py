# SPDX-License-Identifier: GPL-2.0-only
"""The rig's own git repository of kernel sources: imports, patched commits and work trees."""

from __future__ import annotations

import contextlib
import functools
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from harness import paths
from harness.build import leftovers
from harness.build.git_settings import environment
from harness.errors import RigError, UsageError
from harness.host import files, shell

_PATIENCE = 120.0
"""seconds to wait for other gits if a lock is in the way; the import of a source takes a minute"""
_TRIES = 20
"""maximum number of checkouts of a work tree, while builds of other sources check out theirs in it"""
_REPOSITORY = "160000 "
"""git's mode of another repository"""
_BUILT = "/build-*"
"""build folders in a work tree, which are not part of the source"""
_ready: set[Path] = set()
"""repositories that this process has found in order"""


def repository() -> Path:
    """Return the path of the bare repository; it is created if it does not exist."""
    path = paths.cache() / "linux.git"
    if path in _ready and path.exists():
        return path
    with files.locked(path):
        # If others are at work there, what is in the way is removed when it is.
        with contextlib.suppress(UsageError):
            leftovers.remove(path)
        if not path.exists():
            with files.folder(path) as bare:
                plain("init", "--quiet", "--bare", "--template=", bare, cwd=bare)
    _ready.add(path)
    return path


def run(
    *arguments: str | Path,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    stdin: bytes | None = None,
    silence: float | None = None,
    error: type[RigError] = RigError,
) -> str:
    """Run git on the rig's repository and return what it printed; see `shell.output` for the arguments.

    If a lock of a git that was cut off is in the way, it is removed, and git runs again.
    """
    whole = ("--git-dir", repository(), *arguments)
    return _call(whole, env=env, cwd=cwd, stdin=stdin, silence=silence, error=error)


def _in_tree(path: Path, *arguments: str | Path) -> str:
    """Run git in a work tree of the repository and return what it printed."""
    return _call(("-C", path, *arguments))


def _call(arguments: Sequence[str | Path], *, env: Mapping[str, str] | None = None, **options: Any) -> str:
    path, own = repository(), {**environment(), **(env or {})}

    def call() -> str:
        with leftovers.in_use(path):
            return shell.output(("git", *arguments), env=own, **options)

    try:
        return call()
    except RigError as trouble:
        if leftovers.corrupt(trouble) and "fetch" not in arguments:  # or the other repository is corrupt
            leftovers.doubt(path)
            raise type(trouble)(f"{trouble}; call again: then the rig makes {path} anew.") from trouble
        if not leftovers.blocked(trouble):
            raise
    leftovers.remove(path, _PATIENCE)
    return call()


def plain(*arguments: str | Path, cwd: Path, stdin: bytes | None = None, error: type[RigError] = RigError) -> str:
    """Run git outside of the rig's repository, and return what it printed."""
    return shell.output(("git", *arguments), env=environment(), cwd=cwd, stdin=stdin, error=error)


def commit(tree: str, message: str, parent: str = "") -> str:
    """Return a commit of `tree`: always the same one for the same arguments."""
    return run("commit-tree", tree, *(("-p", parent) if parent else ()), "-m", message)


def keep(reference: str, commit_id: str) -> None:
    """Protect a commit from git gc by the reference ``refs/rig/REFERENCE``."""
    run("update-ref", f"refs/rig/{reference}", commit_id)


def kept(reference: str) -> str:
    """Return the commit that `keep` protects by a reference; empty if there is none."""
    return run("for-each-ref", "--format=%(objectname)", f"refs/rig/{reference}")


def tree_of(commit_id: str) -> str:
    """Return the tree of a commit, which identifies a source."""
    return run("rev-parse", f"{commit_id}^{{tree}}")


def blob(commit_id: str, path: str) -> bytes | None:
    """Return the content of a file in a commit, or None if there is no such file."""
    try:
        return run("cat-file", "blob", f"{commit_id}:{path}").encode()
    except RigError:
        return None


def sources(commit_id: str) -> Callable[[str], Sequence[str]]:
    """Return what has the lines of a commit's files by their names: whatever a work tree of it holds by now."""
    return functools.partial(_lines, commit_id)


@functools.lru_cache(maxsize=64)
def _lines(commit_id: str, path: str) -> Sequence[str]:
    content = blob(commit_id, path) if commit_id else None
    return () if content is None else content.decode(errors="replace").split("\n")  # form feeds end no line


def import_folder(folder: Path) -> str:
    """Return the tree of all files below `folder`.

    The index is kept, so that the next import reads only files that changed.
    Raises UsageError for a git repository below `folder`: git would leave out its files.
    """
    index = _index(folder)
    with files.locked(index):
        env = {"GIT_INDEX_FILE": str(index), "GIT_WORK_TREE": str(folder)}
        run("add", "--all", "--force", "--", ".", env=env, cwd=folder)
        for entry in run("ls-files", "--stage", "-z", env=env).split("\0"):
            if entry.startswith(_REPOSITORY):
                index.unlink()  # git would keep the entry even if the repository is gone
                inner = folder / entry.partition("\t")[2]
                raise UsageError(
                    f"{inner} is a git repository inside of the source, which git leaves out; remove its .git, or move it."
                )
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
    known = is_tree(path)
    if path.exists() and not known:
        shutil.rmtree(path)  # its repository was deleted and created again, or it was cut off while it was created
    path.parent.mkdir(parents=True, exist_ok=True)
    for command in checking_out(path, commit_id, known=known):
        _call(command)


def checking_out(path: Path, commit_id: str, *, known: bool) -> tuple[tuple[str, ...], ...]:
    """Return what git is called with to check out `commit_id` in the work tree at `path`; `known` if it is one already."""
    if known:
        return (
            ("-C", str(path), "checkout", "--quiet", "--force", "--detach", commit_id),
            ("-C", str(path), "clean", "-ffdxq", f"--exclude={_BUILT}"),
        )
    here = ("--git-dir", str(repository()), "worktree")
    # Once is enough for a folder that is gone; twice is for one that was locked because it was being created.
    return (*here, "prune"), (*here, "add", "--quiet", "--force", "--force", "--detach", str(path), commit_id)


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
    if not is_tree(path):
        return False
    return _in_tree(path, "rev-parse", "HEAD") == commit_id and not _in_tree(path, "diff-index", "--name-only", "HEAD")


def _has_others(path: Path) -> bool:
    """Return True if the work tree at `path` has untracked files, which a build would use."""
    others = ("ls-files", "--others", "--directory", "--no-empty-directory", f"--exclude={_BUILT}")
    return bool(_in_tree(path, *others))


def is_tree(path: Path) -> bool:
    """Return True if `path` is a work tree of the current repository."""
    if not (path / ".git").exists():
        return False
    try:
        _in_tree(path, "rev-parse", "HEAD")
    except RigError:
        return False
    return True


def forget(folder: Path) -> None:
    """Remove the index of a folder that will not be imported again."""
    _index(folder).unlink(missing_ok=True)


def _index(folder: Path) -> Path:
    return paths.cache() / "index" / files.digest(str(folder))[:16]
