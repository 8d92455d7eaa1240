# SPDX-License-Identifier: GPL-2.0-only
"""Attaching to VMs that are up, and what is said where the one that was asked for is not."""

from __future__ import annotations

import pytest

from harness.commands import attach
from harness.errors import UsageError


def test_there_is_no_shell_where_no_vm_is_up() -> None:
    with pytest.raises(UsageError, match="No VM of x86_64/stock/perf is up; run `invoke boot` first"):
        attach.ssh("x86_64/stock/perf", "")
