# SPDX-License-Identifier: GPL-2.0-only
"""Paths of the project's data and of the user's cache."""

from __future__ import annotations

import os
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


def cache() -> Path:
    """Return the rig's cache folder: ``RIG_CACHE``, or one in the user's cache folder.

    Everything below it can be deleted; the rig makes it again when it is needed.
    """
    chosen = os.environ.get("RIG_CACHE")
    if chosen:
        return Path(chosen).expanduser().resolve()
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "kernel-patch-rig"
