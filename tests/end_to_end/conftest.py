# SPDX-License-Identifier: GPL-2.0-only
"""Fixtures of the end-to-end tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from harness import paths
from harness.commands import pipeline
from harness.model.selection import DEFAULT, Selection
from harness.suite.plan import Plan


@pytest.fixture(scope="module")
def own_results(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Results of these tests' own, so that they do not end up in the user's history."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("results")
        patch.setenv("RIG_RESULTS", str(folder))
        patch.setattr(paths, "RESULTS", folder)
        yield folder


@pytest.fixture(scope="module")
def quick() -> Plan:
    """Built cells of the cheapest kind: stock, quick."""
    return pipeline.build(Selection(variant="stock", scale="quick"))


@pytest.fixture(scope="module")
def has_series(quick: Plan) -> None:
    """Skip where there is no Linux 4.18 to put its series on."""
    if quick.base.name != DEFAULT:
        pytest.skip("NOT TESTED: there is no source of Linux 4.18 on this machine, so its series cannot be applied")
