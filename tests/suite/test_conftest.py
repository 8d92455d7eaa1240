# SPDX-License-Identifier: GPL-2.0-only
"""The suite that runs in cells, where the guest dies at boot or QEMU does not start: what it records."""

from __future__ import annotations

import inspect
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple
from xml.etree import ElementTree

import msgspec
import pytest

from harness import paths
from harness.model import catalog
from harness.model.known_bugs import KnownBug
from harness.model.matrix import Base
from harness.model.run_folder import Run
from harness.runs import conclude, lifecycle
from harness.stats.outcome import ExitCode, exit_code
from harness.suite import conftest, plan
from harness.suite.extract import Observed
from tests.support import make

PANIC = """\
printf '%s\\r\\n' '[    0.1] Linux version 4.18.0' '[    0.2] kernel BUG at mm/vmalloc.c:512!' \\
    '[    0.3] Internal error: Oops - BUG: 0 [#1]' '[    0.4] Kernel panic - not syncing: Fatal exception' > "$log"
touch "$qmp"
sleep 0.3
"""
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
FAULTY = """\
from harness.suite import execute

execute.boot = lambda *_: 1 / 0
"""
"""a plugin with which the rig itself fails in a boot"""
DRIVER = """\
import sys, pytest
from harness.commands.progress import Progress, SuiteProgress

with Progress("test") as shown:
    sys.exit(pytest.main(sys.argv[1:], plugins=[SuiteProgress(shown)]))
"""
DIED = "the suite's worker process died before the test had a result; `invoke test --resume` makes the boot again"
BUG = KnownBug("le_fit_alloc_test", "bug", r"mm/vmalloc\.c:512", "an overflow")


def suite(base: Base, folder: Path, body: str, more: Sequence[str] = ()) -> tuple[int, Run]:
    """Run the suite in a process of its own, as the rig does, with `body` in the place of QEMU, and `more` options of pytest."""
    plan.save(make.plan(base, make.fake_qemu(folder, body)), folder / "plan.json")
    files = ("--rig-plan", str(folder / "plan.json"), "--rig-run", str(folder / "run"), "--junitxml", str(folder / "junit.xml"))
    words = (*files, *more)
    command = (sys.executable, "-m", "pytest", "harness/suite", "-q", "-p", "no:cacheprovider", *words)
    env = {**os.environ, "RIG_CACHE": str(folder / "cache")}
    done = subprocess.run(command, cwd=paths.PROJECT, env=env, capture_output=True, check=False)
    return done.returncode, Run(folder / "run")


@pytest.fixture(scope="module")
def died(base: Base, tmp_path_factory: pytest.TempPathFactory) -> tuple[int, Run]:
    """The suite's exit code and its run where the kernel dies at boot."""
    return suite(base, tmp_path_factory.mktemp("died"), PANIC)


def test_a_kernel_that_dies_at_boot_is_a_finding_in_every_test(died: tuple[int, Run]) -> None:
    code, run = died
    assert code == pytest.ExitCode.TESTS_FAILED
    assert [(r.test, r.outcome) for r in run.results()] == [
        ("boot under icount", "failed"),
        ("le_fit_alloc_test", "failed"),
        ("end under icount", "skipped"),
    ]
    assert [(f.trouble.kind, f.trouble.title, (f.trouble.first, f.trouble.last)) for f in run.findings()] == [
        ("bug", "kernel BUG at mm/vmalloc.c:512!", (2, 4))
    ] * 2
    assert {(f.machine, f.variant, f.profile, f.expected) for f in run.findings()} == {("x86_64", "stock", "perf", "")}
    assert all("Kernel panic" in f.trouble.text for f in run.findings())
    assert "bug: kernel BUG at mm/vmalloc.c:512!" in run.results()[0].reason


def test_the_log_of_a_kernel_that_dies_at_boot_is_kept(died: tuple[int, Run]) -> None:
    _, run = died
    for found in run.findings():
        assert found.log
        assert "kernel BUG" in (run.folder / found.log).read_text().splitlines()[found.trouble.first - 1]


def test_a_known_bug_is_told_from_the_others(base: Base, tmp_path: Path) -> None:
    _, run = suite(msgspec.structs.replace(base, known_bugs=(BUG,)), tmp_path, PANIC)
    assert [(r.test, r.outcome) for r in run.results()] == [
        ("boot under icount", "failed"),
        ("le_fit_alloc_test", "xfailed"),
        ("end under icount", "skipped"),
    ]
    assert [f.expected for f in run.findings()] == ["", "an overflow"]


def test_a_known_bug_that_is_not_seen_is_a_finding(base: Base, tmp_path: Path) -> None:
    other = msgspec.structs.replace(BUG, title="something else")
    _, run = suite(msgspec.structs.replace(base, known_bugs=(other,)), tmp_path, PANIC)
    assert run.results()[1].outcome == "failed"
    assert [f.trouble.kind for f in run.findings()] == ["bug", "bug", "not-seen"]


def test_known_bugs_of_one_test_are_told_apart(base: Base, tmp_path: Path) -> None:
    faces = (
        msgspec.structs.replace(BUG, kind="memory-leak", reason="a leak", always=False),
        msgspec.structs.replace(BUG, kind="hang", profiles=("debug",)),
        msgspec.structs.replace(BUG, kind="died", machines=("aarch64",)),
        BUG,
    )
    _, run = suite(msgspec.structs.replace(base, known_bugs=faces), tmp_path, PANIC)
    assert (run.results()[1].outcome, run.results()[1].reason) == ("xfailed", "an overflow")
    assert [f.expected for f in run.findings()] == ["", "an overflow"]


def test_each_of_two_known_bugs_has_to_be_seen(base: Base, tmp_path: Path) -> None:
    other = msgspec.structs.replace(BUG, kind="memory-leak")
    _, run = suite(msgspec.structs.replace(base, known_bugs=(BUG, other)), tmp_path, PANIC)
    assert run.results()[1].outcome == "failed"
    assert [(f.trouble.kind, f.expected) for f in run.findings()][1:] == [("bug", "an overflow"), ("not-seen", "")]


def test_a_known_bug_that_need_not_show_may_stay_away(base: Base, tmp_path: Path) -> None:
    may = msgspec.structs.replace(BUG, title="something else", always=False)
    _, run = suite(msgspec.structs.replace(base, known_bugs=(may, BUG)), tmp_path, PANIC)
    assert run.results()[1].outcome == "xfailed"


def test_qemu_that_does_not_start_is_the_rigs_error(base: Base, tmp_path: Path) -> None:
    code, run = suite(base, tmp_path, "echo 'qemu: no such CPU' >&2; exit 1")
    assert code == pytest.ExitCode.TESTS_FAILED
    assert [r.outcome for r in run.results()] == ["error", "error", "skipped"]
    assert all("qemu: no such CPU" in r.reason for r in run.results()[:2])
    assert not any(str(tmp_path) in r.reason for r in run.results())
    assert run.results()[0].reason.startswith("x86_64/stock/perf: ")
    assert "VmLost" not in (tmp_path / "junit.xml").read_text()
    assert run.findings() == []


def test_a_test_records_the_boots_that_it_took() -> None:
    told: list[tuple[str, Any]] = []
    judge = inspect.unwrap(conftest.judge)(lambda *pair: told.append(pair), SimpleNamespace(booted=lambda: (make.booted(),)))
    judge(Observed())
    ((name, outcome),) = told
    assert (name, msgspec.convert(outcome, Observed).boots) == ("outcome", (make.booted(),))


def test_no_reason_has_a_path_of_the_host(died: tuple[int, Run]) -> None:
    _, run = died
    assert [r.reason for r in run.results()][2] == "the VM was lost in an earlier test, whose result says why"
    for result in run.results():
        assert str(paths.PROJECT) not in result.reason
        assert "conftest" not in result.reason


@pytest.mark.parametrize("workers", [(), ("-n", "1", "--dist", "loadscope", "--no-loadscope-reorder")], ids=["alone", "xdist"])
def test_what_pytest_writes_has_neither_records_nor_paths_of_the_host(base: Base, tmp_path: Path, workers: Sequence[str]) -> None:
    log, xml = tmp_path / "report-log.jsonl", tmp_path / "junit.xml"
    known = msgspec.structs.replace(base, known_bugs=(BUG,))
    _, run = suite(known, tmp_path, PANIC, ("--report-log", str(log), "--junitxml", str(xml), *workers))
    assert [r.outcome for r in run.results()] == ["failed", "xfailed", "skipped"]
    assert len(run.findings()) == 2, "the records were on their way before"
    for written in (log.read_text(), xml.read_text()):
        assert str(paths.PROJECT) not in written
        assert str(tmp_path) not in written
        assert "frames" not in written
        assert len(written) < 10_000
    told = [line for line in map(json.loads, log.read_text().splitlines()) if line.get("when") == "call"]
    assert [line["user_properties"] for line in told] == [[]] * 3
    assert told[0]["longrepr"] == run.results()[0].reason
    assert told[1]["longrepr"].endswith("KnownBugSeen: kernel BUG at mm/vmalloc.c:512!")
    assert told[2]["longrepr"][0] == "harness/suite/conftest.py"


def test_a_fault_in_the_rig_keeps_its_traceback(base: Base, tmp_path: Path) -> None:
    log = tmp_path / "report-log.jsonl"
    (tmp_path / "faulty.py").write_text(FAULTY)
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("PYTHONPATH", str(tmp_path))
        _, run = suite(base, tmp_path, PANIC, ("-p", "faulty", "--report-log", str(log)))
    first = run.results()[0]
    assert (first.outcome, first.reason) == ("error", "ZeroDivisionError: division by zero")
    (told,) = (
        line for line in map(json.loads, log.read_text().splitlines()) if line.get("when") == "call" and "boot" in line["nodeid"]
    )
    assert "harness/suite/test_vmalloc.py" in told["longrepr"]
    assert told["longrepr"].splitlines()[-1] == first.reason
    assert str(paths.PROJECT) not in log.read_text()
    assert str(tmp_path) not in log.read_text()


def test_a_session_that_has_results_is_not_run_again(base: Base, tmp_path: Path) -> None:
    _, run = suite(base, tmp_path, PANIC)
    size = (run.folder / "results.jsonl").stat().st_size
    code, _ = suite(base, tmp_path, PANIC)
    assert code == pytest.ExitCode.NO_TESTS_COLLECTED
    assert (run.folder / "results.jsonl").stat().st_size == size


def test_the_log_of_an_earlier_boot_stays(base: Base, tmp_path: Path) -> None:
    _, run = suite(base, tmp_path, PANIC)
    logs = {file.name: file.read_text() for file in run.folder.glob("*.serial.log")}
    (run.folder / "results.jsonl").unlink()
    suite(base, tmp_path, PANIC)
    after = {file.name: file.read_text() for file in run.folder.glob("*.serial.log")}
    assert len(after) == 2 * len(logs)
    assert {name: after[name] for name in logs} == logs


def test_boots_are_made_in_the_order_of_the_plan(base: Base, tmp_path: Path) -> None:
    planned = make.plan(base, make.fake_qemu(tmp_path, PANIC), boots=3, tests=("le_fit_alloc_test", *catalog.choose("stress")))
    plan.save(planned, tmp_path / "plan.json")
    words = ("--rig-plan", str(tmp_path / "plan.json"), "--rig-run", str(tmp_path / "run"))
    parallel = ("-n", "1", "--dist", "loadscope", "--no-loadscope-reorder")
    command = (sys.executable, "-m", "pytest", "harness/suite", "-q", "-p", "no:cacheprovider", *words, *parallel)
    subprocess.run(command, cwd=paths.PROJECT, env={**os.environ, "RIG_CACHE": str(tmp_path / "cache")}, check=False)
    seen = list(dict.fromkeys((r.clock, r.boot) for r in Run(tmp_path / "run").results()))
    assert seen == [(session.clock, session.boot) for session in planned.sessions]


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
