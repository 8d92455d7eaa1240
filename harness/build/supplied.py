# SPDX-License-Identifier: GPL-2.0-only
"""Reads a kernel's source that the user supplies: a folder, a tarball, or a commit of a git repository."""

from __future__ import annotations

import contextlib
import os
import re
from pathlib import Path
from typing import NamedTuple

from harness import paths
from harness.build import checkout, git, kernel_tree
from harness.build.kernel_tree import MAKEFILE, Tree
from harness.errors import RigError, UsageError
from harness.host import files, shell
from harness.host.deadline import patience
from harness.host.shell import Line

_TRANSPORTS = ("file", "git", "http", "https", "ssh")
"""ways to fetch from a git repository"""
_TRANSPORT = re.compile(r"([\w.+-]+)(::|://)")
_SILENCE = 60.0
"""seconds without a byte of progress after which a fetch is given up; RIG_PATIENCE makes it longer"""


class _Repository(NamedTuple):
    """A commit of a git repository."""

    url: str
    ref: str

    @property
    def folder(self) -> Path | None:
        """Its folder if it is one of this host, else None."""
        local = Path(self.url.removeprefix("file://"))
        return local if self.url.startswith("file://") and local.is_dir() else None


class _Checkout(NamedTuple):
    """A folder that is a git checkout, of which HEAD is meant."""

    folder: Path


def version(wanted: str) -> str:
    """Return the version of the source that the user `wanted`; nothing if that cannot be told before a fetch.

    Raises UsageError for a folder that holds no source, and if there is nothing at that place.
    """
    place = _place(wanted)
    if isinstance(place, Path):
        return _packed_version(place) if place.is_file() else kernel_tree.version_in(place)
    folder, ref = (place.folder, "HEAD") if isinstance(place, _Checkout) else (place.folder, place.ref)
    if folder:
        with contextlib.suppress(UsageError):  # what is wrong with the ref or the repository, the fetch says better
            return kernel_tree.version(checkout.text(folder, ref, MAKEFILE))
    return ""


def read(wanted: str, say: Line) -> Tree:
    """Return the source that the user `wanted`: a folder, a tarball, or a git URL with a ref as ``URL#REF``.

    Raises UsageError for one that cannot be used.
    """
    place = _place(wanted)
    if isinstance(place, _Checkout):
        return _fetched(_committed(place.folder), say)
    if isinstance(place, _Repository):
        return _fetched(place, say)
    return _tarball(place, say) if place.is_file() else kernel_tree.import_folder(place, str(place), say)


def _place(wanted: str) -> Path | _Checkout | _Repository:
    """Return what a user's words mean: the path of a folder or a tarball, or a place of git's."""
    path = _path(wanted)
    if path.is_dir():
        return _Checkout(path.resolve()) if (path / ".git").exists() else path.resolve()
    if path.is_file():
        return path.resolve()
    url, mark, ref = wanted.rpartition("#") if "#" in wanted else (wanted, "", "")  # the name of a folder may have one
    local = _path(url)
    if mark and (local / ".git").exists():
        return _Repository("file://" + str(local.resolve()), ref)
    if _TRANSPORT.match(url) or url.endswith(".git") or mark:
        return _Repository(url, ref or "HEAD")
    raise UsageError(f"There is no source at {wanted}; name a folder, a tarball, or a git URL with a ref as URL#REF.")


def _path(wanted: str) -> Path:
    # A URL is no path, and stays as it is.
    return paths.expanded(wanted, "--source or RIG_SOURCE") if wanted.startswith("~") else Path(wanted)


def _packed_version(tarball: Path) -> str:
    """Return the version of the source in a tarball, which is not unpacked; nothing if it cannot be read."""
    options = ("--extract", "--to-stdout", "--occurrence=1", "--wildcards", "--no-wildcards-match-slash")
    with contextlib.suppress(UsageError):  # what is wrong with it, unpacking says better
        command = ("tar", *options, f"--file={tarball}", f"*/{MAKEFILE}")
        return kernel_tree.version(shell.output(command, error=UsageError))
    return ""


def _tarball(tarball: Path, say: Line) -> Tree:
    """Import a tarball, unless one with the same content was imported before."""
    memory = paths.cache() / "tarballs" / files.file_sha256(tarball)
    if memory.exists():
        commit = memory.read_text()
        if git.blob(commit, MAKEFILE) is not None:
            return kernel_tree.kept(commit, str(tarball))
    say(f"unpacking {tarball}")
    with files.scratch(paths.cache() / "sources") as scratch:
        unpacked = unpack(tarball, scratch, UsageError)
        tree = kernel_tree.import_folder(unpacked, str(tarball), say)
        git.forget(unpacked)
    files.write(memory, tree.commit)
    return tree


def unpack(tarball: Path, into: Path, error: type[RigError]) -> Path:
    """Unpack a tarball and return the one folder that it holds."""
    into.mkdir(parents=True, exist_ok=True)
    shell.output(("tar", "--extract", "--no-same-owner", f"--file={tarball}", f"--directory={into}"), error=error)
    inside = list(into.iterdir())
    if len(inside) != 1 or not (inside[0] / MAKEFILE).is_file():
        raise error(f"{tarball} does not hold one folder with a kernel's source; name a tarball as kernel.org makes them.")
    return inside[0]


def _committed(folder: Path) -> _Repository:
    """Return what is checked out in `folder`; UsageError if something there is not committed."""
    head = checkout.head(folder)
    if checkout.changed(folder, head):
        raise UsageError(
            f"{folder} has changes that are not committed; commit or stash them, so that the run can be repeated,"
            f" or test them with `invoke try --tree {folder}`."
        )
    return _Repository(f"file://{folder}", head)


def _fetched(place: _Repository, say: Line) -> Tree:
    url, ref = place
    _check_transport(url)
    if known := _known(place):
        return kernel_tree.of_commit(known, url, ref)
    say(f"fetching {ref} from {url}")
    mine = f"refs/rig/fetched/{os.getpid()}"
    # Progress tells a slow server from a mute one.
    options = ("--progress", "--depth=1", "--no-tags", "--no-recurse-submodules")
    transports = {"GIT_ALLOW_PROTOCOL": ":".join(_TRANSPORTS)}
    silence = _SILENCE * patience()
    git.run("fetch", *options, "--", url, f"+{ref}:{mine}", env=transports, silence=silence, error=UsageError)
    return kernel_tree.of_commit(git.run("rev-parse", mine), url, ref)


def _known(place: _Repository) -> str:
    """Return the commit in the rig's repository with the files of a commit of this host; empty if there is none."""
    if folder := place.folder:
        with contextlib.suppress(UsageError):  # what is wrong with the ref or the repository, the fetch says better
            return git.kept(f"sources/{checkout.tree(folder, place.ref)}")
    return ""


def _check_transport(url: str) -> None:
    """Raise UsageError for a URL of a transport that runs a program, waits on a file descriptor, or is unknown."""
    named = _TRANSPORT.match(url)
    if named and (named[2] == "::" or named[1] not in _TRANSPORTS):
        known = ", ".join(_TRANSPORTS)
        raise UsageError(
            f"The rig does not fetch from {url} by '{named[1]}'; name a folder, a tarball, or a URL with one of {known}."
        )
