# SPDX-License-Identifier: GPL-2.0-only
"""Gets a kernel's source: from the user, the cache, kernel.org, or the distribution."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable
from pathlib import Path

import msgspec

from harness import paths
from harness.build import apt, checkout, download, git
from harness.errors import RigError, SourceUnavailable, UsageError
from harness.host import files, shell
from harness.host.deadline import patience
from harness.host.shell import Line
from harness.model import matrix
from harness.model.matrix import STOCK, Base
from harness.model.selection import DEFAULT, Selection

_WAYS = (
    "Supply it with --source or RIG_SOURCE (a folder, a tarball, or URL#REF of a git repository),"
    " unpack it to {folder}, or put {tarball} into {folder.parent}."
)
_TRANSPORTS = ("file", "git", "http", "https", "ssh")
"""ways to fetch from a git repository"""
_TRANSPORT = re.compile(r"([\w.+-]+)(::|://)")
_SILENCE = 60.0
"""seconds without a byte of progress after which a fetch is given up; RIG_PATIENCE makes it longer"""
_HOST_DEBIAN = ("dpkg", "--print-architecture")


class Tree(msgspec.Struct, frozen=True):
    """A kernel's source, imported into the rig's repository."""

    commit: str
    tree: str
    version: str
    """version in its Makefile, such as ``4.18.0``"""
    origin: str
    """origin of the source, for messages"""


class Origins(msgspec.Struct, frozen=True):
    """Functions that fetch a source from the network; tests hand in their own."""

    fetch: Callable[[str, str, Path, Line], None] = download.fetch
    packages: Callable[..., list[Path]] = apt.download


_ORIGINS = Origins()


def resolve(base: Base, wanted: str | None, say: Line, origins: Origins = _ORIGINS) -> Tree:
    """Return the source of `base`: the one that the user `wanted`, else from the cache, else from the base's own origin.

    `wanted` is a folder, a tarball, or a git URL with a ref as ``URL#REF``.
    Raises UsageError for one that cannot be used, SourceUnavailable if there is none.
    """
    if wanted:
        return _wanted(base, wanted, say)
    folder = _sources() / f"linux-{base.name}"
    if not folder.is_dir():
        _fetch(base, folder, say, origins)
    return _import(base, folder, str(folder), say)


def is_here(base: Base) -> bool:
    """Return True if the cache has the source of `base`, so that nothing is fetched for it."""
    return (_sources() / f"linux-{base.name}").is_dir()


def _wanted(base: Base, wanted: str, say: Line) -> Tree:
    path = _path(wanted)
    if path.is_dir():
        if (path / ".git").exists():
            return _from_git(base, str(path.resolve()), "HEAD", say)
        return _import(base, path.resolve(), str(path.resolve()), say)
    if path.is_file():
        return _from_file(base, path.resolve(), say)
    url, mark, ref = wanted.rpartition("#") if "#" in wanted else (wanted, "", "")  # the name of a folder may have one
    local = _path(url)
    if mark and (local / ".git").exists():
        return _from_git(base, "file://" + str(local.resolve()), ref, say)
    if _TRANSPORT.match(url) or url.endswith(".git") or mark:
        return _from_git(base, url, ref or "HEAD", say)
    raise UsageError(f"There is no source at {wanted}; name a folder, a tarball, or a git URL with a ref as URL#REF.")


def _from_file(base: Base, tarball: Path, say: Line) -> Tree:
    """Import a tarball, unless one with the same content was imported before."""
    memory = paths.cache() / "tarballs" / files.file_sha256(tarball)
    if memory.exists():
        commit = memory.read_text()
        if git.blob(commit, "Makefile") is not None:
            _check_version(base, (git.blob(commit, "Makefile") or b"").decode(errors="replace"), str(tarball))
            return _tree(base, commit, str(tarball))
    say(f"unpacking {tarball}")
    with files.scratch(_sources()) as scratch:
        unpacked = _unpack(tarball, scratch, UsageError)
        tree = _import(base, unpacked, str(tarball), say)
        git.forget(unpacked)
    files.write(memory, tree.commit)
    return tree


def _fetch(base: Base, folder: Path, say: Line, origins: Origins) -> None:
    """Download the base's source to the cache from its own origin."""
    tarball = folder.with_name(Path(base.source.url).name or f"linux-{base.name}.tar.xz")
    with files.locked(folder):
        if folder.is_dir():
            return
        try:
            if base.source.apt_package:
                _from_apt(base.source.apt_package, folder, say, origins)
            elif base.source.url or tarball.exists():
                _from_tarball(base, tarball, folder, say, origins)
            else:
                raise RigError("its base.toml names no source")
        except RigError as error:
            ways = _WAYS.format(folder=folder, tarball=tarball.name)
            raise SourceUnavailable(f"Linux {base.name} cannot be had ({str(error).rstrip('.')}). {ways}") from error


def _from_tarball(base: Base, tarball: Path, folder: Path, say: Line, origins: Origins) -> None:
    if base.source.url:
        origins.fetch(base.source.url, base.source.sha256, tarball, say)
    say(f"unpacking {tarball.name}")
    with files.scratch(_sources()) as scratch:
        _settle(_unpack(tarball, scratch, RigError), folder)


def _from_apt(package: str, folder: Path, say: Line, origins: Origins) -> None:
    say(f"fetching Debian's {package}")
    with files.scratch(_sources()) as scratch:
        (deb,) = origins.packages(shell.output(_HOST_DEBIAN), [package], scratch / "packages", dependencies=False)
        apt.unpack(deb, scratch / "unpacked")
        (tarball,) = (scratch / "unpacked/usr/src").glob("*.tar.*")
        say(f"unpacking {tarball.name}")
        _settle(_unpack(tarball, scratch / "source", RigError), folder)


def _sources() -> Path:
    return paths.cache() / "sources"


def _settle(unpacked: Path, folder: Path) -> None:
    """Give an unpacked source its name, once all of it is on the disk: after a power loss files would be empty."""
    os.sync()
    unpacked.rename(folder)


def _unpack(tarball: Path, into: Path, error: type[RigError]) -> Path:
    """Unpack a tarball and return the one folder that it holds."""
    into.mkdir(parents=True, exist_ok=True)
    shell.output(("tar", "--extract", "--no-same-owner", f"--file={tarball}", f"--directory={into}"), error=error)
    inside = list(into.iterdir())
    if len(inside) != 1 or not (inside[0] / "Makefile").is_file():
        raise error(f"{tarball} does not hold one folder with a kernel's source; name a tarball as kernel.org makes them.")
    return inside[0]


def _import(base: Base, folder: Path, origin: str, say: Line) -> Tree:
    makefile = folder / "Makefile"
    if not makefile.is_file():
        raise UsageError(f"{folder} holds no kernel source: it has no Makefile.")
    _check_version(base, makefile.read_text(errors="replace"), origin)
    if (folder / ".config").exists() or (folder / "include/config").exists():
        raise UsageError(f"{folder} has been built in; run `make mrproper` there, or name a clean tree.")
    if not (git.repository() / "refs/rig/sources").exists():
        say(f"importing {folder} (once; about a minute)")
    tree = git.import_folder(folder)
    return _tree(base, git.commit(tree, f"Linux {base.name}"), origin)


def _from_git(base: Base, url: str, ref: str, say: Line) -> Tree:
    if Path(url).is_dir():
        ref = checkout.head(Path(url))
        if checkout.changed(Path(url), ref):
            raise UsageError(
                f"{url} has changes that are not committed; commit or stash them, so that the run can be repeated,"
                f" or test them with `invoke try --tree {url}`."
            )
        url = "file://" + str(Path(url).resolve())
    _check_transport(url)
    if known := _known(url, ref):
        return _committed(base, known, f"{url}#{ref}")
    say(f"fetching {ref} from {url}")
    mine = f"refs/rig/fetched/{os.getpid()}"
    # Progress tells a slow server from a mute one.
    options = ("--progress", "--depth=1", "--no-tags", "--no-recurse-submodules")
    transports = {"GIT_ALLOW_PROTOCOL": ":".join(_TRANSPORTS)}
    silence = _SILENCE * patience()
    git.run("fetch", *options, "--", url, f"+{ref}:{mine}", env=transports, silence=silence, error=UsageError)
    return _committed(base, git.run("rev-parse", mine), f"{url}#{ref}")


def _known(url: str, ref: str) -> str:
    """Return the commit in the rig's repository with the files of `ref` in a repository of this host; empty if there is none."""
    local = Path(url.removeprefix("file://"))
    if url.startswith("file://") and local.is_dir():
        with contextlib.suppress(UsageError):  # what is wrong with the ref or the repository, the fetch says better
            return git.kept(f"sources/{checkout.tree(local, ref)}")
    return ""


def _committed(base: Base, fetched: str, origin: str) -> Tree:
    """Return the source of a tree or commit in the rig's repository; UsageError if it is no source of `base`."""
    url, _, ref = origin.rpartition("#")
    makefile = git.blob(fetched, "Makefile")
    if makefile is None:
        raise UsageError(f"{ref} of {url} holds no kernel source: it has no Makefile.")
    _check_version(base, makefile.decode(errors="replace"), f"{ref} of {url}")
    return _tree(base, git.commit(git.tree_of(fetched), f"Linux {base.name}"), origin)


def _check_transport(url: str) -> None:
    """Raise UsageError for a URL of a transport that runs a program, waits on a file descriptor, or is unknown."""
    named = _TRANSPORT.match(url)
    if named and (named[2] == "::" or named[1] not in _TRANSPORTS):
        known = ", ".join(_TRANSPORTS)
        raise UsageError(
            f"The rig does not fetch from {url} by '{named[1]}'; name a folder, a tarball, or a URL with one of {known}."
        )


def _tree(base: Base, commit: str, origin: str) -> Tree:
    tree = git.tree_of(commit)
    git.keep(f"sources/{tree}", commit)
    makefile = git.blob(commit, "Makefile") or b""
    return Tree(commit, tree, _version(makefile.decode(errors="replace")), origin)


def _version(makefile: str) -> str:
    values = dict(re.findall(r"^(VERSION|PATCHLEVEL|SUBLEVEL)[ \t]*=[ \t]*(\d+)", makefile, re.M))
    return ".".join(values.get(key, "?") for key in ("VERSION", "PATCHLEVEL", "SUBLEVEL"))


def _check_version(base: Base, makefile: str, origin: str) -> None:
    version = _version(makefile)
    if not f"{version}.".startswith(f"{base.release}."):
        raise UsageError(f"{origin} is Linux {version}, not {base.release}; name a source of {base.release}, or another --kernel.")


FALLBACK = "6.1"
"""the base whose source is a package of Debian's"""


def _path(wanted: str) -> Path:
    # A URL is no path, and stays as it is.
    return paths.expanded(wanted, "--source or RIG_SOURCE") if wanted.startswith("~") else Path(wanted)


class Sources(msgspec.Struct, frozen=True):
    """A kernel base with its source, and notes for the report."""

    base: Base
    tree: Tree
    notes: tuple[str, ...] = ()


def sources(wanted: Selection, say: Line) -> Sources:
    """Return the base to test and its source: 4.18, or the distribution's kernel if 4.18 is not available."""
    named = wanted.source or os.environ.get("RIG_SOURCE", "")
    base = matrix.load_base(wanted.kernel or DEFAULT)
    try:
        return Sources(base, resolve(base, named or None, say))
    except SourceUnavailable as missing:
        if wanted.kernel or wanted.series or wanted.each_patch or wanted.variant not in ("", STOCK):
            raise
        fallback = matrix.load_base(FALLBACK)
        note = f"{missing} Until then this is a stock-only run of Linux {fallback.name}: it compares nothing."
        say(note)
        return Sources(fallback, resolve(fallback, None, say), (note,))
