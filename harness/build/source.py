# SPDX-License-Identifier: GPL-2.0-only
"""Chooses the kernel base and its source: the user's, or the base's own from the cache, kernel.org or the distribution."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import msgspec

from harness import paths
from harness.build import apt, download, kernel_tree, supplied
from harness.build.kernel_tree import Tree
from harness.errors import RigError, SourceUnavailable, UsageError
from harness.host import files, shell
from harness.host.shell import Line
from harness.model import matrix, releases
from harness.model.matrix import STOCK, Base
from harness.model.selection import DEFAULT, Selection

_WAYS = (
    "Supply it with --source or RIG_SOURCE (a folder, a tarball, or URL#REF of a git repository),"
    " unpack it to {folder}, or put {tarball} into {folder.parent}."
)
_HOST_DEBIAN = ("dpkg", "--print-architecture")
VARIABLE = "RIG_SOURCE"
FALLBACK = "6.12"
"""the base whose source is a package of Debian's"""


class Origins(msgspec.Struct, frozen=True):
    """Functions that fetch a source from the network; tests hand in their own."""

    fetch: Callable[[str, str, Path, Line], None] = download.fetch
    packages: Callable[..., list[Path]] = apt.download


_ORIGINS = Origins()


class Sources(msgspec.Struct, frozen=True):
    """A kernel base with its source, and notes for the report."""

    base: Base
    tree: Tree
    notes: tuple[str, ...] = ()


def expected(wanted: Selection) -> Base:
    """Return the base of a selection, as far as it can be told before a source is fetched.

    Raises UsageError for a source of this host that cannot be used.
    """
    own = named(wanted)
    version = supplied.version(own) if own and not wanted.kernel else ""
    return releases.nearest(version, own) if version else matrix.load_base(wanted.kernel or DEFAULT)


def sources(wanted: Selection, say: Line) -> Sources:
    """Return the base to test and its source.

    Of the user's source, which may be of any release, unless a base is named, the base is the nearest. Else it is 4.18, or the
    distribution's kernel if 4.18 is not available.
    """
    own = named(wanted)
    if own and not wanted.kernel:
        return _nearest(own, say)
    base = matrix.load_base(wanted.kernel or DEFAULT)
    try:
        return Sources(base, resolve(base, own or None, say))
    except SourceUnavailable as missing:
        if wanted.kernel or wanted.series or wanted.each_patch or wanted.variant not in ("", STOCK):
            raise
        fallback = matrix.load_base(FALLBACK)
        compares = f"stock against its series {fallback.default_series}" if fallback.default_series else "stock alone"
        note = f"{missing} Until then this is a run of Linux {fallback.name}: {compares}."
        say(note)
        return Sources(fallback, resolve(fallback, None, say), (note,))


def resolve(base: Base, wanted: str | None, say: Line, origins: Origins = _ORIGINS) -> Tree:
    """Return the source of `base`: the one that the user `wanted`, else from the cache, else from the base's own origin.

    `wanted` is a folder, a tarball, or a git URL with a ref as ``URL#REF``.
    Raises UsageError for one that cannot be used, SourceUnavailable if there is none.
    """
    if wanted:
        if version := supplied.version(wanted):
            _check_release(base, version, wanted)  # before it is imported, which takes a minute
        tree = supplied.read(wanted, say)
        _check_release(base, tree.version, tree.origin)
        return tree
    folder = _sources() / f"linux-{base.name}"
    if not folder.is_dir():
        _fetch(base, folder, say, origins)
    return kernel_tree.import_folder(folder, str(folder), say)


def is_here(base: Base) -> bool:
    """Return True if the cache has the source of `base`, so that nothing is fetched for it."""
    return (_sources() / f"linux-{base.name}").is_dir()


def named(wanted: Selection) -> str:
    """Return the source that the user names; empty if he names none."""
    return wanted.source or os.environ.get(VARIABLE, "")


def _nearest(named: str, say: Line) -> Sources:
    """Return the user's source with the base that it is nearest to."""
    if version := supplied.version(named):
        releases.nearest(version, named)  # one that is too old is refused before it is imported
    tree = supplied.read(named, say)
    base = releases.nearest(tree.version, tree.origin)
    if not base.like:
        return Sources(base, tree)
    note = releases.told(base, tree.version)
    say(note)
    return Sources(base, tree, (note,))


def _check_release(base: Base, version: str, origin: str) -> None:
    if releases.of(version) != base.release:
        raise UsageError(
            f"{origin} is Linux {version}, not {base.release}; name a source of {base.release}, or leave out --kernel, so that"
            " the rig takes the settings of the base that is nearest."
        )


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
        _settle(supplied.unpack(tarball, scratch, RigError), folder)


def _from_apt(package: str, folder: Path, say: Line, origins: Origins) -> None:
    say(f"fetching Debian's {package}")
    with files.scratch(_sources()) as scratch:
        (deb,) = origins.packages(shell.output(_HOST_DEBIAN), [package], scratch / "packages", dependencies=False)
        apt.unpack(deb, scratch / "unpacked")
        (tarball,) = (scratch / "unpacked/usr/src").glob("*.tar.*")
        say(f"unpacking {tarball.name}")
        _settle(supplied.unpack(tarball, scratch / "source", RigError), folder)


def _sources() -> Path:
    return paths.cache() / "sources"


def _settle(unpacked: Path, folder: Path) -> None:
    """Give an unpacked source its name, once all of it is on the disk: after a power loss files would be empty."""
    os.sync()
    unpacked.rename(folder)
