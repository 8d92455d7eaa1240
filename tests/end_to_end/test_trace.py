# SPDX-License-Identifier: GPL-2.0-only
"""What a kernel does in a test is recorded, and the programs that it is written for read it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from harness.stats.outcome import ExitCode
from tests.support.rig import rig

pytestmark = pytest.mark.kernel
TEST = "le_fit_alloc_test"
LOOPS = 50
"""operations: a twentieth of what scale quick does"""
PAGES = 3
"""pages that an operation of the test allocates"""


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of a trace, without their suffix."""
    folder = tmp_path_factory.mktemp("trace") / "made"
    done = rig(
        *("trace", TEST, "--events", "kmem:*,alloc_vmap_area", "--output", str(folder)),
        *("--machine", "x86_64", "--variant", "stock", "--scale", "quick", "--loops", str(LOOPS / 1000)),
    )
    assert done.returncode == ExitCode.GOOD, done.stdout + done.stderr
    assert "2 ns of the trace are one guest instruction" in done.stdout
    assert "lost" not in done.stdout
    return folder / "x86_64-stock-trace-icount-0"


def test_a_test_is_recorded_for_both_programs(recorded: Path) -> None:
    rows: list[dict[str, Any]] = json.loads(recorded.with_suffix(".json").read_text())["traceEvents"]
    calls = [row for row in rows if row["name"].startswith("alloc_vmap_area") and row["ph"] == "X"]
    assert len(calls) == LOOPS, "one for each operation, and none of what was prepared"
    pages = [row for row in rows if row["name"] == "mm_page_alloc" and row["args"]["order"] == 0]
    assert len(pages) >= PAGES * LOOPS
    (thread,) = {row["tid"] for row in calls}
    (name,) = {row["args"]["name"] for row in rows if row["name"] == "thread_name" and row["tid"] == thread}
    assert name == "vmalloc_test/0"
    inner = [row for row in rows if row["name"] == "kmalloc" and row["args"]["call_site"] == calls[0]["name"]]
    begin, end = calls[0]["ts"], calls[0]["ts"] + calls[0]["dur"]
    assert any(begin <= row["ts"] <= end for row in inner), "what a function does lies within it"


def test_trace_cmd_reads_what_was_recorded(recorded: Path) -> None:
    if not (program := shutil.which("trace-cmd")):
        pytest.skip("NOT TESTED: trace-cmd is not installed here")
    file = recorded.with_suffix(".dat")
    done = subprocess.run((program, "report", "-t", str(file)), capture_output=True, text=True, check=True)
    assert len(re.findall(r"vmalloc_test/0-\d+ .* funcgraph_entry: .*alloc_vmap_area", done.stdout)) == LOOPS
    # Plugins of trace-cmd, where they are installed, print the function before the fields.
    assert re.search(
        r"kmalloc: +(?:\(\S+\) )?call_site=\w+ ptr=\w+ bytes_req=\d+ bytes_alloc=\d+ gfp_flags=GFP_KERNEL", done.stdout
    )
    assert "UNKNOWN" not in done.stdout
