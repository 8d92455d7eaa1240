# SPDX-License-Identifier: GPL-2.0-only
"""Fixtures of the end-to-end tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from harness import paths


@pytest.fixture(scope="module")
def own_results(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Results of these tests' own, so that they do not end up in the user's history."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("results")
        patch.setenv("RIG_RESULTS", str(folder))
        patch.setattr(paths, "RESULTS", folder)
        yield folder
