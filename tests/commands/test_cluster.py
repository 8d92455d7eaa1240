# SPDX-License-Identifier: GPL-2.0-only
"""A cluster with workers on other hosts is up as a whole, or not at all; hosts and processes are played here."""

from __future__ import annotations

import re
from typing import Any

import pytest
from invoke.context import Context
from rich.console import Console

pytest.importorskip("distributed", reason="NOT TESTED: distributed is not installed; ./bootstrap installs it")

from harness.cluster import daemons, hosts
from harness.cluster.address import Address
from harness.cluster.connection import Member
from harness.cluster.daemons import Daemon, Remote
from harness.cluster.joined import Looked
from harness.commands import cluster
from harness.commands.cluster import Down, Wish
from harness.errors import RigError, UsageError
from harness.host.deadline import Deadline
from harness.host.shell import Line
from harness.tasks import clusters, shown

LISTEN = Address("tls", "10.0.0.1", 8786)


class World:
    """Hosts and processes, and what becomes of them."""

    def __init__(self) -> None:
        self.fails: dict[str, RigError] = {}
        """what goes wrong, by step and host"""
        self.joined = {"w1", "a", "b"}
        self.answers = {"w1", "a", "b"}
        self.did: list[str] = []
        self.looked = Looked(True, "it waits")

    def step(self, name: str) -> None:
        self.did.append(name)
        if error := self.fails.get(name):
            raise error

    def members(self) -> list[Member]:
        return [Member(name, f"tls://{name}:1", 1, 1, 0) for name in sorted(self.joined)]


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    """A world in which all goes well."""
    made = World()

    class Login:
        def __init__(self, host: str) -> None:
            self.host = self.target = host

        def __enter__(self) -> Login:
            made.step(f"login {self.host}")
            return self

        def __exit__(self, *_: object) -> None:
            pass

    class Connection:
        def __init__(self, place: Address) -> None:
            assert place == LISTEN

        def __enter__(self) -> Connection:
            return self

        def __exit__(self, *_: object) -> None:
            pass

        def members(self) -> list[Member]:
            return made.members()

        def hosts(self, _: object) -> dict[str, None]:
            return dict.fromkeys(made.answers)

    def install(logins: list[Login], *_: object) -> tuple[Remote, ...]:
        made.step("install")
        return tuple(Remote(login.host, "/rigs/1", "k") for login in logins)

    def stop_all(remotes: tuple[Remote, ...]) -> tuple[int, tuple[str, ...]]:
        made.did += [f"stop {remote.host}" for remote in remotes]
        return len(remotes), ()

    def process(name: str) -> Daemon:
        made.step(f"start {name}")
        daemon = Daemon(name, 0, 0)
        daemon.log.parent.mkdir(parents=True, exist_ok=True)
        daemon.log.write_text("one\n")
        return daemon

    monkeypatch.setattr(cluster, "Login", Login)
    monkeypatch.setattr(cluster, "Connection", Connection)
    monkeypatch.setattr(hosts, "install", install)
    monkeypatch.setattr(hosts, "start", lambda login, *_: made.step(f"start {login.host}"))
    monkeypatch.setattr(hosts, "look", lambda *_: made.looked)
    monkeypatch.setattr(hosts, "stop_all", stop_all)
    monkeypatch.setattr(daemons, "scheduler", lambda *_: process("scheduler"))
    monkeypatch.setattr(daemons, "worker", lambda name, *_: process(name))
    monkeypatch.setattr(Daemon, "runs", property(lambda self: f"stop {self.name}" not in made.did))
    monkeypatch.setattr(daemons, "stop", lambda daemon: made.did.append(f"stop {daemon.name}"))
    monkeypatch.setattr(cluster, "_LOOK_THERE", 0.1)
    monkeypatch.setattr(cluster, "_PATIENCE", 0.5)
    return made


def up(*others: str, workers: int = 1, say: Line = lambda _: None) -> Any:
    return cluster.up(Wish(workers, LISTEN, 30.0, others), say)


def test_workers_here_and_on_other_hosts_come_up_and_go_down(world: World) -> None:
    state = up("a", "b")
    assert state.names == {"w1", "a", "b"}
    assert daemons.load() == state
    assert world.did == ["login a", "login b", "install", "start scheduler", "start w1", "start a", "start b"]
    standing = cluster.Standing(state)
    assert standing.hosts == {"w1": "this one", "a": "a", "b": "b"}
    world.did.clear()
    assert cluster.down() == Down(4)
    assert world.did == ["stop a", "stop b", "stop w1", "stop scheduler"]
    assert daemons.load() is None
    assert cluster.down() == Down()


def test_with_other_hosts_none_has_to_be_here(world: World) -> None:
    world.joined = world.answers = {"a"}
    assert up("a", workers=0).names == {"a"}


@pytest.mark.parametrize("step", ["login b", "install"])
def test_nothing_is_started_if_a_host_cannot_be_had(world: World, step: str) -> None:
    world.fails[step] = RigError("b does not answer: timed out.")
    with pytest.raises(RigError, match=r"^b does not answer: timed out\.$"):
        up("a", "b")
    assert not [did for did in world.did if did.startswith("start")]
    assert daemons.load() is None


def test_all_are_ended_if_a_host_refuses(world: World) -> None:
    world.fails["start b"] = RigError("b: there is another QEMU.")
    with pytest.raises(RigError, match=r"^b: there is another QEMU\.$"):
        up("a", "b")
    assert world.did[-4:] == ["stop a", "stop b", "stop w1", "stop scheduler"]
    assert daemons.load() is None


@pytest.mark.parametrize("runs", [True, False])
def test_all_are_ended_if_a_worker_does_not_join(world: World, runs: bool) -> None:
    world.joined = {"w1", "a"}
    world.looked = Looked(runs, "no route to host")
    late = Deadline(5.0)
    with pytest.raises(RigError, match=r"^The worker on b does not join tls://10\.0\.0\.1:8786: no route to host$"):
        up("a", "b")
    assert not late.over
    assert {"stop a", "stop b", "stop w1", "stop scheduler"} <= set(world.did)


def test_a_worker_to_which_the_scheduler_has_no_way_is_said(world: World) -> None:
    world.answers = {"w1", "a"}
    said = "b joined, but does not answer at tls://b:1: scheduler and workers go to each other, so that a firewall"
    with pytest.raises(RigError, match=f"^{re.escape(said)}"):
        up("a", "b")
    assert daemons.load() is None


def test_hosts_that_do_not_answer_at_the_end_are_told(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    up("a", "b")
    monkeypatch.setattr(hosts, "stop_all", lambda _: (1, ("The worker on b may still run: b does not answer.",)))
    assert cluster.down() == Down(3, ("The worker on b may still run: b does not answer.",))


def test_hosts_of_a_cluster_before_that_do_not_answer_are_told(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    up("a", "b")
    monkeypatch.setattr(Daemon, "runs", property(lambda _: False))  # as when this host was booted meanwhile
    silent = "The worker on b may still run: b does not answer."
    monkeypatch.setattr(hosts, "stop_all", lambda _: (1, (silent,)))
    said: list[str] = []
    assert up("a", say=said.append).names == {"w1", "a"}
    assert said[0] == silent


def test_hosts_that_do_not_answer_when_all_are_ended_are_told(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.fails["start b"] = RigError("b: there is another QEMU.")
    silent = "The worker on a may still run: a does not answer."
    monkeypatch.setattr(hosts, "stop_all", lambda _: (0, (silent,)))
    said: list[str] = []
    with pytest.raises(RigError, match="another QEMU"):
        up("a", "b", say=said.append)
    assert said[-1] == silent


def test_the_tasks_speak_of_builds_too(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    state = daemons.State("tls://10.0.0.1:8786", Daemon("scheduler", 1, 1), (Daemon("w1", 2, 2),))
    standing = cluster.Standing(state, (Member("w1", "tls://w1:1", 2, 4000, 3),), "none")
    monkeypatch.setattr(cluster, "status", lambda: standing)
    monkeypatch.setattr(shown, "CONSOLE", Console(width=110))
    clusters.cluster_status(Context())
    head, line = capsys.readouterr().out.splitlines()[1:]
    assert head.split(maxsplit=5)[5].strip() == "builds and sessions"
    assert line.split()[-1] == "3"
    for called in clusters.OF_CLUSTERS.values():
        assert "sessions" in called.__doc__
        assert re.search("builds|to build", called.__doc__)


def test_two_workers_have_two_names(world: World) -> None:
    with pytest.raises(UsageError, match=r"^w1 would be the name of two workers, one on this host; call that host user@w1\.$"):
        up("w1")
    assert not world.did
