# SPDX-License-Identifier: GPL-2.0-only
"""A folder for a series, which several modules of tests have."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def series(tmp_path: Path) -> Path:
    folder = tmp_path / "mine"
    folder.mkdir()
    return folder
