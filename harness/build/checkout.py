# SPDX-License-Identifier: GPL-2.0-only
"""Reads a user's checkout without running the programs that its configuration names."""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from harness.build import git
from harness.build.git_settings import environment
from harness.errors import RigError, UsageError
from harness.host import shell

_FILES = r"^core\.(filemode|autocrlf|eol|symlinks)$"
"""settings that say how files are written in the checkout"""
_FOREIGN = "dubious ownership"
_NONE = ("not a git repository", "must be run in a work tree")
_PLAIN = ("--no-ext-diff", "--no-textconv")
"""options of git diff that run no program"""
_UNBORN = "Needed a single revision"
_USERS = ("GIT_CONFIG_GLOBAL", "GIT_CONFIG_NOSYSTEM", "GIT_CONFIG_COUNT")
"""variables that keep git from the settings of the user"""


def top(folder: Path) -> Path:
    """Return the topmost folder of the checkout that `folder` is in; UsageError if it is in none."""
    if not folder.is_dir():
        raise UsageError(f"There is no folder {folder}; name a git checkout of a kernel's source.")
    try:
        return Path(_read(folder, "rev-parse", "--show-toplevel"))
    except UsageError as error:
        if any(reason in str(error) for reason in _NONE):
            raise UsageError(
                f"{folder} is no git checkout; name one, or commit the kernel's source there before you edit it."
            ) from error
        raise


def head(folder: Path) -> str:
    """Return the commit that is checked out in `folder`; UsageError if there is none, or git cannot tell."""
    try:
        return _read(folder, "rev-parse", "--verify", "HEAD^{commit}")
    except UsageError as error:
        if _UNBORN in str(error):
            raise UsageError(f"{folder} has no commit yet; commit the kernel's source there before you edit it.") from error
        raise


def tree(folder: Path, commit: str) -> str:
    """Return the tree of a commit of the checkout, which identifies its files."""
    return _read(folder, "rev-parse", "--verify", f"{commit}^{{tree}}")


def text(folder: Path, ref: str, path: str) -> str:
    """Return the text of a file in what `ref` means in the repository at `folder`; UsageError if there is none."""
    return _read(folder, "cat-file", "blob", "--end-of-options", f"{ref}:{path}")


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
    """Return what differs in `folder` from `commit` as one patch: files that git does not ignore, new ones as well.

    Other repositories in it, such as further work trees, are left out.
    """
    with _mirror(folder, commit) as git_in, tempfile.TemporaryDirectory() as name:
        patch = Path(name, "patch")
        new = git_in("ls-files", "--others", "--exclude-standard", "-z").split("\0")
        inner = (f":(top,exclude,literal){path}" for path in new if path.endswith("/"))  # git lists no other folders
        git_in("add", "--all", "--", ".", *inner)
        options = ("-p", "--binary", "--full-index", "--no-renames", "--ignore-submodules=all", "--no-color", *_PLAIN)
        git_in("diff-tree", *options, f"--output={patch}", commit, git_in("write-tree"))
        return patch.read_bytes()


@contextlib.contextmanager
def _mirror(folder: Path, commit: str) -> Iterator[Callable[..., str]]:
    """Yield a function that runs git on the files of a checkout.

    Git would run the file system monitor, the filters and the hooks of the checkout's configuration. So it reads the objects
    and a copy of the index by a repository of the rig's, which has none of these, and writes new objects there.
    """
    own, common = _read(folder, "rev-parse", "--path-format=absolute", "--git-dir", "--git-common-dir").splitlines()
    with borrowed(folder) as scratch:
        (scratch / "HEAD").write_text(f"{commit}\n")
        (scratch / "info").mkdir(exist_ok=True)
        for excludes in Path(common).glob("info/exclude"):
            shutil.copy(excludes, scratch / "info")
        for index in (*Path(own).glob("index"), *Path(own).glob("sharedindex.*")):
            shutil.copy2(index, scratch)  # with its time, by which git knows what to read again
        places: tuple[str | Path, ...] = (*_settings(folder), "--git-dir", scratch, "--work-tree", folder)
        yield functools.partial(git.plain, *places, cwd=folder, error=UsageError)


def _settings(folder: Path) -> list[str]:
    """Return options with the settings of the checkout in `_FILES`, and with what the user has git ignore everywhere."""
    found = [f"core.excludesFile={_ignored(folder)}"]
    with contextlib.suppress(RigError):  # git fails if there are none
        lines = git.plain("config", "--local", "--null", "--get-regexp", _FILES, cwd=folder).split("\0")
        found += [line.replace("\n", "=", 1) for line in filter(None, lines)]
    return [word for setting in found for word in ("-c", setting)]


def _ignored(folder: Path) -> Path:
    """Return the file with the patterns of files that the user has git ignore in all checkouts."""
    env = {**environment(), **dict.fromkeys(_USERS)}
    with contextlib.suppress(RigError):  # git fails if it is not set
        return Path(shell.output(("git", "config", "--path", "core.excludesFile"), cwd=folder, env=env, error=UsageError))
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path("~/.config").expanduser(), "git/ignore")


def _read(folder: Path, *arguments: str) -> str:
    try:
        return git.plain(*arguments, cwd=folder, error=UsageError)
    except UsageError as error:
        if _FOREIGN in str(error):
            raise UsageError(f"{folder} belongs to another user; name a copy of your own, or run the rig as that user.") from error
        raise
