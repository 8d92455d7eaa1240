# SPDX-License-Identifier: GPL-2.0-only
"""Runs builds without a network and without the user's home, by bubblewrap: a series' Makefiles are somebody else's programs."""

from __future__ import annotations

import functools
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from harness import paths
from harness.errors import RigError, UsageError
from harness.host import shell

VARIABLE = "RIG_SANDBOX"
_VALUES = ("0", "1", "auto")
_PROGRAM = "bwrap"
_TEMPORARY = "/tmp"  # noqa: S108 - an empty one of its own


class Sandbox(NamedTuple):
    """The beginning of a command that runs in a sandbox, and the reason if there is none."""

    words: tuple[str, ...] = ()
    missing: str = ""


def enter(command: Sequence[str]) -> tuple[str, ...]:
    """Return `command` so that it runs in a sandbox, if ``RIG_SANDBOX`` asks for one.

    There it has no network, no sockets of services and no processes but its own, an empty home and temporary folder, and may
    write to the rig's cache alone. Raises UsageError if the sandbox is asked for by 1 and cannot be had.
    """
    return (*_chosen(os.environ.get(VARIABLE, "0")).words, *command)


def notes() -> tuple[str, ...]:
    """Return sentences for the report: that a sandbox was to be used where there is one, and there was none."""
    missing = _chosen(os.environ.get(VARIABLE, "0")).missing
    return (f"Kernels were built without a sandbox: {missing}.",) if missing else ()


def _chosen(value: str) -> Sandbox:
    if value not in _VALUES:
        raise UsageError(f"{VARIABLE} has to be {', '.join(_VALUES[:-1])} or {_VALUES[-1]}, not '{value}'.")
    if value == "0":
        return Sandbox()
    found = _sandbox(paths.cache(), os.environ.get("PATH", ""))
    if found.missing and value == "1":
        raise UsageError(f"{VARIABLE} asks for a sandbox, but {found.missing}; set it to auto to build without one then.")
    return found


@functools.cache
def _sandbox(cache: Path, path: str) -> Sandbox:
    """Return the sandbox for builds in `cache`, if the first bubblewrap in `path` works here."""
    if not shutil.which(_PROGRAM, path=path):
        return Sandbox(missing="bubblewrap is not installed")
    cache.mkdir(parents=True, exist_ok=True)
    home = paths.home()
    empty = (_TEMPORARY, "/run", *([str(home)] if home and home != Path("/") else []))
    words = (
        # Root would keep its rights, and could undo the rest.
        *(_PROGRAM, "--die-with-parent", "--unshare-net", "--unshare-pid", "--unshare-ipc", "--cap-drop", "ALL"),
        *("--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc", "--setenv", "TMPDIR", _TEMPORARY),
        *(word for folder in empty for word in ("--tmpfs", folder)),
        *("--ro-bind", str(paths.PROJECT), str(paths.PROJECT), "--bind", str(cache), str(cache)),
        "--",
    )
    try:
        shell.output((*words, "true"))
    except RigError as error:
        return Sandbox(missing=f"bubblewrap does not work here ({str(error).rpartition('exit code 1: ')[2].rstrip('.')})")
    return Sandbox(words)
