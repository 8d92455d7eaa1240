# SPDX-License-Identifier: GPL-2.0-only
"""A page that tests of several of its sections look at."""

from __future__ import annotations

import pytest

from harness.report.page import html
from tests.support import content


@pytest.fixture(scope="session")
def whole() -> str:
    """The page of a run of everything."""
    return html(content.full())
