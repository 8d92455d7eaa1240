# SPDX-License-Identifier: GPL-2.0-only
"""Homes of machines whose time is measured: one host each, one worker a host, and the same host when a run goes on."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

pytest.importorskip("distributed", reason="NOT TESTED: distributed is not installed; ./bootstrap installs it")

from harness.cluster.revision import Facts
from harness.cluster.worker import Host
from harness.commands import clustered
from harness.errors import UsageError
from harness.model import matrix
from harness.model.clock import Clock
from harness.model.matrix import Base
from harness.model.run_folder import HOSTS, Run
from harness.suite.plan import Plan
from tests.support import make

FACTS = Facts("1" * 16, {})
W1, W2 = Host("alpha", FACTS, "boot-1"), Host("alpha", FACTS, "boot-1")
W3, W4 = Host("beta", FACTS, "boot-2"), Host("gamma", FACTS, "boot-3")


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path)


@pytest.fixture
def planned(base: Base) -> Plan:
    """A plan of three machines, each with two kernels."""
    three = [make.plan(base, matrix.load_machine(name), clock=Clock.WALL) for name in ("x86_64", "aarch64", "arm32")]
    return msgspec.structs.replace(three[0], cells=tuple(of for one in three for of in (*one.cells, *one.cells)))


def written(run: Run) -> dict[str, str]:
    return msgspec.json.decode((run.folder / HOSTS).read_bytes(), type=dict[str, str])


def test_machines_are_dealt_to_hosts_in_turn_and_one_worker_of_a_host_is_used(run: Run, planned: Plan) -> None:
    homes = clustered.homes(run, planned, {"w2": W2, "w3": W3, "w1": W1})
    assert homes == {"x86_64": "w1", "aarch64": "w3", "arm32": "w1"}, "w2 would disturb w1"
    assert written(run) == {"x86_64": "alpha", "aarch64": "beta", "arm32": "alpha"}


def test_a_run_that_goes_on_stays_on_its_hosts_whatever_their_workers_are_called(run: Run, planned: Plan) -> None:
    clustered.homes(run, planned, {"w1": W1, "w3": W3})
    run.add([make.result()])
    again = clustered.homes(run, planned, {"a": W4, "b": W3, "c": W1})
    assert again == {"x86_64": "c", "aarch64": "b", "arm32": "c"}
    assert written(run) == {"x86_64": "alpha", "aarch64": "beta", "arm32": "alpha"}


def test_a_host_that_was_booted_meanwhile_is_the_same(run: Run, planned: Plan) -> None:
    clustered.homes(run, planned, {"w1": W1})
    again = clustered.homes(run, planned, {"w1": msgspec.structs.replace(W1, boot="boot-9"), "w3": W3})
    assert set(again.values()) == {"w1"}


def test_a_host_that_is_lost_is_said(run: Run, planned: Plan) -> None:
    clustered.homes(run, planned, {"w1": W1, "w3": W3})
    before = (run.folder / HOSTS).read_bytes()
    with pytest.raises(
        UsageError, match=r"^aarch64 was measured on beta so far, of which no worker is there; have it join again\.$"
    ):
        clustered.homes(run, planned, {"w1": W1, "w4": W4})
    assert (run.folder / HOSTS).read_bytes() == before


def test_a_run_that_began_here_is_not_finished_elsewhere(run: Run, planned: Plan) -> None:
    run.add([make.result()])
    with pytest.raises(UsageError, match="was measured on this host so far; finish it without --cluster"):
        clustered.homes(run, planned, {"w1": W1})
    assert not (run.folder / HOSTS).exists()
