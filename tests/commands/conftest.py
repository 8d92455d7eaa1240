# SPDX-License-Identifier: GPL-2.0-only
"""A night that builds and boots nothing, which several modules of tests have."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.commands import nightly
from harness.model.matrix import Base
from tests.support.night import Night


@pytest.fixture
def night(results: Path, monkeypatch: pytest.MonkeyPatch, base: Base) -> Night:
    monkeypatch.delenv(nightly.SUMMARY, raising=False)
    return Night(base)


@pytest.fixture
def summary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file that GitHub shows with a job; an earlier step has written to it."""
    file = tmp_path / "summary.md"
    file.write_text("earlier\n")
    monkeypatch.setenv(nightly.SUMMARY, str(file))
    return file
