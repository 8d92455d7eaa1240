# SPDX-License-Identifier: GPL-2.0-only
"""A script that is printed boots a kernel and tests it."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from harness.stats.outcome import ExitCode
from harness.suite.plan import Plan
from tests.support.rig import rig

pytestmark = pytest.mark.kernel
OPTIONS = (
    "--machine",
    "x86_64",
    "--variant",
    "stock",
    "--tests",
    "le_fit_alloc_test",
    "--scale",
    "quick",
    "--boots",
    "1",
    "--plain",
)


def test_a_printed_script_tests_a_kernel(quick: Plan, own_results: Path, tmp_path: Path) -> None:
    printed = rig("select", *OPTIONS, "build", "boot", "test", "--dry-run")
    assert printed.returncode == ExitCode.GOOD, printed.stderr
    assert not list(own_results.iterdir()), "nothing was tested"
    (cell,) = [built for built in quick.cells if built.cell.machine.name == "x86_64"]
    assert f"# cached: {cell.kernel.folder}\n" in printed.stdout
    script = tmp_path / "all.sh"
    script.write_text(printed.stdout)
    env = {**os.environ, "TMPDIR": str(tmp_path)}
    done = subprocess.run(("sh", "-e", script), cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    said = r"vmalloc_test: ok \d+ le_fit_alloc_test$"
    assert re.search(said, done.stdout, re.M)
    (log,) = tmp_path.glob("rig.*/vm.*/serial.log")
    assert re.search(said, log.read_text().replace("\r", ""), re.M)
    assert not subprocess.run(("pgrep", "-f", str(log)), capture_output=True, check=False).stdout, "the VM has ended"
