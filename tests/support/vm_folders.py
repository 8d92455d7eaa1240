# SPDX-License-Identifier: GPL-2.0-only
"""Folders of VMs in the cache, and what stands for their QEMU."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from harness.host import process
from harness.model.clock import Clock
from harness.vm.qemu_args import Boot
from harness.vm.vms import State

DEAD = 2**22 + 1
"""a pid that Linux does not give"""
Sleeper = Callable[[], subprocess.Popen[bytes]]
Fake = Callable[[str], Boot]
"""what makes a boot whose QEMU is a shell script with this body"""


def wait_for(condition: Callable[[], bool]) -> None:
    """Wait until something is so, for two seconds."""
    end = time.monotonic() + 2
    while not condition() and time.monotonic() < end:
        time.sleep(0.01)
    assert condition()


def folder(cache: Path, name: str, pid: int, owner: int, **other: object) -> Path:
    """Make the folder of a VM."""
    started = (process.start_time(pid), process.start_time(owner) or 1)
    state = State("x86_64/stock/perf", Clock.ICOUNT, "key", pid, started[0], owner, started[1], 2222, "tcg", ("qemu",))
    made = cache / "vms" / name
    made.mkdir(parents=True)
    (made / "state.json").write_bytes(msgspec.json.encode(msgspec.structs.replace(state, **other)))
    return made
