# SPDX-License-Identifier: GPL-2.0-only
"""Folders that sessions and builds need or make, by place and content: packed on one host, unpacked and verified on another."""

from __future__ import annotations

import contextlib
import functools
import gzip
import io
import shutil
import tarfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

import msgspec

from harness import paths
from harness.build import keys
from harness.build.built import BuiltCell
from harness.errors import RigError
from harness.host import files

_PART = 16 << 20
"""bytes of a message: a folder of any size travels in such parts"""
_LEVEL = 1
"""of compression: of a kernel 77 MB become 33, and by 6 they would become 32 in five times the time"""
_LOCAL = "rootfs.json"
"""name of a file that says where it lies on the host that made it"""


class Artifact(msgspec.Struct, frozen=True):
    """One folder of the cache."""

    place: str
    """relative to the cache"""
    digest: str
    """over the names and contents of its files"""


def of_cell(built: BuiltCell) -> tuple[Artifact, ...]:
    """Return what a VM of a cell needs: kernel, module and initramfs, and the keys that its guest knows."""
    keys.ensure()
    kernel = built.kernel
    folders = (kernel.folder, kernel.module.parent, built.rootfs.image.parent, paths.cache() / "keys")
    return tuple(Artifact(str(folder.relative_to(paths.cache())), _known(folder)) for folder in folders)


def digest(folder: Path) -> str:
    """Return a digest over the names and contents of the files in `folder`; empty if there is no such folder."""
    if not folder.is_dir():
        return ""
    return files.digest(*(part for file in _files(folder) for part in (str(file.relative_to(folder)), files.file_sha256(file))))


@functools.cache
def _known(folder: Path) -> str:
    return digest(folder)


def _files(folder: Path) -> list[Path]:
    return sorted(file for file in folder.rglob("*") if file.is_file() and file.name != _LOCAL)


def lacking(root: Path, wanted: Iterable[Artifact]) -> tuple[Artifact, ...]:
    """Return those of `wanted` that the cache at `root` has not, or not as they should be."""
    return tuple(each for each in wanted if digest(root / each.place) != each.digest)


def parts(artifact: Artifact) -> Iterator[bytes]:
    """Yield the folder of an artifact in this host's cache as an archive, in parts.

    Raises RigError if it cannot be read.
    """
    content = _packed(paths.cache() / artifact.place).getbuffer()
    for start in range(0, len(content), _PART):
        yield bytes(content[start : start + _PART])


def archive(root: Path, artifact: Artifact) -> bytes:
    """Return the folder of an artifact in the cache at `root` as a compressed archive; RigError if it cannot be read."""
    return gzip.compress(_packed(root / artifact.place).getbuffer(), _LEVEL)


def _packed(folder: Path) -> io.BytesIO:
    packed = io.BytesIO()
    try:
        with tarfile.open(fileobj=packed, mode="w") as archive:
            for file in _files(folder):
                archive.add(file, str(file.relative_to(folder)), recursive=False)
    except OSError as error:
        raise RigError(f"{folder} cannot be read: {error.strerror}; build again.") from error
    return packed


def receive(root: Path, artifact: Artifact, sender: str, part: bytes, *, first: bool, last: bool, replace: bool = True) -> None:
    """Take a part of an archive from `sender`, and after the last one put the folder in its place in the cache at `root`.

    Without `replace` a whole folder that is there by then stays, since others may be using it.
    Raises RigError if it cannot be written, or is not what it should be.
    """
    held = root / "arriving" / f"{files.digest(sender, artifact.place)[:16]}.tar"
    try:
        held.parent.mkdir(parents=True, exist_ok=True)
        with held.open("wb" if first else "ab") as file:
            file.write(part)
    except OSError as error:
        with contextlib.suppress(OSError):
            held.unlink()
        raise RigError(f"{held} cannot be written: {error.strerror}.") from error
    if last:
        try:
            _unpack(held, root / artifact.place, artifact, replace=replace)
        finally:
            held.unlink(missing_ok=True)


def _unpack(archive: Path, target: Path, artifact: Artifact, *, replace: bool) -> None:
    with files.locked(target):
        if replace or not files.whole(target):
            _put(archive, target, artifact)


def _put(archive: Path, target: Path, artifact: Artifact) -> None:
    with files.folder(target) as work:
        try:
            with tarfile.open(archive) as packed:
                for member in packed:
                    _take(packed, member, work)
        except (tarfile.TarError, EOFError, zlib.error) as error:
            raise RigError(f"{artifact.place} did not arrive whole: {error}.") from error
        if digest(work) != artifact.digest:
            shutil.rmtree(work)
            raise RigError(f"{artifact.place} did not arrive as it was sent: its digest is another.")


def _take(packed: tarfile.TarFile, member: tarfile.TarInfo, work: Path) -> None:
    """Write a file of an archive below `work`; TarError for anything that `parts` does not pack.

    Python 3.11.2, which Debian 12 has, does not know the filters of tarfile.
    """
    content = packed.extractfile(member) if member.isreg() else None
    inside = PurePosixPath(member.name)
    if content is None or inside.is_absolute() or ".." in inside.parts:
        raise tarfile.TarError(f"{member.name!r} is no file of a folder")
    target = work / inside
    target.parent.mkdir(parents=True, exist_ok=True)
    with content, target.open("wb") as file:
        shutil.copyfileobj(content, file)
    target.chmod(member.mode & 0o755)
