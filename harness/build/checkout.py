# SPDX-License-Identifier: GPL-2.0-only
"""Reads a user's checkout without running the programs that its configuration names."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from harness.build import git
from harness.errors import RigError, UsageError

_FILES = r"^core\.(filemode|autocrlf|eol|symlinks)$"
"""settings that say how files are written in the checkout"""
_FOREIGN = "dubious ownership"


def head(folder: Path) -> str:
    """Return the commit that is checked out in `folder`; UsageError if git cannot tell."""
    return _read(folder, "rev-parse", "HEAD^{commit}")


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
    """Return True if files in `folder` or in its index differ from `commit`.

    To compare them, git would run the file system monitor, the filters and the hooks of the checkout's configuration.
    So it reads the objects and a copy of the index by a repository of the rig's, which has none of these.
    """
    own = _read(folder, "rev-parse", "--path-format=absolute", "--git-dir")
    with borrowed(folder) as scratch:
        (scratch / "HEAD").write_text(f"{commit}\n")
        for index in (*Path(own).glob("index"), *Path(own).glob("sharedindex.*")):
            shutil.copy2(index, scratch)  # with its time, by which git knows what to read again
        places = ("--git-dir", scratch, "--work-tree", folder)
        options = ("--porcelain", "--untracked-files=no", "--ignore-submodules=all", "--no-renames")
        return bool(git.plain(*_settings(folder), *places, "status", *options, cwd=folder, error=UsageError))


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
