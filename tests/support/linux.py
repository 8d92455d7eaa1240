# SPDX-License-Identifier: GPL-2.0-only
"""The source of Linux 4.18 that this machine has, if any."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from harness import paths

FOLDER = Path(os.environ.get("RIG_SOURCE") or paths.cache() / "sources/linux-4.18")
"""the user's: read when this module is imported, before a test has a cache of its own"""


def there() -> bool:
    return (FOLDER / "Makefile").is_file()


def needed() -> None:
    """Skip a test where there is none."""
    if not there():
        pytest.skip("NOT TESTED: there is no folder with the source of Linux 4.18 on this machine")
