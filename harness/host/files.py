# SPDX-License-Identifier: GPL-2.0-only
"""Writes files and folders that are complete or absent, checks that they stay so, and locks them."""

from __future__ import annotations

import contextlib
import fcntl
import glob
import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
from filelock import FileLock, Timeout

from harness import paths
from harness.errors import RigError, UsageError
from harness.host import shortage

SEAL = "seal.json"
"""file of a sealed folder with the checksums of the others; its time is that of the last check"""
_GOING = ".removing-"
"""begins the name of a folder whose removal has begun, so that a half-removed one is never taken for a whole one"""
_NAME = ""
"""key of the folder's own name in a seal"""
_RANDOM = 8
"""random characters in the name of a temporary folder, as tempfile makes them"""
_YOUNG = 60.0
"""seconds for which a temporary folder may be without its lock, because it was just made"""
_LARGE = 64 << 20
"""bytes above which only a file's size is checked: to read it each time would take too long"""


def digest(*parts: str | bytes | Path) -> str:
    """Return a hash over `parts`; a Path stands for the file's content."""
    total = hashlib.sha256()
    for part in parts:
        data = part.read_bytes() if isinstance(part, Path) else part.encode() if isinstance(part, str) else part
        total.update(len(data).to_bytes(8, "big") + data)
    return total.hexdigest()


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file of any size, as hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write(path: Path, content: str | bytes, mode: int = 0o644) -> None:
    """Write `path` atomically: a reader sees the old content or the new."""
    _mkdir(path.parent)
    data = content.encode() if isinstance(content, str) else content
    temporary = None
    try:
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, mode)
        os.replace(temporary, path)
    except OSError as error:
        raise RigError(f"{shortage.advised(f'{path} cannot be written: {error.strerror}')}.") from error
    finally:
        if temporary:
            Path(temporary).unlink(missing_ok=True)


def seal(folder: Path, name: str = "") -> None:
    """Record the checksums of the files in `folder`, for `whole` to check.

    `name` is the name that the folder will get later, if that is another one: the seal holds for this name only.
    """
    files = [file for file in sorted(folder.rglob("*")) if file.is_file() and file.name != SEAL]
    sums = {_NAME: name or folder.name, **{str(file.relative_to(folder)): _state(file) for file in files}}
    write(folder / SEAL, msgspec.json.encode(sums))


def whole(folder: Path) -> bool:
    """Return True if `folder` was sealed under its name, and no file of it is missing, truncated or changed."""
    try:
        sums = msgspec.json.decode((folder / SEAL).read_bytes(), type=dict[str, str])
        good = sums.pop(_NAME, "") == folder.name and all(_state(folder / name) == state for name, state in sums.items())
        if good:
            os.utime(folder / SEAL)
        return good
    except (OSError, msgspec.DecodeError):
        return False


def size(path: Path) -> int:
    """Return the bytes of a file, or of all files of a folder, without following links."""
    total = 0
    for parent, _, names in os.walk(path):
        for name in names:
            with contextlib.suppress(OSError):  # gone since it was listed
                total += Path(parent, name).lstat().st_size
    if not path.is_dir():
        with contextlib.suppress(OSError):
            total = path.lstat().st_size
    return total


def remove(path: Path) -> None:
    """Remove a file or a folder; one that is removed in part has another name. Raises RigError if that is not possible."""
    going = path.with_name(_GOING + path.name)
    try:
        path.rename(going)
        shutil.rmtree(going) if going.is_dir() else going.unlink()
    except OSError as error:
        raise RigError(f"{path} cannot be removed: {error.strerror}; remove it by hand.") from error


def finish_removals(folder: Path) -> None:
    """Finish removals in `folder` that were cut short."""
    for path in folder.glob(f"{_GOING}*"):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def _state(file: Path) -> str:
    size = file.stat().st_size
    return f"{size} bytes" if size > _LARGE else file_sha256(file)


@contextmanager
def folder(path: Path) -> Iterator[Path]:
    """Yield a new folder to fill; it is renamed to `path` unless an exception is raised."""
    try:
        with scratch(path.parent, path.name) as temporary:
            yield temporary
            if path.exists():
                shutil.rmtree(path)
            temporary.chmod(0o755)
            temporary.rename(path)
    except OSError as error:
        raise RigError(f"{shortage.advised(f'{path} cannot be made: {error.strerror or error}')}.") from error


@contextmanager
def scratch(place: Path, name: str = "scratch") -> Iterator[Path]:
    """Yield a temporary folder in `place`, which is removed in the end; so are those of rigs that were killed."""
    _mkdir(place)
    for left in place.glob(f".{glob.escape(name)}.{'?' * _RANDOM}"):
        if left.is_dir() and left.stat().st_mtime < time.time() - _YOUNG:
            with held(left) as free:
                if free:
                    shutil.rmtree(left, ignore_errors=True)
    temporary = Path(tempfile.mkdtemp(dir=place, prefix=f".{name}."))
    try:
        with held(temporary):
            yield temporary
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


@contextmanager
def held(folder: Path) -> Iterator[bool]:
    """Hold a lock of the folder itself, which follows it if it is renamed; yield False if another holds it."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    free = True
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            free = False
        yield free
    finally:
        os.close(descriptor)


def lock_of(path: Path) -> Path:
    """Return the file that whoever locks `path` has a lock of, by flock(2)."""
    return path.with_name(f".{path.name}.lock")


@contextmanager
def locked(path: Path, busy: str = "") -> Iterator[None]:
    """Hold the exclusive lock of `path`, against other threads and other rigs.

    Waits for whoever holds it, or raises UsageError with the sentence `busy` if there is one.
    """
    _mkdir(path.parent)
    lock = FileLock(lock_of(path), timeout=0 if busy else -1, thread_local=False)
    try:
        lock.acquire()
    except Timeout as error:
        raise UsageError(busy) from error
    try:
        yield
    finally:
        lock.release()


@contextmanager
def shared(path: Path) -> Iterator[None]:
    """Hold the lock of `path` in shared mode: others can share it, none can hold it exclusively."""
    _mkdir(path.parent)
    with lock_of(path).open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        yield


def _mkdir(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        place = "; RIG_CACHE can name another place" if folder.is_relative_to(paths.cache()) else ""
        raise RigError(f"The folder {folder} cannot be made: {error.strerror}{place}.") from error
