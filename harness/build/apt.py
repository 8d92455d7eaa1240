# SPDX-License-Identifier: GPL-2.0-only
"""Downloads Debian packages without root: from the host's sources, with an architecture and state of its own."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from harness import paths
from harness.errors import RigError
from harness.host import files, shell

_SILENCE = 20
"""seconds without a byte after which apt gives up a server; it tries each of some lists twice, which makes minutes"""
_CONFIGURATION = """\
APT::Architecture "{architecture}";
#clear APT::Architectures;
APT::Architectures {{ "{architecture}"; }};
APT::Sandbox::User "";
APT::Install-Recommends "false";
APT::Install-Suggests "false";
Dir::State "{folder}/state";
Dir::State::status "{folder}/status";
Dir::Cache "{folder}/cache";
// A file of these that was cut off would be read for ever.
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
Acquire::Languages "none";
Acquire::Retries "1";
APT::Update::Error-Mode "any";
Acquire::http::Timeout "{silence}";
Acquire::https::Timeout "{silence}";
Acquire::ftp::Timeout "{silence}";
// Hooks of the host's configuration would change the host's own files.
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear DPkg::Pre-Invoke;
#clear DPkg::Post-Invoke;
"""


def download(architecture: str, packages: Sequence[str], into: Path, *, dependencies: bool = True) -> list[Path]:
    """Fetch `packages`, and what they depend on, for Debian's `architecture`.

    Returns the .deb files in `into`; apt has checked them against the signed lists.
    Raises RigError with apt's message if one cannot be downloaded.
    """
    folder = paths.cache() / "apt" / architecture
    command = ("install", "--yes", "--download-only") if dependencies else ("download",)
    error = _unavailable(architecture)
    (into / "partial").mkdir(parents=True, exist_ok=True)
    with files.locked(folder):
        if not files.whole(folder / "state"):
            # apt was killed, or the host lost its power: apt reads no lists, nor replaces them, if one is incomplete.
            shutil.rmtree(folder / "state", ignore_errors=True)
        apt = ("apt-get", "--quiet", "-c", _configured(folder, architecture))
        fetch = (*apt, "-o", f"Dir::Cache::archives={into}", *command, *packages)
        stale = _update(apt, folder, error)
        try:
            shell.output(fetch, cwd=into, error=error)
        except RigError as trouble:
            if not stale:
                raise
            # One list is broken, and an old one in its place names packages that are gone: what do the others have without it?
            shutil.rmtree(folder / "state")
            _configured(folder, architecture)
            _update(apt, folder, error)
            try:
                shell.output(fetch, cwd=into, error=error)
            except RigError:
                raise stale from trouble
    return sorted(into.glob("*.deb"))


def _configured(folder: Path, architecture: str) -> Path:
    """Make the folders that apt works in, and return its configuration."""
    for name in ("state/lists/partial", "cache/archives/partial"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    files.write(folder / "status", "")
    files.write(folder / "apt.conf", _CONFIGURATION.format(architecture=architecture, folder=folder, silence=_SILENCE))
    return folder / "apt.conf"


def _update(apt: tuple[str | Path, ...], folder: Path, error: type[RigError]) -> RigError | None:
    """Fetch the lists; return the trouble if one could not be had, perhaps of a source that has none of the packages.

    apt takes those that it can have, and keeps the old ones of the others.
    """
    try:
        shell.output((*apt, "update"), error=error)
    except RigError as trouble:
        return trouble
    files.seal(folder / "state")
    return None


def unpack(package: Path, into: Path) -> None:
    """Unpack the files of a .deb into a folder."""
    shell.output(("dpkg-deb", "--extract", package, into))


def _unavailable(architecture: str) -> type[RigError]:
    class AptError(RigError):
        def __init__(self, message: str) -> None:
            super().__init__(f"Debian's packages for {architecture} cannot be had: {message}")

    return AptError
