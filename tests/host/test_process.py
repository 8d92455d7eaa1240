# SPDX-License-Identifier: GPL-2.0-only
"""Whether a process is stopped, read from a tree of files in the place of proc and sys."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from harness.host import process


def host(root: Path, groups: str, files: dict[str, str], state: str = "S") -> Path:
    """Make a host on which process 7 is in control groups."""
    for name, content in {"proc/7/stat": f"7 (a) b) {state} 1 7", "proc/7/cgroup": groups, **files}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)
    return root


@pytest.mark.parametrize(
    ("groups", "file", "frozen", "not_frozen"),
    [
        ("0::/vm\n", "sys/fs/cgroup/vm/cgroup.events", "populated 1\nfrozen 1\n", "populated 1\nfrozen 0\n"),
        ("1:cpu:/\n0::/vm\n", "sys/fs/cgroup/unified/vm/cgroup.events", "frozen 1\n", "frozen 0\n"),
        ("6:freezer:/a:b\n0::/\n", "sys/fs/cgroup/freezer/a:b/freezer.state", "FROZEN\n", "THAWED\n"),
    ],
)
def test_a_process_is_stopped_with_its_control_group(tmp_path: Path, groups: str, file: str, frozen: str, not_frozen: str) -> None:
    assert process.stopped(7, host(tmp_path, groups, {file: frozen}))
    assert not process.stopped(7, host(tmp_path, groups, {file: not_frozen}))


def test_a_process_is_stopped_by_its_state_also_without_control_groups(tmp_path: Path) -> None:
    assert process.stopped(7, host(tmp_path, "", {}, state="T"))
    assert not process.stopped(7, host(tmp_path, "", {}))
    assert not process.stopped(7, host(tmp_path, "nothing of the kind\n0::/gone\n", {}))
    assert not process.stopped(8, tmp_path), "it has ended"


@pytest.mark.parametrize("script", ["sleep 60", "trap '' TERM; echo ready; while :; do sleep 0.1; done"])
def test_a_process_is_asked_to_end_and_then_is_ended(tmp_path: Path, script: str) -> None:
    started = process.start(("sh", "-c", script), tmp_path / "log", keep=True, largest=1 << 20)
    since = process.start_time(started.pid)
    while "trap" in script and not (tmp_path / "log").read_text():
        time.sleep(0.01)
    process.terminate(started.pid, since, 0.5)
    assert not process.alive(started.pid, since)
    process.terminate(started.pid, since, 0.5)
