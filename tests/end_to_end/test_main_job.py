# SPDX-License-Identifier: GPL-2.0-only
"""The tasks for real: kernels are built, booted and tested as a user would have it done."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from harness import paths
from harness.commands import pipeline
from harness.errors import RigError, SourceUnavailable
from harness.model import matrix
from harness.model.selection import Selection
from harness.runs import lifecycle
from harness.stats import growth
from harness.stats.outcome import ExitCode
from harness.suite import execute
from harness.suite.plan import Plan, Session
from harness.suite.vm_pool import Lab
from tests.report.test_ktap import parsed
from tests.support.machines import machines
from tests.support.rig import rig, stock_alone_shows_its_bugs

pytestmark = [pytest.mark.kernel, pytest.mark.usefixtures("own_results")]
BROKEN = paths.PROJECT / "tests" / "data" / "series"


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    """VMs of a test's own."""
    made = Lab(tmp_path, keep=False)
    yield made
    made.close()


def test_fixes_mend_the_bugs_of_stock(has_series: None) -> None:
    tests = ",".join({bug.test for bug in matrix.load_base("4.18").known_bugs if bug.always})
    done = rig("select", "--variant", "stock,fixes", "--scale", "quick", "--tests", tests, "build", "test")
    assert done.returncode == ExitCode.GOOD, done.stdout + done.stderr
    stock_alone_shows_its_bugs(lifecycle.find("latest"), "fixes", ("longest_call_test", "longest_wait_test"))
    assert {r.variant for r in lifecycle.find("latest").results() if r.outcome == "passed"} == {"stock", "fixes"}
    assert done.stdout.count("not seen: fixed") == 6


def session(of: Plan, machine: str, test: str) -> Session:
    """A VM of one machine for one test, which goes on for longer than whoever uses it."""
    long = msgspec.structs.replace(of, tests=(test,)).with_settings(scale="published")
    return next(s for s in long.sessions if s.built.cell.machine.name == machine)


@pytest.mark.alone
@pytest.mark.parametrize("machine", machines())
def test_panic_is_a_finding_within_two_seconds(quick: Plan, lab: Lab, machine: str) -> None:
    used = session(quick, machine, "mix_stress_test")
    station = lab.station(used)
    panicked = threading.Event()

    def panic() -> None:
        while "start test=" not in station.vm.console.log.read_text(errors="replace"):
            time.sleep(0.01)
        panicked.at = time.monotonic()  # type: ignore[attr-defined]
        station.guest.start("sh", "-c", "echo c > /proc/sysrq-trigger")

    trigger = threading.Thread(target=panic)
    trigger.start()
    outcome = execute.run(lab, quick.with_settings(scale="published"), used, used.steps[0])
    took = time.monotonic() - panicked.at  # type: ignore[attr-defined]
    trigger.join()
    assert outcome.findings
    assert outcome.findings[0].trouble.kind in ("null-dereference", "panic"), "what the trigger does depends on the kernel"
    assert took < 2, took
    assert execute.boot(lab, quick, used).findings == (), "the next test gets a fresh VM"


@pytest.mark.alone
def test_boot_leaves_vms_up_until_down(quick: Plan) -> None:
    try:
        done = rig("boot", "--machine", "aarch64", "--variant", "stock", "--tests", "performance", "--kernel", quick.base.name)
        assert done.returncode == 0, done.stderr
        assert "aarch64/stock/perf" in done.stdout
        release = rig("ssh", "aarch64", "stock", "--command", "uname -r")
        assert release.stdout.strip() == quick.cells[0].kernel.release
        by_hand = "insmod /vmalloc_test.ko tests=le_fit_alloc_test loops=1000; rmmod vmalloc_test; dmesg | tail"
        assert "ok 1 le_fit_alloc_test" in rig("ssh", "aarch64", "stock", "--command", by_hand).stdout
    finally:
        down = rig("down")
    assert "1 taken down" in down.stdout
    assert "No VM is up." in rig("status").stdout


def test_the_longest_critical_section_has_its_stack(quick: Plan) -> None:
    done = rig(
        *("select", "--machine", "x86_64", "--variant", "stock", "--profile", "latency", "--scale", "quick"),
        *("--kernel", quick.base.name, "--tests", "long_busy_list_alloc_test", "build", "test"),
    )
    assert done.returncode == ExitCode.GOOD, done.stdout + done.stderr
    (section,) = lifecycle.find("latest").sections()
    assert section.microseconds > 1
    assert "vmalloc" in section.stack or "vfree" in section.stack
    assert lifecycle.find("latest").samples() == []


def test_a_sweep_finds_stock_growing_with_what_is_busy(has_series: None) -> None:
    done = rig("sweep", "--machine", "aarch64", "--tests", "sweep_long_list", "--scale", "quick", "--boots", "1")
    assert done.returncode == ExitCode.GOOD, done.stdout + done.stderr
    found = {(g.variant, g.axis): g for g in growth.fit(lifecycle.find("latest").points())}
    assert found["stock", "busy"].kind == "linear"
    assert found["gap-tree", "busy"].kind == "flat"
    assert "sweep_long_list" in done.stdout


@pytest.mark.parametrize(
    "audit", [pytest.param(("--no-audit",), id="no audit"), pytest.param((), id="audit", marks=pytest.mark.nightly)]
)
def test_a_night_is_held_against_its_baseline(quick: Plan, audit: tuple[str, ...]) -> None:
    words = ("nightly", "--machine", "aarch64", "--variant", "stock", "--scale", "quick", "--kernel", quick.base.name)
    tests = ("--tests", "le_fit_alloc_test,ne_fit_alloc_test", "--profile", "perf")
    first = rig(*words, *tests, "--no-audit")
    assert first.returncode == ExitCode.GOOD, first.stdout + first.stderr
    assert "Audit" not in first.stdout
    name = lifecycle.find("latest").folder.name
    assert f"{name} is the baseline" in rig("baseline", name).stdout
    second = rig(*words, *tests, *audit)
    assert second.returncode == ExitCode.GOOD, second.stdout + second.stderr
    log = (lifecycle.find("latest").folder / "nightly.log").read_text()
    audited = () if audit else ("Audit of aarch64/stock/perf: same.",)
    for said in (f"Held against {name}", "No regressions; tests: 2 same.", *audited):
        assert said in second.stdout
        assert said in log
    compared = rig("compare", name, "latest")
    assert compared.returncode == ExitCode.GOOD, compared.stdout
    assert "aarch64: 2 the same." in compared.stdout
    assert name in rig("history", "--test", "le_fit_alloc_test").stdout


def test_series_that_warns_is_a_finding(has_series: None) -> None:
    done = rig(
        *("select", "--series", str(BROKEN / "warns"), "--machine", "x86_64", "--variant", "warns"),
        *("--scale", "quick", "--tests", "le_fit_alloc_test", "test", "--ktap"),
    )
    assert done.returncode == ExitCode.FINDING, done.stdout + done.stderr
    assert "warns: BROKEN - 1 cause: " in done.stderr
    assert "FINDING: warns on x86_64: " in done.stderr
    assert "WARNING at " in done.stderr
    nodes, _ = parsed(done.stdout)
    assert {(node.name.split(" ")[0], node.state) for node in nodes} == {("x86_64/warns/perf", "not ok"), ("comparison", "ok")}
    assert done.stdout.endswith("or a test failed\n"), "nothing but KTAP"
    (patch,) = (BROKEN / "warns").glob("*.patch")
    line = 1 + patch.read_text().splitlines().index("+\tWARN_ON_ONCE(addr);")
    place = f"file={patch.relative_to(paths.PROJECT)},line={line},"
    annotations = rig("export", "latest", "--format", "github").stdout.splitlines()
    assert [each for each in annotations if each.startswith(f"::error {place}title=warns%3A warning in vfree::")], annotations


def test_fallback_is_forbidden_by_naming_a_kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RIG_CACHE", str(tmp_path))
    monkeypatch.delenv("RIG_SOURCE", raising=False)
    monkeypatch.setattr("harness.build.download.fetch", refuse)
    with pytest.raises(SourceUnavailable, match="--source or RIG_SOURCE"):
        pipeline.build(Selection(kernel="4.18"))


def refuse(url: str, *_: object) -> None:
    """Stand for a network that has no kernel.org."""
    raise RigError(f"{url}: Name or service not known.")
