# SPDX-License-Identifier: GPL-2.0-only
"""Paths of the project's data and of the user's cache, and names for them in texts that leave this host."""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
MACHINES = PROJECT / "qemu_configs"
FRAGMENTS = MACHINES / "kconfig"
SERIES = PROJECT / "kernel_patches"
TEST_MODULE = PROJECT / "test_module"
ROOTFS = PROJECT / "rootfs"
TOOLS = PROJECT / "harness" / "build" / "tools"
"""scripts that a build calls by name"""
RESULTS = Path(os.environ.get("RIG_RESULTS") or PROJECT / "results").expanduser().resolve()
"""folder of all runs: ``RIG_RESULTS``, or results/"""
_UNFIT = re.compile(r"[^\w./+@~-]")
"""characters that a kernel is not built below: make, the shells that it calls or the compiler take them for something else"""
_LONGEST = 84
"""bytes of the cache's path that leave room for a VM's sockets below it: the kernel takes 107 of a socket's path"""


def cache() -> Path:
    """Return the rig's cache folder: ``RIG_CACHE``, or one in the user's cache folder.

    Everything below it can be deleted; the rig makes it again when it is needed.
    """
    chosen = os.environ.get("RIG_CACHE")
    if chosen:
        return Path(chosen).expanduser().resolve()
    named = Path(os.environ.get("XDG_CACHE_HOME", ""))
    home = named if named.is_absolute() else Path.home() / ".cache"  # a relative one is to be ignored, says its specification
    return home / "kernel-patch-rig"


def unfit(folder: Path) -> str:
    """Return the reason for which no kernel can be built and booted in a cache at `folder`; empty if there is none."""
    name = str(folder)
    if not name.isprintable():  # nor are bytes that are no UTF-8
        return "its path has characters that cannot be written out"
    if found := _UNFIT.search(name):
        called = {" ": "a space", ":": "a colon", ",": "a comma"}.get(found[0], f"the character {found[0]}")
        return f"its path has {called}, which a kernel's build does not take"
    if len(name.encode()) > _LONGEST:
        return f"its path is longer than {_LONGEST} bytes, and the sockets of VMs below it would be longer than the system takes"
    return ""


def shown(text: str) -> str:
    """Return `text` without this host's folders: a path begins at the project's folder, at results/, or at cache/.

    Paths of the user's other folders begin with ``~``, and temporary ones with tmp/. Those of a guest stay as they are.
    """
    roots = {RESULTS: "results/", cache(): "cache/", PROJECT: "", Path(tempfile.gettempdir()): "tmp/", Path.home(): "~/"}
    for root, name in sorted(roots.items(), key=lambda pair: -len(pair[0].parts)):
        if root != Path("/"):
            text = re.sub(rf"(?<![\w.~/-]){re.escape(str(root))}(?:/|(?![\w.-]))", name, text)
    return text
