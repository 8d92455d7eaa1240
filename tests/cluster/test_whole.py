# SPDX-License-Identifier: GPL-2.0-only
"""A scheduler and two workers, and a guest that dies at boot: each session ends once, whatever is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest

pytest.importorskip("distributed", reason="NOT TESTED: distributed is not installed; ./bootstrap installs it")

from harness import paths
from harness.cluster import address, certificates, daemons, under_way
from harness.cluster.address import Address
from harness.cluster.connection import Connection
from harness.commands import cluster, mutants_clustered, pipeline, soak
from harness.errors import RigError, UsageError
from harness.model.matrix import Base
from harness.model.run_folder import Run
from harness.model.selection import Selection, Where
from harness.stats.outcome import Outcome
from harness.suite import plan
from harness.vm.launch import free_port
from tests.suite.test_conftest import PANIC
from tests.support import cells, make

pytestmark = [pytest.mark.kernel, pytest.mark.alone]
SLOW = f"sleep 2\n{PANIC}"
"""a guest that leaves time to kill something"""
BOOTS = 6


@pytest.fixture
def up(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, results: Path) -> Iterator[daemons.State]:
    """A cluster of two workers."""
    cache = tmp_path_factory.mktemp("c") / "cache"
    monkeypatch.setenv("RIG_CACHE", str(cache))
    monkeypatch.delenv("RIG_CLUSTER", raising=False)
    yield cluster.up(cluster.Wish(2, Address("tls", "127.0.0.1", free_port()), 5.0), lambda _: None)
    monkeypatch.setenv("RIG_CACHE", str(cache))  # a test may have gone to another one
    cluster.down()


class UnderWay(threading.Thread):
    """A run on the cluster, under way."""

    def __init__(self, base: Base, folder: Path, state: daemons.State, body: str = SLOW) -> None:
        super().__init__(daemon=True)
        self.planned = cells.plan(base, make.fake_qemu(folder, body), boots=BOOTS)
        self.at = address.read(state.address, "here")
        self.outcome: Outcome | None = None
        self.error: BaseException | None = None
        self.start()

    def run(self) -> None:
        try:
            self.outcome = pipeline.test(self.planned, Where(1, str(self.at)), "invoke test")
        except BaseException as error:  # the test looks at it
            self.error = error

    @property
    def done(self) -> Run:
        """The run that it made."""
        (folder,) = [file.parent for file in paths.RESULTS.glob("*/run.json") if file.parent.name != "latest"]
        return Run(folder)

    def results(self, least: int) -> None:
        """Wait for results."""
        until = time.monotonic() + 120
        while time.monotonic() < until and self.is_alive():
            if list(paths.RESULTS.glob("*/run.json")) and len(self.done.results()) >= least:
                return
            time.sleep(0.1)
        raise AssertionError(f"no results: {self.error}")

    def ended(self) -> None:
        self.join(240)
        assert not self.is_alive()


def whole(run: Run) -> None:
    """Hold that each test of each boot has one result, and one log."""
    wanted = {(name, boot) for boot in range(BOOTS) for name in ("boot under icount", "le_fit_alloc_test", "end under icount")}
    assert Counter((r.test, r.boot) for r in run.results()) == Counter(wanted)
    assert Counter((r.test, r.outcome) for r in run.results()) == {
        ("boot under icount", "failed"): BOOTS,
        ("le_fit_alloc_test", "failed"): BOOTS,
        ("end under icount", "skipped"): BOOTS,
    }
    for found in run.findings():
        assert "kernel BUG" in (run.folder / found.log).read_text().splitlines()[found.trouble.first - 1]


def processes(name: str, state: daemons.State) -> list[int]:
    """Return the process of a worker that runs tasks: a child of the one that restarts it."""
    (nanny,) = [worker.pid for worker in state.workers if worker.name == name]
    children = [pid for thread in Path(f"/proc/{nanny}/task").glob("*/children") for pid in thread.read_text().split()]
    found = [int(pid) for pid in children if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()]
    assert found, "its child may be that of any of its threads"
    return found


def test_a_worker_that_is_killed_costs_no_result(up: daemons.State, base: Base, tmp_path: Path) -> None:
    tested = UnderWay(base, tmp_path, up)
    tested.results(3)
    for pid in processes("w1", up):
        os.kill(pid, signal.SIGKILL)
    tested.ended()
    assert tested.error is None
    whole(tested.done)
    with Connection(tested.at) as connection:
        assert [member.name for member in connection.members()] == ["w1", "w2"], "it was started again"


def test_findings_alone_and_a_soak_come_back_too(up: daemons.State, base: Base, tmp_path: Path) -> None:
    planned = cells.plan(base, make.fake_qemu(tmp_path, PANIC), boots=2)
    at = address.read(up.address, "here")
    (of,) = planned.cells
    mutant = msgspec.structs.replace(of.cell, variant=msgspec.structs.replace(of.cell.variant, apart="mutants/a"))
    planned = msgspec.structs.replace(planned, cells=(msgspec.structs.replace(of, cell=mutant),))
    with mutants_clustered.connected(at, planned, tmp_path / "logs", everything=False) as workers:
        found = workers.test("a-perf", planned, lambda _: None)
    assert [(one.test, one.trouble.kind) for one in found] == [("boot", "bug")]
    assert "kernel BUG" in (tmp_path / "logs/a-perf" / found[0].log).read_text()
    assert not list(paths.cache().glob("cluster/workers/*/clients/*/kernels/[!.]*")), "nobody wants its kernel any more"
    planned = msgspec.structs.replace(planned, tests=("random_size_align_test",))
    outcome = soak.run(planned, Selection(tests="stress", cluster=up.address), "invoke soak", 0.5)
    boots = [(result.test, result.outcome, result.boot) for result in Run(outcome.run).results()]
    assert boots == [("boot", "failed", number) for number in range(3)], "no VM comes up, so that it is over"
    assert not (outcome.run / "report-log.jsonl").exists()


def test_a_soak_of_which_a_worker_is_killed_keeps_what_it_had(
    up: daemons.State, base: Base, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(under_way, "_EVERY", 0.5)
    planned = msgspec.structs.replace(cells.plan(base, make.fake_qemu(tmp_path, SLOW)), tests=("random_size_align_test",))
    wanted = Selection(tests="stress", cluster=up.address)
    with ThreadPoolExecutor(1) as pool:
        soaked = pool.submit(soak.run, planned, wanted, "invoke soak", 0.5)
        until = time.monotonic() + 120
        while not (found := [file for file in paths.RESULTS.glob("*/results.jsonl") if file.stat().st_size]):
            assert time.monotonic() < until
            assert not soaked.done()
            time.sleep(0.1)
        for name in ("w1", "w2"):
            for pid in processes(name, up):
                os.kill(pid, signal.SIGKILL)
        outcome = soaked.result(240)
    assert outcome.run == found[0].parent
    boots = [result.boot for result in Run(outcome.run).results()]
    assert boots == list(range(len(boots))), "none is there twice, and none is lost"
    assert len(boots) > 3, "three are those of an attempt that comes to its end"
    assert len(list(outcome.run.glob("*.serial.log*"))) >= len(boots)
    assert "was begun 2 times, since a worker was lost or failed" in (outcome.run / "report.md").read_text().replace("\n", " ")


def test_a_worker_that_stands_still_is_noticed(up: daemons.State, base: Base, tmp_path: Path) -> None:
    tested = UnderWay(base, tmp_path, up)
    tested.results(3)
    stopped = [pid for worker in up.workers if worker.name == "w1" for pid in (*processes("w1", up), worker.pid)]
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    tested.ended()
    assert tested.error is None
    whole(tested.done)
    for pid in stopped:
        os.kill(pid, signal.SIGCONT)


def test_a_scheduler_that_is_killed_is_told_and_the_run_goes_on_with_another(up: daemons.State, base: Base, tmp_path: Path) -> None:
    tested = UnderWay(base, tmp_path, up)
    tested.results(3)
    os.kill(up.scheduler.pid, signal.SIGKILL)
    tested.ended()
    name = tested.done.folder.name
    assert isinstance(tested.error, RigError)
    assert "The scheduler is gone" in str(tested.error)
    assert f"`invoke test --resume {name}` goes on" in str(tested.error)
    again = cluster.up(cluster.Wish(1, tested.at, 5.0), lambda _: None)
    assert again.scheduler.runs
    ids = {"vmlinux": make.BUILD_ID, "vmalloc_test.ko": make.MODULE_BUILD_ID}
    pipeline.resume(name, Where(1, again.address), lambda _: None, lambda file: ids[file.name])
    whole(tested.done)


def test_a_client_that_is_killed_leaves_nothing_running(up: daemons.State, base: Base, tmp_path: Path) -> None:
    planned = cells.plan(base, make.fake_qemu(tmp_path, f"sleep 60\n{PANIC}"), boots=2)
    plan.save(planned, tmp_path / "plan.json")
    code = (
        "import sys; from pathlib import Path; from harness.suite import plan; from harness.commands import pipeline;"
        " from harness.model.selection import Where;"
        " pipeline.test(plan.load(Path(sys.argv[1])), Where(1, sys.argv[2]), 'invoke test')"
    )
    env = {**os.environ, "RIG_RESULTS": str(paths.RESULTS)}
    client = subprocess.Popen((sys.executable, "-c", code, tmp_path / "plan.json", up.address), cwd=paths.PROJECT, env=env)
    pids = tmp_path / "pids"
    until = time.monotonic() + 90
    while time.monotonic() < until and not (pids.exists() and len(pids.read_text().split()) >= 2):
        time.sleep(0.2)
    client.kill()
    client.wait()
    until = time.monotonic() + 60
    left = pids.read_text().split()
    while time.monotonic() < until and (left := [pid for pid in left if Path(f"/proc/{pid}").exists()]):
        time.sleep(0.2)
    assert not left, "its guests still run"


def test_a_client_with_other_certificates_is_not_let_in(up: daemons.State, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RIG_CACHE", str(tmp_path / "other"))
    with pytest.raises(UsageError, match="There are no certificates"):
        Connection(address.read(up.address, "here"))
    certificates.ensure()
    with pytest.raises(RigError, match=r"No scheduler answers at .*, or it knows other certificates"):
        Connection(address.read(up.address, "here"))


def test_a_cluster_is_up_once_and_goes_down_as_a_whole(up: daemons.State) -> None:
    with pytest.raises(UsageError, match="A cluster is up already at"):
        cluster.up(cluster.Wish(1, Address("tls", "127.0.0.1", 1), 5.0), lambda _: None)
    standing = cluster.status()
    assert standing
    assert (standing.trouble, [member.name for member in standing.members]) == ("", ["w1", "w2"])
    assert cluster.down() == cluster.Down(3)
    assert cluster.status() is None
    assert not [daemon for daemon in (up.scheduler, *up.workers) if daemon.runs]
    assert cluster.down() == cluster.Down()
