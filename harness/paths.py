# SPDX-License-Identifier: GPL-2.0-only
"""Paths of the project's data and of the user's cache, and names for them in texts that leave this host."""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path

from harness.errors import UsageError


def expanded(named: str, by: str) -> Path:
    """Return the absolute path that an option or a variable `by` names; UsageError if there can be none of that name."""
    try:
        return Path(named).expanduser().resolve()
    except RuntimeError as error:
        raise UsageError(
            f"{by} has '{named}', but there is no such user, or no home of that user; name the path itself."
        ) from error
    except (ValueError, OSError) as error:
        raise UsageError(f"{by} has '{named}', which cannot be a path: {error}.") from error


def _folder(variable: str) -> Path | None:
    named = os.environ.get(variable)
    return expanded(named, variable) if named else None


PROJECT = Path(__file__).resolve().parent.parent
MACHINES = PROJECT / "qemu_configs"
FRAGMENTS = MACHINES / "kconfig"
SERIES = PROJECT / "kernel_patches"
TEST_MODULE = PROJECT / "test_module"
ROOTFS = PROJECT / "rootfs"
TOOLS = PROJECT / "harness" / "build" / "tools"
"""scripts that a build calls by name"""
RESULTS = _folder("RIG_RESULTS") or PROJECT / "results"
"""folder of all runs: ``RIG_RESULTS``, or results/"""
_UNFIT = re.compile(r"[^\w./+@~-]")
"""characters that a kernel is not built below: make, the shells that it calls or the compiler take them for something else"""


def cache() -> Path:
    """Return the rig's cache folder: ``RIG_CACHE``, or one in the user's cache folder.

    Everything below it can be deleted; the rig makes it again when it is needed.
    """
    chosen = _folder("RIG_CACHE")
    if chosen:
        return chosen.resolve()
    # The XDG Base Directory Specification says of a relative path here that it is to be ignored.
    named = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return ((named if named.is_absolute() else _home() / ".cache") / "kernel-patch-rig").resolve()


def _home() -> Path:
    if found := home():
        return found
    raise UsageError("There is no home folder for the rig's cache; RIG_CACHE can name another place.")


def home() -> Path | None:
    """Return the user's home folder without links; None for a user who has none."""
    try:
        return Path.home().resolve()
    except RuntimeError:
        return None


def runtime() -> tuple[Path, ...]:
    """Return folders for the sockets of VMs, the best one first; a cache folder's path may be too long for a socket."""
    own = os.environ.get("XDG_RUNTIME_DIR", "")
    usual = (Path(tempfile.gettempdir()).absolute(), Path("/tmp"))  # noqa: S108 - folders are made there that nobody else can open
    return (Path(own), *usual) if own.startswith("/") else usual


def unfit(folder: Path) -> str:
    """Return the reason for which no kernel can be built in a cache at `folder`; empty if there is none."""
    name = str(folder)
    if not name.isprintable():  # nor are bytes that are no UTF-8
        return "its path has characters that cannot be written out"
    if found := _UNFIT.search(name):
        called = {" ": "a space", ":": "a colon", ",": "a comma"}.get(found[0], f"the character {found[0]}")
        return f"its path has {called}, which a kernel's build does not take"
    return ""


def shown(text: str) -> str:
    """Return `text` without this host's folders: a path begins at the project's folder, at results/, or at cache/.

    Paths of the user's other folders begin with ``~``, and temporary ones with tmp/. Those of a guest stay as they are.
    """
    roots = {RESULTS: "results/", cache(): "cache/", PROJECT: "", Path(tempfile.gettempdir()): "tmp/"}
    if user := home():
        roots |= {user: "~/", Path.home(): "~/"}
    for root, name in sorted(roots.items(), key=lambda pair: -len(pair[0].parts)):
        if root != Path("/"):
            text = re.sub(rf"(?<![\w.~/-]){re.escape(str(root))}(?:/|(?![\w.-]))", name, text)
    return text
