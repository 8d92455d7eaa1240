# SPDX-License-Identifier: GPL-2.0-only
"""Sessions of a mutant on workers that are played here: one after the other, up to the first finding."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

pytest.importorskip("distributed", reason="NOT TESTED: distributed is not installed; ./bootstrap installs it")

from harness.cluster.address import Address
from harness.cluster.artifacts import Artifact
from harness.cluster.connection import Member
from harness.cluster.task import Answer, Task
from harness.commands.mutants_clustered import Workers
from harness.errors import RigError, UsageError, VmLost
from harness.model.matrix import Base
from harness.model.records import Finding
from harness.suite.plan import Plan
from tests.cluster.test_dispatch import Future
from tests.cluster.test_gathered import LOG, came
from tests.support import cells, make

Acts = Callable[[Task], Answer]


class Cluster:
    """A connection to two workers that do as `acts` says."""

    def __init__(self, acts: Acts) -> None:
        self._acts = acts
        self.address, self.client, self.up, self.status = Address("tls", "host", 1), self, True, "running"
        self.asked: list[Task] = []
        self.forgot: list[str] = []

    def check(self, _: object) -> None:
        """Find nothing wrong with any host."""

    def members(self) -> list[Member]:
        return [Member("w1", "tls://one", 1, 9000, 0), Member("w2", "tls://two", 2, 9000, 0)]

    def submit(self, _: object, asked: bytes, plan: bytes, **__: Any) -> Future:
        task = msgspec.json.decode(asked, type=Task)
        assert f'"{task.cache}/kernels/1111"'.encode() in plan
        self.asked.append(task)
        return Future(self._acts(task))

    def cancel(self, *_: object, force: bool) -> None:
        """End nothing, as nothing runs."""

    def subscribe_topic(self, *_: object) -> None:
        """Send no messages."""

    unsubscribe_topic = subscribe_topic

    def forget(self, artifact: Artifact) -> None:
        self.forgot.append(artifact.place)


@pytest.fixture
def planned(base: Base, cache: Path) -> Plan:
    """A plan of two sessions of a mutant."""
    control = cells.plan(base, boots=2)
    (built,) = control.cells
    variant = msgspec.structs.replace(built.cell.variant, apart="mutants/0")
    mutant = msgspec.structs.replace(built, cell=msgspec.structs.replace(built.cell, variant=variant))
    return msgspec.structs.replace(control, cells=(mutant,))


def judged(cluster: Cluster, planned: Plan, folder: Path, *, everything: bool = False) -> Sequence[Finding]:
    workers = Workers(cluster, planned, folder, everything=everything)  # type: ignore[arg-type]
    assert workers.at_once == 3
    return workers.test("a-perf", planned, lambda _: None)


def found(task: Task, *findings: Finding) -> Answer:
    """Return the answer to a task, with findings and the log of its VM."""
    files = came(*findings)
    files[f"{task.session}.serial.log"] = files.pop(LOG)
    return Answer("w1", files=files)


def finds(test: str) -> Acts:
    return lambda task: found(task, make.finding(test=test)) if task.session.endswith("-0") else found(task)


def test_the_first_finding_ends_it_and_its_log_is_kept(planned: Plan, tmp_path: Path) -> None:
    cluster = Cluster(finds("vmap_test"))
    (finding,) = judged(cluster, planned, tmp_path / "1")
    assert finding.test == "vmap_test"
    assert [(task.findings, task.session) for task in cluster.asked] == [("first", planned.sessions[0].name)]
    assert (tmp_path / "1/a-perf" / LOG).read_bytes() == b"console\n"
    assert cluster.forgot == ["kernels/1111"], "its kernel is removed from the workers, and all else stays"


def test_the_kernel_of_the_series_itself_stays(base: Base, tmp_path: Path) -> None:
    cluster = Cluster(found)
    judged(cluster, cells.plan(base, boots=2), tmp_path)
    assert not cluster.forgot


def test_all_sessions_are_run_where_none_has_a_finding_or_all_are_wanted(planned: Plan, tmp_path: Path) -> None:
    cluster = Cluster(found)
    assert not judged(cluster, planned, tmp_path)
    assert [task.session for task in cluster.asked] == [session.name for session in planned.sessions]
    cluster = Cluster(finds("vmap_test"))
    assert len(judged(cluster, planned, tmp_path, everything=True)) == 1
    assert [task.findings for task in cluster.asked] == ["all", "all"]
    cluster = Cluster(finds("boot"))
    assert len(judged(cluster, planned, tmp_path, everything=True)) == 1
    assert len(cluster.asked) == 1, "what does not boot is not booted again"


def test_a_session_that_fails_on_every_worker_is_a_lost_vm(planned: Plan, tmp_path: Path) -> None:
    cluster = Cluster(lambda _: Answer("w1", failed="w1: no room."))
    with pytest.raises(VmLost, match=r"^w1: no room\.$"):
        judged(cluster, planned, tmp_path)
    assert cluster.forgot == ["kernels/1111"]


def test_an_answer_that_is_none_of_a_session_is_a_lost_vm_and_leaves_nothing(planned: Plan, tmp_path: Path) -> None:
    cluster = Cluster(lambda _: Answer("w1", files={"../../run.json": b"evil"}))
    with pytest.raises(VmLost, match=r"^w1: x86_64-stock-perf-icount-0 came back with '\.\./\.\./run\.json', which is no log"):
        judged(cluster, planned, tmp_path / "logs")
    assert not list(tmp_path.rglob("run.json"))


def test_a_worker_that_refuses_is_no_verdict_on_a_mutant(planned: Plan, tmp_path: Path) -> None:
    cluster = Cluster(lambda _: Answer("w1", refused="w1 has another QEMU."))
    with pytest.raises(RigError, match=r"w1 has another QEMU\. .* `invoke mutants --resume` goes on\.$") as said:
        judged(cluster, planned, tmp_path)
    assert not isinstance(said.value, (UsageError, VmLost))


def test_a_vm_that_fits_nowhere_is_said_at_once(planned: Plan, tmp_path: Path) -> None:
    cluster = Cluster(lambda _: Answer("w1"))
    cluster.members = lambda: [Member("w1", "tls://one", 1, 100, 0)]  # type: ignore[method-assign]
    with pytest.raises(UsageError, match="no worker has more than 100"):
        judged(cluster, planned, tmp_path)
