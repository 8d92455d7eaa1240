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
from typing import Any

import msgspec
import pytest

from harness import paths
from harness.model import catalog
from harness.model.known_bugs import KnownBug
from harness.model.matrix import Base
from harness.model.run_folder import Run
from harness.suite import conftest, plan
from harness.suite.extract import Observed
from tests.support import make

PANIC = """\
printf '%s\\r\\n' '[    0.1] Linux version 4.18.0' '[    0.2] kernel BUG at mm/vmalloc.c:512!' \\
    '[    0.3] Internal error: Oops - BUG: 0 [#1]' '[    0.4] Kernel panic - not syncing: Fatal exception' > "$log"
touch "$qmp"
sleep 0.3
"""
FAULTY = """\
from harness.suite import execute

execute.boot = lambda *_: 1 / 0
"""
"""a plugin with which the rig itself fails in a boot"""
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
