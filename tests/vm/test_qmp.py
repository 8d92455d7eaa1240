# SPDX-License-Identifier: GPL-2.0-only
"""QMP with a QEMU that does not answer."""

from __future__ import annotations

import socket
import time
from pathlib import Path

import pytest

from harness.errors import VmLost
from harness.vm import qmp


def test_a_qemu_that_says_nothing_is_given_up(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as mute:
        mute.bind(str(tmp_path / "qmp"))
        mute.listen()
        began = time.monotonic()
        with pytest.raises(VmLost, match=r"did not finish 'query-status': TimeoutError"):
            qmp.execute(tmp_path / "qmp", "query-status", deadline=0.5)
    assert 0.4 < time.monotonic() - began < 5


def test_no_qemu_is_said(tmp_path: Path) -> None:
    with pytest.raises(VmLost, match="QEMU does not answer at"):
        qmp.execute(tmp_path / "qmp", "query-status")
