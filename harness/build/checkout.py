# SPDX-License-Identifier: GPL-2.0-only
"""Reads a user's checkout without running the programs that its configuration names."""

from __future__ import annotations

import contextlib
import functools
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from harness.build import git
from harness.errors import RigError, UsageError

_FILES = r"^core\.(filemode|autocrlf|eol|symlinks)$"
"""settings that say how files are written in the checkout"""
_FOREIGN, _NONE = "dubious ownership", "not a git repository"


def top(folder: Path) -> Path:
    """Return the topmost folder of the checkout that `folder` is in; UsageError if it is in none."""
    if not folder.is_dir():
        raise UsageError(f"There is no folder {folder}; name a git checkout of a kernel's source.")
    try:
        return Path(_read(folder, "rev-parse", "--show-toplevel"))
    except UsageError as error:
        if _NONE in str(error):
            raise UsageError(f"{folder} is no git checkout; commit the kernel's source to git before you edit it.") from error
        raise


def head(folder: Path) -> str:
    """Return the commit that is checked out in `folder`; UsageError if git cannot tell."""
    return _read(folder, "rev-parse", "HEAD^{commit}")


def tree(folder: Path, commit: str) -> str:
    """Return the tree of a commit of the checkout, which identifies its files."""
    return _read(folder, "rev-parse", f"{commit}^{{tree}}")


def commit(folder: Path, name: str) -> str:
    """Return the commit that `name` means in the repository at `folder`; UsageError if there is none."""
    _read(folder, "rev-parse", "--git-dir")
    try:
        return _read(folder, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
    except RigError as error:
        raise UsageError(f"There is no commit '{name}' in {folder}; `git log` there lists what there is.") from error


@contextlib.contextmanager
def borrowed(folder: Path) -> Iterator[Path]:
    """Yield a repository of the rig's that has the objects of the one at `folder`, and nothing of its configuration."""
    common = _read(folder, "rev-parse", "--path-format=absolute", "--git-common-dir")
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        git.plain("init", "--quiet", "--template=", scratch, cwd=scratch)
        (scratch / ".git/objects/info").mkdir(exist_ok=True)
        (scratch / ".git/objects/info/alternates").write_text(f"{common}/objects\n")
        yield scratch / ".git"


def changed(folder: Path, commit: str) -> bool:
    """Return True if files in `folder` or in its index differ from `commit`."""
    options = ("--porcelain", "--untracked-files=no", "--ignore-submodules=all", "--no-renames")
    with _mirror(folder, commit) as git_in:
        return bool(git_in("status", *options))


def edits(folder: Path, commit: str) -> bytes:
    """Return what differs in `folder` from `commit` as one patch: files that git does not ignore, new ones as well."""
    with _mirror(folder, commit) as git_in, tempfile.TemporaryDirectory() as name:
        patch = Path(name, "patch")
        git_in("add", "--all", "--", ".")
        options = ("-p", "--binary", "--full-index", "--no-renames", "--no-color", "--no-ext-diff", "--no-textconv")
        git_in("diff-tree", *options, f"--output={patch}", commit, git_in("write-tree"))
        return patch.read_bytes()


@contextlib.contextmanager
def _mirror(folder: Path, commit: str) -> Iterator[Callable[..., str]]:
    """Yield a function that runs git on the files of a checkout.

    Git would run the file system monitor, the filters and the hooks of the checkout's configuration. So it reads the objects
    and a copy of the index by a repository of the rig's, which has none of these, and writes new objects there.
    """
    own = _read(folder, "rev-parse", "--path-format=absolute", "--git-dir")
    with borrowed(folder) as scratch:
        (scratch / "HEAD").write_text(f"{commit}\n")
        for index in (*Path(own).glob("index"), *Path(own).glob("sharedindex.*")):
            shutil.copy2(index, scratch)  # with its time, by which git knows what to read again
        places: tuple[str | Path, ...] = (*_settings(folder), "--git-dir", scratch, "--work-tree", folder)
        yield functools.partial(git.plain, *places, cwd=folder, error=UsageError)


def _settings(folder: Path) -> list[str]:
    """Return options with the settings of the checkout in `_FILES`."""
    with contextlib.suppress(RigError):  # git fails if there are none
        found = git.plain("config", "--local", "--null", "--get-regexp", _FILES, cwd=folder).split("\0")
        return [word for line in filter(None, found) for word in ("-c", line.replace("\n", "=", 1))]
    return []


def _read(folder: Path, *arguments: str) -> str:
    try:
        return git.plain(*arguments, cwd=folder, error=UsageError)
    except UsageError as error:
        if _FOREIGN in str(error):
            raise UsageError(f"{folder} belongs to another user; name a copy of your own, or run the rig as that user.") from error
        raise
