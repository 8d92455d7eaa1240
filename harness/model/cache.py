# SPDX-License-Identifier: GPL-2.0-only
"""An entry of the cache."""

from __future__ import annotations

from pathlib import Path

import msgspec


class Entry(msgspec.Struct, frozen=True):
    """A file or folder of the cache that is removed as a whole, or not at all."""

    kind: str
    path: Path
    size: int
    """bytes of its files"""
    used: float
    """time of its last use, in seconds since 1970"""
    kept: str = ""
    """reason why it stays; empty if it may be removed"""
