# SPDX-License-Identifier: GPL-2.0-only
"""The rig under way in a process of its own, as a user calls it, for tests that do something to it meanwhile."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Collection, Mapping
from pathlib import Path

from harness import paths
from harness.model import matrix
from harness.model.run_folder import Run
from harness.vm import vms
from harness.vm.vms import Vm

LONG, NEXT = "le_fit_alloc_test", "b_fit_alloc_test"
"""the test that is under way when something happens, and the one after it"""
WHOLE = [("boot under icount", "passed"), (LONG, "passed"), (NEXT, "passed"), ("end under icount", "passed")]
"""what a run of both has as results"""
PATIENCE = 0.3
"""of a test: however many operations it has, it is hung after 18 s, or 9 s of silence"""


def rig(*words: str) -> subprocess.CompletedProcess[str]:
    """Call the rig as a user would."""
    return subprocess.run([sys.executable, "-m", "invoke", *words], cwd=paths.PROJECT, capture_output=True, text=True, check=False)


def stock_alone_shows_its_bugs(folder: Run, other: str = "", left: Collection[str] = ()) -> None:
    """Hold that stock shows each known bug on each machine, `other` what the tests `left` show, and nobody anything else."""
    findings = folder.findings()
    bugs = matrix.load_base("4.18").known_bugs
    machines = matrix.default_machines()
    wanted = {(name, "stock", bug.test) for name in machines for bug in bugs if bug.always and bug.concerns(name, "perf")}
    assert len(wanted) == 9 * len(machines)
    assert {(f.machine, f.variant, f.test) for f in findings} == wanted | {
        (name, other, test) for name in machines for test in left
    }
    assert all(f.expected for f in findings)


class Rig:
    """`invoke test` under way, as a user would call it: two tests in one VM."""

    def __init__(
        self,
        machine: str,
        results: Path,
        *more: str,
        loops: int = 60,
        patience: float = PATIENCE,
        wrapper: tuple[str, ...] = (),
        env: Mapping[str, str] | None = None,
    ) -> None:
        """Start it, with its results in a folder of their own and so many times the operations of scale quick.

        `patience` is that of a test, whatever its operations.
        """
        self.machine, self.results = machine, results
        words = (
            *("--machine", machine, "--variant", "stock", "--tests", f"{LONG},{NEXT}", "--scale", "quick", "--plain"),
            *("--boots", "1", "--loops", str(loops), *more),
        )
        self.log = results.with_suffix(".log")
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                (*wrapper, sys.executable, "-m", "invoke", "test", *words),
                cwd=paths.PROJECT,
                env={**os.environ, "RIG_RESULTS": str(results), "RIG_PATIENCE": str(patience / loops), **(env or {})},
                stdout=log,
                stderr=log,
            )

    def vm(self) -> Vm:
        """Return its VM once the first test is under way in it."""
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline and self.process.poll() is None:
            for machine in vms.every():
                begun = f"start test={LONG}" in machine.console.log.read_text(errors="replace") if machine.console.size else False
                if begun and machine.state.owner and self.process.pid in (machine.state.owner, _parent(machine.state.owner)):
                    return machine
            time.sleep(0.02)
        raise AssertionError(f"no VM: {self.output}")

    def wait(self) -> int:
        """Return its exit code."""
        return self.process.wait(300)

    @property
    def output(self) -> str:
        """What it printed."""
        return self.log.read_text()

    @property
    def run(self) -> Run:
        """The one run that it made."""
        (file,) = [file for file in self.results.glob("*/run.json") if file.parent.name != "latest"]
        return Run(file.parent)

    def again(self, *words: str) -> int:
        """Call the rig once more on the same results; return the exit code."""
        env = {**os.environ, "RIG_RESULTS": str(self.results)}
        command = (sys.executable, "-m", "invoke", *words)
        with self.log.open("ab") as log:
            return subprocess.run(command, cwd=paths.PROJECT, env=env, stdout=log, stderr=log, check=False).returncode


def _parent(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0
