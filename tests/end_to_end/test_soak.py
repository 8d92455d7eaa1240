# SPDX-License-Identifier: GPL-2.0-only
"""Soaks for real: a short one of a whole suite, a leak that is found, and a console that floods."""

from __future__ import annotations

import gzip
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from harness import paths
from harness.commands import pipeline
from harness.model.clock import Clock
from harness.model.run_folder import Run
from harness.model.selection import Selection
from harness.stats.outcome import ExitCode
from harness.suite.plan import Session
from harness.suite.vm_pool import Lab
from harness.vm import vms

pytestmark = pytest.mark.kernel
MACHINE = "aarch64"
_FLOOD = 'i=0; while [ $i -lt {lines} ]; do echo "flood {number} $i"; i=$((i+1)); done > /dev/console'


def soak(results: Path, *words: str) -> tuple[subprocess.CompletedProcess[str], Run]:
    """Soak one machine as a user would; return what it said, and its run."""
    done = subprocess.run(
        [sys.executable, "-m", "invoke", "soak", "--machine", MACHINE, "--scale", "quick", *words],
        cwd=paths.PROJECT,
        env={**os.environ, "RIG_RESULTS": str(results)},
        capture_output=True,
        text=True,
        check=False,
    )
    return done, Run((results / "latest").resolve())


def test_a_minute_of_all_tests(tmp_path: Path) -> None:
    done, run = soak(tmp_path / "results", "--hours", "0.02", "--variant", "stock", "--seed", "3")
    assert done.returncode in (ExitCode.GOOD, ExitCode.FINDING), done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    looks = run.looks()
    assert {look.boot for look in looks} == {1}, "align_shift_alloc_test ends the first VM, and no other"
    assert len({look.test for look in looks}) >= 4
    seeds = [look.seed for look in looks if look.seed]
    assert seeds, "known bugs of stock alone are shown with the module's own seed"
    assert len(set(seeds)) == len(seeds)
    assert [look.uptime for look in looks] == sorted(look.uptime for look in looks)
    assert all(look.values["areas"] > 10 and look.caches for look in looks)
    assert {f.test for f in run.findings() if f.expected} >= {"align_shift_alloc_test", "exact_hole_test", "pcpu_leak_test"}
    assert not [f for f in run.findings() if not f.expected]
    for name in ("report.html", "report.md"):
        assert "slab_objects" in (run.folder / name).read_text()
    assert run.provenance().finished


def test_the_leak_of_stock_is_found(tmp_path: Path) -> None:
    done, run = soak(tmp_path / "results", "--hours", "0.03", "--variant", "stock", "--tests", "pcpu_alloc_test", "--seed", "3")
    assert re.search(r"slab_objects .* leak", done.stdout), done.stdout + done.stderr
    assert re.search(r"percpu does not free the md_blocks .* seen", done.stdout)
    mail = " ".join((run.folder / "report.md").read_text().split())
    assert "known bug: stock on aarch64: leak: " in mail
    assert "grows by" in mail
    assert done.returncode == ExitCode.GOOD, "stock is known to leak the md_blocks of percpu chunks"
    assert len({look.round for look in run.looks()}) >= 12


def test_a_flood_on_the_console_is_kept_in_parts_and_ends_no_vm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    limit = 128 << 10
    monkeypatch.setattr(vms, "LONGEST_LOG", limit)
    made = pipeline.build(Selection(machine=MACHINE, variant="stock", tests="stress"))
    session = Session(made.cells[0], Clock.WALL, 0, ())
    lab = Lab(tmp_path, keep=False)
    try:
        station = lab.station(session)
        for number in range(6):
            station.guest.run("sh", "-c", _FLOOD.format(lines=6000, number=number), seconds=120)
            said = station.vm.console.read()
            assert f"flood {number} 5999" in said
            assert station.vm.alive
            lab.turn(session, 64 << 10)
            assert station.vm.console.line == 1
            assert station.vm.console.size < 1 << 10
        assert station.vm.alive, "it has written more than it may in all"
    finally:
        lab.close()
    parts = sorted(tmp_path.glob("*.gz"), key=lambda file: file.stat().st_mtime_ns)
    whole = b"".join(gzip.decompress(file.read_bytes()) for file in parts)
    assert len(whole) > 2 * limit
    told = [line for line in whole.decode(errors="replace").replace("\r", "").splitlines() if line.startswith("flood")]
    assert told == [f"flood {number} {line}" for number in range(6) for line in range(6000)], "nothing is lost, nothing twice"
    assert max(len(gzip.decompress(file.read_bytes())) for file in parts) < limit
