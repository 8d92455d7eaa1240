# SPDX-License-Identifier: GPL-2.0-only
"""The suite whose worker processes die: one test has it as its result, and nothing is lost or counted twice."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

import msgspec
import pytest

from harness import paths
from harness.model.matrix import Base
from harness.model.run_folder import Run
from harness.runs import conclude, lifecycle
from harness.stats.outcome import ExitCode, exit_code
from harness.suite import plan
from tests.support import make

KILLER = """\
import os, pathlib, signal
import pytest
from harness.suite import execute
from harness.suite.extract import Observed

execute.boot = execute.run = lambda *_: Observed()
execute.end = lambda *_: Observed(skipped="the VM was lost")

def kill(nodeid, phase):
    where, wanted, times = os.environ["KILL"].split()
    deaths = pathlib.Path(os.environ["DEATHS"])
    before = deaths.read_text() if deaths.exists() else ""
    if phase == where and wanted in nodeid and "PYTEST_XDIST_WORKER" in os.environ and before.count("\\n") < int(times):
        with deaths.open("a") as file:  # another worker may die at the same time, and what it noted has to stay
            file.write(nodeid + "\\n")
        os.kill(os.getpid(), signal.SIGKILL)

def pytest_runtest_setup(item): kill(item.nodeid, "setup")
@pytest.hookimpl(tryfirst=True)
def pytest_runtest_call(item): kill(item.nodeid, "call")
def pytest_runtest_teardown(item): kill(item.nodeid, "teardown")
@pytest.hookimpl(trylast=True)
def pytest_runtest_logfinish(nodeid): kill(nodeid, "over")
"""
"""a plugin that has no VMs, and kills the suite's worker process as KILL says: in which phase of which tests, how often"""
DRIVER = """\
import sys, pytest
from harness.commands.progress import Progress, SuiteProgress

with Progress("test") as shown:
    sys.exit(pytest.main(sys.argv[1:], plugins=[SuiteProgress(shown)]))
"""
DIED = "the suite's worker process died before the test had a result; `invoke test --resume` makes the boot again"


class Killed(NamedTuple):
    """A run of two boots in workers that die."""

    code: int
    run: Run
    deaths: list[str]
    """tests in which a worker died"""
    output: str
    cases: list[tuple[str, str]]
    """of junit.xml: which test, and how it went"""

    @property
    def outcomes(self) -> dict[tuple[int, str], str]:
        """How each test went, by boot and first word of its name."""
        results = self.run.results()
        assert len({(r.boot, r.test) for r in results}) == len(results) == 6, f"one result a test: {self.output}"
        return {(r.boot, r.test.split()[0]): r.outcome for r in results}


def killed(base: Base, folder: Path, kill: str, workers: int = 1) -> Killed:
    """Run the suite as the rig does, and let workers die as `kill` says."""
    run = Run(folder / "run")
    (run.folder / "run.json").write_bytes(msgspec.json.encode(make.provenance(planned=6)))
    plan.save(make.plan(base, boots=2), run.folder / "plan.json")
    (folder / "killer.py").write_text(KILLER)
    words = ("--rig-plan", str(run.folder / "plan.json"), "--rig-run", str(run.folder), "--junitxml", str(folder / "junit.xml"))
    parallel = ("-n", str(workers), "--dist", "loadscope", "--no-loadscope-reorder", "--max-worker-restart", "8")
    quiet = ("-p", "no:cacheprovider", "-p", "no:terminal", "-p", "killer")
    own = {"RIG_CACHE": "cache", "PYTHONPATH": "", "DEATHS": "deaths"}
    done = subprocess.run(
        (sys.executable, "-c", DRIVER, "harness/suite", *quiet, *words, *parallel),
        cwd=paths.PROJECT,
        env={**os.environ, **{name: str(folder / file) for name, file in own.items()}, "KILL": kill},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    cases = [
        (case.attrib["name"], next((child.tag for child in case if child.tag != "properties"), "passed"))
        for case in ElementTree.parse(folder / "junit.xml").iter("testcase")
    ]
    return Killed(done.returncode, run, (folder / "deaths").read_text().splitlines(), done.stdout, cases)


USUAL = {"boot": "passed", "le_fit_alloc_test": "passed", "end": "skipped"}


@pytest.mark.parametrize(
    ("phase", "test", "boot"),
    [("setup", "test_boot", 0), ("call", "test_end", 1), ("teardown", "test_module", 0)],
)
def test_a_worker_that_dies_is_the_rigs_failure_in_one_test(base: Base, tmp_path: Path, phase: str, test: str, boot: int) -> None:
    seen = killed(base, tmp_path, f"{phase} {test}[x86_64/stock/perf/icount/{boot}. 1")
    assert len(seen.deaths) == 1
    lost = {"test_boot": "boot", "test_module": "le_fit_alloc_test", "test_end": "end"}[test]
    assert seen.outcomes == {(b, t): "error" if (b, t) == (boot, lost) else how for b in (0, 1) for t, how in USUAL.items()}
    assert [r.reason for r in seen.run.results() if r.outcome == "error"] == [DIED]
    assert seen.code == pytest.ExitCode.TESTS_FAILED
    assert len({name for name, _ in seen.cases}) == len(seen.cases) == 6
    assert seen.output.count(DIED) == 1


def test_the_report_of_a_run_whose_worker_died_counts_each_test_once(base: Base, tmp_path: Path) -> None:
    seen = killed(base, tmp_path, "call test_module 1")
    outcome = conclude.conclude(seen.run)
    assert (len(outcome.results), outcome.complete, exit_code(outcome)) == (6, True, ExitCode.RIG_FAILED)
    page = (seen.run.folder / "report.html").read_text()
    assert "6 results: 3 passed, 2 skipped, 1 rig failure" in page
    made = plan.load(seen.run.folder / "plan.json")
    assert [session.boot for session in lifecycle.undone(seen.run, made)] == [0], "it can be made again"


def test_a_worker_that_dies_when_a_test_is_over_takes_nothing_from_it(base: Base, tmp_path: Path) -> None:
    seen = killed(base, tmp_path, "over test_module 1")
    assert len(seen.deaths) == 1
    assert seen.outcomes == {(b, t): how for b in (0, 1) for t, how in USUAL.items()}
    assert len({name for name, _ in seen.cases}) == len(seen.cases) == 6
    assert "a worker process of the suite died" in seen.output


def test_workers_that_die_at_the_same_time_are_both_replaced(base: Base, tmp_path: Path) -> None:
    seen = killed(base, tmp_path, "call test_boot 2", workers=2)
    assert len(seen.deaths) == 2
    assert seen.outcomes == {(b, t): "error" if t == "boot" else how for b in (0, 1) for t, how in USUAL.items()}
    assert len({name for name, _ in seen.cases}) == len(seen.cases) == 6
