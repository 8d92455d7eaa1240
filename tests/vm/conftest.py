# SPDX-License-Identifier: GPL-2.0-only
"""Processes and shell scripts in the place of QEMU, which are ended with the test."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import make
from tests.support.vm_folders import Fake, Sleeper


@pytest.fixture
def sleeper() -> Iterator[Sleeper]:
    """Starts processes that stand for QEMU, and ends them."""
    made: list[subprocess.Popen[bytes]] = []

    def start() -> subprocess.Popen[bytes]:
        made.append(subprocess.Popen(("sleep", "60")))
        return made[-1]

    yield start
    for qemu in made:
        qemu.kill()
        qemu.wait()


@pytest.fixture
def pids(tmp_path: Path) -> Iterator[Path]:
    """Where the programs that stand for QEMU note their pids; what is left of them is ended."""
    file = tmp_path / "pids"
    yield file
    for pid in file.read_text().split() if file.exists() else ():
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(pid), signal.SIGKILL)


@pytest.fixture
def fake(tmp_path: Path, pids: Path) -> Fake:
    """Makes a boot whose QEMU is a shell script; see `make.fake_qemu`."""
    return lambda body: make.boot(machine=make.fake_qemu(tmp_path, body))
