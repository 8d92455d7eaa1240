# SPDX-License-Identifier: GPL-2.0-only
"""Hosts whose counts differ are refused; each is asked once for a kernel."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

pytest.importorskip("distributed", reason="NOT TESTED: distributed is not installed; ./bootstrap installs it")

from harness.cluster import probe
from harness.cluster.address import Address
from harness.cluster.connection import Member
from harness.cluster.probe import Figure
from harness.cluster.revision import Facts
from harness.cluster.task import Answer, Task
from harness.cluster.worker import Host
from harness.errors import RigError, UsageError
from harness.model import matrix
from harness.model.clock import Clock
from harness.model.foreign import Foreign
from harness.model.matrix import Base
from harness.model.records import Result, Sample
from harness.model.run_folder import FILES
from harness.suite.plan import Plan
from tests.support import cells, make

FACTS = Facts("1" * 16, {"qemu-system-x86_64": "QEMU emulator version 7.2.22"})
TASK = Task("the-run", "a session", "me", "/cache", FACTS, ())
PLACES = {"a": "tls://a", "b": "tls://b", "b2": "tls://b2", "c": "tls://c"}


def files(*values: float) -> dict[str, bytes]:
    """Return what comes back of a probe with these samples, behind one that warmed up."""
    names = ("boot under icount", "le_fit_alloc_test", "end under icount")
    outcome = "passed" if values else "failed"
    records: dict[type[msgspec.Struct], list[Any]] = {
        Sample: [make.sample(9999.0, warmup=True), *map(make.sample, values)] if values else [],
        Result: [make.result(outcome, test=name) for name in names],
    }
    return {FILES[kind]: b"".join(msgspec.json.encode(each) + b"\n" for each in some) for kind, some in records.items()}


class Future:
    def __init__(self, answer: Answer | Exception | None) -> None:
        self._answer = answer

    def done(self) -> bool:
        return self._answer is not None

    def result(self) -> bytes:
        if isinstance(self._answer, Exception):
            raise self._answer
        return msgspec.msgpack.encode(self._answer)


class Cluster:
    """A connection whose workers answer with `answers`, by name."""

    def __init__(self, answers: Mapping[str, Answer | Exception | None]) -> None:
        self.client, self.up, self.address = self, True, Address("tls", "host", 1)
        self._answers = answers
        self.asked: list[str] = []
        self.cancelled = 0
        self.gone: set[str] = set()

    def members(self) -> list[Member]:
        return [Member(name, place, 1, 4000, 0) for name, place in PLACES.items() if name not in self.gone]

    def provide(self, wanted: object, say: object) -> None:
        pass

    def submit(self, _: object, asked: bytes, plan: bytes, **options: Any) -> Future:
        assert options["resources"]["cores"] == 1
        task = msgspec.json.decode(asked, type=Task)
        assert (task.run, task.client) == ("probe", "me")
        (name,) = [name for name, place in PLACES.items() if [place] == options["workers"]]
        self.asked.append(name)
        answer = self._answers[name]
        if answer is None:
            self.gone.add(name)
        return Future(answer)

    def cancel(self, futures: list[object], *, force: bool) -> None:
        self.cancelled += len(futures)


def hosts(*names: str) -> dict[str, Host]:
    """Return hosts by worker; b and b2 are on the same one."""
    return {name: Host(f"host {name[0]}", FACTS, f"boot of {name[0]}") for name in names}


def check(planned: Plan, cluster: Cluster, *names: str) -> list[str]:
    said: list[str] = []
    probe.check(cluster, hosts(*names), planned, TASK, said.append)  # type: ignore[arg-type]
    return said


@pytest.fixture
def planned(base: Base, cache: Path) -> Plan:
    return cells.plan(base, boots=4)


def test_hosts_that_count_alike_are_asked_once(planned: Plan) -> None:
    cluster = Cluster({name: Answer(name, files=files(2860.8, 2861.4)) for name in PLACES})
    assert check(planned, cluster, "a", "b", "b2") == ["comparing counts of x86_64 on a, b"]
    assert cluster.asked == ["a", "b"], "one worker a host"
    assert check(planned, cluster, "a", "b") == []
    assert cluster.asked == ["a", "b"]
    assert check(planned, cluster, "a", "b", "c") == ["comparing counts of x86_64 on c"], "the others are known"


def test_another_kernel_or_rig_is_another_probe(planned: Plan) -> None:
    cluster = Cluster({name: Answer(name, files=files(2860.8)) for name in PLACES})
    check(planned, cluster, "a", "b")
    changed = msgspec.structs.replace(TASK, facts=msgspec.structs.replace(FACTS, revision="2" * 16))
    probe.check(cluster, hosts("a", "b"), planned, changed, lambda _: None)  # type: ignore[arg-type]
    assert cluster.asked == ["a", "b"] * 2


def test_a_host_that_counts_otherwise_is_refused_with_both_figures_and_stays_so(planned: Plan) -> None:
    values = {"a": 2861.0, "b": 2955.4, "c": 2860.9}
    cluster = Cluster({name: Answer(name, files=files(value)) for name, value in values.items()})
    said = (
        "b counts 2,955.4 instructions/op in le_fit_alloc_test on x86_64, but a 2,861.0, which is 3.30 % apart: their figures do"
        " not go together, so leave one of them out."
    )
    for _ in range(2):
        with pytest.raises(UsageError, match=f"^{re.escape(said)}$"):
            check(planned, cluster, "a", "b", "c")
    assert sorted(cluster.asked) == ["a", "b", "c"]
    assert check(planned, cluster, "a", "c") == [], "it was left out"


def test_what_boots_of_one_host_differ_by_is_no_difference() -> None:
    assert probe.refusal("x86_64", [Figure("a", 2861.45), Figure("b", 2860.793)]) == ""
    assert probe.refusal("x86_64", [Figure("a", 2861.45)]) == ""
    assert probe.refusal("x86_64", [Figure("a", 2860.8), Figure("b", 2863.3)]) == ""
    assert probe.refusal("x86_64", [Figure("a", 2860.0), Figure("b", 2867.5)]).startswith("b counts 2,867.5")


def test_one_host_needs_no_probe_nor_does_measured_time_nor_a_foreign_module(planned: Plan) -> None:
    cluster = Cluster({})
    check(planned, cluster, "b", "b2")
    check(planned.with_settings(clock=Clock.WALL), cluster, "a", "b")
    check(msgspec.structs.replace(planned, module=Foreign("mine", "0" * 64, ())), cluster, "a", "b")
    assert not cluster.asked


def test_each_machine_is_probed_with_its_first_kernel(base: Base, planned: Plan) -> None:
    other = cells.plan(base, matrix.load_machine("aarch64")).cells
    both = msgspec.structs.replace(planned, cells=(*planned.cells, *planned.cells, *other))
    found = list(probe._plans(both))
    assert [[session.built.cell.machine.name for session in each.sessions] for each in found] == [["x86_64"], ["aarch64"]]
    assert all(each.settings.scale == "quick" and each.tests == ("le_fit_alloc_test",) for each in found)


def test_a_kernel_that_fails_there_proves_nothing_and_stops_nothing(planned: Plan) -> None:
    cluster = Cluster({"a": Answer("a", files=files(2861.0)), "b": Answer("b", files=files())})
    assert check(planned, cluster, "a", "b")[-1] == (
        "nothing proves that b counts as others do: le_fit_alloc_test has no figure there"
    )
    assert check(planned, cluster, "a", "b")[0] == "comparing counts of x86_64 on b", "it is asked again"


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (Answer("b", refused="b has another QEMU."), "with those of other hosts: b has another QEMU."),
        (Answer("b", failed="b: no space left"), "with those of other hosts: b: no space left"),
        (ValueError("odd"), "b cannot run x86_64-stock-perf"),
        (None, "b went away while its counts were compared with those of other hosts; call again."),
    ],
)
def test_a_probe_that_does_not_end_is_said(planned: Plan, answer: Answer | Exception | None, said: str) -> None:
    cluster = Cluster({"a": Answer("a", files=files(2861.0)), "b": answer})
    with pytest.raises(RigError, match=re.escape(said)):
        check(planned, cluster, "a", "b")
    assert cluster.cancelled == 2
