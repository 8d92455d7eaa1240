# SPDX-License-Identifier: GPL-2.0-only
"""Writes files and folders that are complete or absent, checks that they stay so, and locks them."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
from filelock import FileLock, Timeout

from harness import paths
from harness.errors import RigError, UsageError

_SEAL = "seal.json"
_NAME = ""
"""key of the folder's own name in a seal"""
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
        raise RigError(f"{path} cannot be written: {error.strerror}.") from error
    finally:
        if temporary:
            Path(temporary).unlink(missing_ok=True)


def seal(folder: Path, name: str = "") -> None:
    """Record the checksums of the files in `folder`, for `whole` to check.

    `name` is the name that the folder will get later, if that is another one: the seal holds for this name only.
    """
    files = [file for file in sorted(folder.rglob("*")) if file.is_file() and file.name != _SEAL]
    sums = {_NAME: name or folder.name, **{str(file.relative_to(folder)): _state(file) for file in files}}
    write(folder / _SEAL, msgspec.json.encode(sums))


def whole(folder: Path) -> bool:
    """Return True if `folder` was sealed under its name, and no file of it is missing, truncated or changed."""
    try:
        sums = msgspec.json.decode((folder / _SEAL).read_bytes(), type=dict[str, str])
        return sums.pop(_NAME, "") == folder.name and all(_state(folder / name) == state for name, state in sums.items())
    except (OSError, msgspec.DecodeError):
        return False


def _state(file: Path) -> str:
    size = file.stat().st_size
    return f"{size} bytes" if size > _LARGE else file_sha256(file)


@contextmanager
def folder(path: Path) -> Iterator[Path]:
    """Yield a new folder to fill; it is renamed to `path` unless an exception is raised."""
    _mkdir(path.parent)
    temporary = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}."))
    try:
        yield temporary
        if path.exists():
            shutil.rmtree(path)
        temporary.chmod(0o755)
        temporary.rename(path)
    except OSError as error:
        raise RigError(f"{path} cannot be made: {error.strerror or error}.") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


@contextmanager
def locked(path: Path, busy: str = "") -> Iterator[None]:
    """Hold the exclusive lock of `path`, against other threads and other rigs.

    Waits for whoever holds it, or raises UsageError with the sentence `busy` if there is one.
    """
    _mkdir(path.parent)
    lock = FileLock(path.with_name(f".{path.name}.lock"), timeout=0 if busy else -1, thread_local=False)
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
    with path.with_name(f".{path.name}.lock").open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        yield


def _mkdir(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        place = "; RIG_CACHE can name another place" if folder.is_relative_to(paths.cache()) else ""
        raise RigError(f"The folder {folder} cannot be made: {error.strerror}{place}.") from error
