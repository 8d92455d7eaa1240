# SPDX-License-Identifier: GPL-2.0-only
"""Knows by words of programs and of Python what the host lacks, and what to do about it."""

# Only what cannot fail is imported here: harness/commands/uncaught.py is there before the rest of the rig is.
from __future__ import annotations

import os
import re
import resource
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

from harness.errors import RigError
from harness.text import size

_LEAST_ROOM, _LEAST_FILES = 32 << 20, 16
"""free bytes and files of a file system below which it counts as full: what did not fit may have been removed again"""


class _Shortage(NamedTuple):
    words: re.Pattern[str]
    """by which programs tell it, and that they are not to blame themselves"""
    advice: Callable[[], str] = str
    """returns what to do about it, as part of a sentence; empty if that is plain"""


def _processes() -> str:
    most, _ = resource.getrlimit(resource.RLIMIT_NPROC)
    limit = "without a limit of its own" if most == resource.RLIM_INFINITY else f"`ulimit -u` is {most}"
    return f"this user ({limit}) or this container (its pids.max) may have no more processes and threads; end others, or raise it"


def _room() -> str:
    return "see by `df -h` and `df -i` which file system is full, and make room; `invoke cache --prune` removes what is old"


_SHORTAGES = (
    _Shortage(re.compile(r"No space left on device|Disk quota exceeded"), _room),
    _Shortage(
        re.compile(r"Resource temporarily unavailable|(?:[Cc]annot|[Ff]ailed to|[Cc]an.t) fork|can't start new thread"), _processes
    ),
    _Shortage(
        re.compile(r"Cannot allocate memory|virtual memory exhausted|\bKilled\b"),
        lambda: "the host has too little memory left; call again with fewer --jobs, or when others have ended",
    ),
    _Shortage(re.compile(r"Too many open files"), lambda: "raise the limit of open files, `ulimit -n`"),
    _Shortage(re.compile(r"Read-only file system|Input/output error")),
)


def reason(lines: Iterable[str]) -> str:
    """Return the first line by which a program says that the host lacks something, such as space; empty if none does."""
    return next((line.strip() for line in lines if _found(line)), "")


def advice(text: str) -> str:
    """Return what to do where `text` says that the host lacks something, as part of a sentence; empty if nothing is known."""
    found = _found(text)
    return found.advice() if found else ""


def advised(text: str) -> str:
    """Return `text`, with what to do if it says that the host lacks something."""
    return f"{text}; {what}" if (what := advice(text)) else text


def full(folder: Path) -> str:
    """Return that the file system of `folder` is full, and what to do; empty if it is not.

    A program does not always say so: ccache keeps what the compiler complains of in a file, which does not fit either.
    """
    state = os.statvfs(folder)
    free = state.f_bavail * state.f_frsize
    # Some file systems, such as Btrfs, make files as they are needed and count none.
    if free >= _LEAST_ROOM and not (state.f_files and state.f_favail < _LEAST_FILES):
        return ""
    left = f"{size(free)} and {state.f_favail:,} files are left" if state.f_files else f"{size(free)} are left"
    return f"the file system of {folder} is full ({left}): make room; `invoke cache --prune` removes what is old"


def said(error: BaseException) -> str:
    """Return the sentence of one of the rig's own errors, or of Python's where the host lacks something; else nothing."""
    if isinstance(error, RigError):
        return str(error)
    if isinstance(error, OSError):
        words = f"{error.filename} cannot be used: {error.strerror}" if error.filename else str(error.strerror)
    else:
        words = str(error) if isinstance(error, RuntimeError) else ""
    return f"{advised(words)}." if _found(words) else ""


def _found(text: str) -> _Shortage | None:
    return next((each for each in _SHORTAGES if each.words.search(text)), None)
