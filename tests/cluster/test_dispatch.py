# SPDX-License-Identifier: GPL-2.0-only
"""Every session ends just once, whatever becomes of workers: with a scheduler that is played here."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

pytest.importorskip("distributed", reason="NOT TESTED: distributed is not installed; ./bootstrap installs it")

from distributed import KilledWorker

from harness.cluster import dispatch, presence, waiting
from harness.cluster.address import Address
from harness.cluster.artifacts import Artifact
from harness.cluster.connection import Member
from harness.cluster.dispatch import Dispatch, Job
from harness.cluster.revision import Facts
from harness.cluster.task import Answer, Task
from harness.errors import RigError, UsageError
from harness.model import matrix
from harness.model.matrix import Base
from harness.suite.plan import Session
from tests.support import cells

W1, W2 = Member("w1", "tls://one", 1, 4000, 0), Member("w2", "tls://two", 2, 4000, 0)
KILLED = KilledWorker("a task", None, 1)
Acts = Callable[[str, dict[str, Any]], Answer | Exception | None]
"""what becomes of a session by its name and the options of its task; None for one that never ends"""


class Future:
    """A task that has ended before anybody asks."""

    def __init__(self, outcome: Answer | Exception | None) -> None:
        self._outcome = outcome
        self.status = "cancelled" if isinstance(outcome, ConnectionError) else "finished"
        self.released = False

    def add_done_callback(self, call: Callable[[Any], None]) -> None:
        if self._outcome is not None:
            call(self)

    def result(self) -> bytes:
        assert not self.released
        if isinstance(self._outcome, Exception):
            raise self._outcome
        return msgspec.msgpack.encode(self._outcome)

    def release(self) -> None:
        self.released = True


class Cluster:
    """A connection whose workers do as `acts` says."""

    def __init__(self, acts: Acts, *members: Member) -> None:
        self._acts, self._members = acts, members or (W1, W2)
        self.address, self.client, self.up, self.status = Address("tls", "host", 1), self, True, "running"
        self.submitted: list[tuple[str, dict[str, Any]]] = []
        self.cancelled: list[Any] = []
        self.sent: list[tuple[str, tuple[Artifact, ...]]] = []
        self.cuts: list[str] = []

    def members(self) -> list[Member]:
        return list(self._members)

    def submit(self, _: object, asked: bytes, plan: bytes, **options: Any) -> Future:
        assert plan == b"the plan"
        name = msgspec.json.decode(asked, type=Task).session
        self.submitted.append((name, options))
        return Future(self._acts(name, options))

    def cancel(self, futures: list[Any], *, force: bool) -> None:
        self.cancelled += futures

    def cut_short(self, run: str) -> None:
        self.cuts.append(run)

    def send(self, address: str, wanted: tuple[Artifact, ...], _: object) -> None:
        self.sent.append((address, wanted))

    def subscribe_topic(self, name: str, handler: Callable[[Any], None]) -> None:
        assert name == "rig-the-run"
        self.heard = handler

    def unsubscribe_topic(self, name: str) -> None:
        assert name == "rig-the-run"


@pytest.fixture
def sessions(base: Base, cache: Path) -> list[Session]:
    return list(cells.plan(base, boots=4).sessions)


def job(home: dict[str, str] | None = None) -> Job:
    def task(session: Session) -> Task:
        return Task("the-run", session.name, "me", "/cache", Facts("1", {}), ())

    return Job("the-run", b"the plan", task, lambda _: None, lambda *_: None, lambda _: None, home or {})


def run(cluster: Cluster, sessions: list[Session], home: dict[str, str] | None = None) -> dict[str, Answer]:
    """Return the answers by session, each of which ended once."""
    ends = list(Dispatch(cluster, job(home), sessions).ends())  # type: ignore[arg-type]
    assert sorted(end.session.name for end in ends) == sorted(session.name for session in sessions)
    assert not cluster.cancelled
    return {end.session.name: end.answer for end in ends}


def good(name: str, _: object = None) -> Answer:
    return Answer("w1", files={name: b"log"})


def test_all_sessions_end_well_and_ask_for_what_they_need(sessions: list[Session]) -> None:
    cluster = Cluster(good)
    assert run(cluster, sessions) == {session.name: good(session.name) for session in sessions}
    assert {frozenset(options["resources"].items()) for _, options in cluster.submitted} == {
        frozenset({"cores": 1, "memory": sessions[0].size}.items())
    }
    keys = [options["key"] for _, options in cluster.submitted]
    assert len(set(keys)) == 4


def test_no_more_are_handed_out_than_there_are_cores(sessions: list[Session]) -> None:
    cluster = Cluster(lambda name, options: None)
    ends = Dispatch(cluster, job(), sessions).ends()  # type: ignore[arg-type]
    cluster.up, cluster.status = True, "running"

    def stop(*_: object) -> list[Member]:
        if len(cluster.submitted) >= 3:
            raise KeyboardInterrupt
        return [W1, W2]

    cluster.members = stop  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        next(ends)
    assert [name for name, _ in cluster.submitted] == [session.name for session in sessions[:3]]
    assert len(cluster.cancelled) == 3, "what runs is ended when the client goes"


@pytest.mark.parametrize(
    ("home", "said"),
    [({}, "waits for 1 core and 4,000 MiB on a worker"), ({"x86_64": "w2"}, "waits for 2 cores and 4,000 MiB of w2")],
)
def test_a_session_that_waits_says_so_once_and_one_that_has_begun_does_not(
    sessions: list[Session], monkeypatch: pytest.MonkeyPatch, home: dict[str, str], said: str
) -> None:
    monkeypatch.setattr(dispatch, "_TICK", 0.01)
    monkeypatch.setattr(waiting, "_PATIENCE", 0.05)
    two = [msgspec.structs.replace(session, memory=4000) for session in sessions[:2]]
    cluster, told = Cluster(lambda name, options: None), list[tuple[str, str]]()
    ends = Dispatch(cluster, job(home)._replace(waits=lambda *words: told.append(words)), two).ends()  # type: ignore[arg-type]
    looks = iter(range(20))

    def look() -> list[Member]:
        if (number := next(looks, None)) is None:
            raise KeyboardInterrupt
        if number == 1:
            cluster.heard((0.0, {"session": two[1].name, "name": "w1"}))
        return [W1, W2]

    cluster.members = look  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        next(ends)
    assert told == [(two[0].name, said)]


def test_a_failure_is_tried_again_elsewhere_and_then_is_the_result(sessions: list[Session]) -> None:
    bad = sessions[1].name
    cluster = Cluster(lambda name, _: Answer("w1", failed="w1: no space left") if name == bad else good(name))
    answers = run(cluster, sessions)
    assert answers.pop(bad) == Answer("w1", failed="w1: no space left")
    assert all(answer.files for answer in answers.values())
    tries = [options for name, options in cluster.submitted if name == bad]
    assert [options.get("workers") for options in tries] == [None, ["tls://two"], ["tls://two"]]
    assert all(options["allow_other_workers"] for options in tries[1:])


def test_a_failure_that_does_not_come_again_is_no_result(sessions: list[Session]) -> None:
    left: list[Answer | Exception] = [RuntimeError("no such module"), Answer("w2", failed="w2: QEMU was killed")]
    cluster = Cluster(lambda name, _: left.pop() if left and name == sessions[0].name else good(name))
    assert run(cluster, sessions)[sessions[0].name] == good(sessions[0].name)


def test_a_session_with_which_workers_die_gets_one_for_itself_and_is_an_error_then(sessions: list[Session]) -> None:
    bad = sessions[2].name
    cluster = Cluster(lambda name, _: KILLED if name == bad else good(name))
    answers = run(cluster, sessions)
    assert answers.pop(bad).failed.startswith("the worker died each time that it ran this session; what is resumed")
    assert all(answer.files for answer in answers.values())
    tries = [options["resources"] for name, options in cluster.submitted if name == bad]
    assert [resources.get("worker-w1") for resources in tries] == [None, 1]


def test_a_session_that_died_with_another_one_ends_well(sessions: list[Session]) -> None:
    cluster = Cluster(lambda name, options: good(name) if "worker-w1" in options["resources"] else KILLED)
    answers = run(cluster, sessions)
    assert set(answers) == {session.name for session in sessions}
    assert all(answer.files for answer in answers.values())


def test_artifacts_that_a_worker_lacks_are_sent_and_cost_no_try(sessions: list[Session]) -> None:
    kernel = Artifact("kernels/1", "d" * 64)
    left = [Answer("w2", lacks=(kernel,))] * 5
    cluster = Cluster(lambda name, _: left.pop() if left else good(name))
    run(cluster, sessions)
    assert cluster.sent == [("tls://two", (kernel,))] * 5


def test_tasks_that_a_new_scheduler_does_not_know_are_handed_out_again(sessions: list[Session]) -> None:
    left = [ConnectionError("lost")] * 3
    cluster = Cluster(lambda name, _: left.pop() if left else good(name))
    run(cluster, sessions)
    assert len(cluster.submitted) == 7


def test_a_worker_that_refuses_ends_the_run(sessions: list[Session]) -> None:
    cluster = Cluster(lambda name, _: Answer("w1", refused="w1 has another QEMU.") if name == sessions[0].name else None)
    with pytest.raises(UsageError, match=r"^w1 has another QEMU\.$"):
        list(Dispatch(cluster, job(), sessions).ends())  # type: ignore[arg-type]
    assert len(cluster.cancelled) == 2


@pytest.mark.parametrize(
    ("up", "members", "said"),
    [
        (False, (), "The scheduler is gone: tls://host:1"),
        (True, (), "There is no worker left: tls://host:1"),
        (True, (W2,), "The worker w1 is not there: tls://host:1"),
    ],
)
def test_a_run_without_hosts_is_given_up(
    sessions: list[Session], monkeypatch: pytest.MonkeyPatch, up: bool, members: tuple[Member, ...], said: str
) -> None:
    monkeypatch.setattr(dispatch, "_TICK", 0.01)
    monkeypatch.setattr(presence, "_ALONE", 0.05)
    cluster = Cluster(lambda name, _: None)
    cluster.up, cluster.members = up, lambda: list(members)  # type: ignore[method-assign]
    with pytest.raises(RigError, match=said):
        list(Dispatch(cluster, job({"x86_64": "w1"}), sessions).ends())  # type: ignore[arg-type]


def test_what_is_timed_has_its_host_for_itself_in_the_order_of_the_plan(sessions: list[Session]) -> None:
    cluster = Cluster(good)
    run(cluster, sessions, {"x86_64": "w2"})
    assert [name for name, _ in cluster.submitted] == [session.name for session in sessions]
    assert all(options["resources"] == {"cores": 2, "memory": sessions[0].size, "worker-w2": 1} for _, options in cluster.submitted)


def test_no_two_sessions_that_are_timed_run_at_once(sessions: list[Session]) -> None:
    cluster = Cluster(lambda name, _: None)
    dispatched = Dispatch(cluster, job({"x86_64": "w2"}), sessions)  # type: ignore[arg-type]
    for _ in range(3):
        dispatched._begin()
    assert [name for name, _ in cluster.submitted] == [sessions[0].name]


def test_sessions_of_a_machine_that_is_timed_are_never_on_two_hosts(base: Base, sessions: list[Session]) -> None:
    others = list(cells.plan(base, matrix.load_machine("aarch64"), boots=4).sessions)
    homes, started = {"x86_64": "w1", "aarch64": "w2"}, list[tuple[str, str]]()
    cluster = Cluster(lambda name, options: None)
    mixed = [session for pair in zip(sessions, others, strict=True) for session in pair]
    dispatched = Dispatch(cluster, job(homes), mixed)  # type: ignore[arg-type]
    while dispatched._waiting or dispatched._running:
        dispatched._begin()
        for name, options in cluster.submitted[len(started) :]:
            started.append((name, next(pin for pin in options["resources"] if pin.startswith("worker-"))))
        running = [session for session, _ in dispatched._running.values()]
        machines = [session.built.cell.machine.name for session in running]
        assert len(machines) == len(set(machines)), "two sessions of a machine run at once"
        key = max(dispatched._running, key=lambda key: dispatched._running[key][0].name)  # the faster host ends first
        dispatched._running[key] = (dispatched._running[key][0], Future(good(key)))
        assert dispatched._end(key)
    assert started[:2] == [(sessions[0].name, "worker-w1"), (others[0].name, "worker-w2")]
    assert sorted(started) == sorted(
        [(session.name, "worker-w1") for session in sessions] + [(session.name, "worker-w2") for session in others]
    )


class Interrupted(Cluster):
    """A connection at which the user interrupts as often as it is told, once three sessions run."""

    def __init__(self, acts: Acts, times: int) -> None:
        super().__init__(acts)
        self._times = times

    def members(self) -> list[Member]:
        if self._times and len(self.submitted) >= 3:
            self._times -= 1
            raise KeyboardInterrupt
        return super().members()


def test_an_interrupt_has_a_soak_end_early_with_what_it_has(sessions: list[Session]) -> None:
    cluster = Interrupted(good, 1)
    dispatched = Dispatch(cluster, job()._replace(early=True), sessions)  # type: ignore[arg-type]
    ends = list(dispatched.ends())
    assert (dispatched.cut_short, set(cluster.cuts)) == (True, {"the-run"})
    assert [end.session.name for end in ends] == [session.name for session in sessions[:3]], "the fourth has not begun"
    assert not cluster.cancelled


class Waits(Future):
    """A task that goes on until it is cut short."""

    def __init__(self) -> None:
        super().__init__(None)
        self._calls: list[Callable[[Any], None]] = []

    def add_done_callback(self, call: Callable[[Any], None]) -> None:
        self._calls.append(call)

    def end(self) -> None:
        self._outcome = Answer("w1")
        for call in self._calls:
            call(self)


class Crowded(Interrupted):
    """A connection whose workers have no memory for the third session before the others have ended."""

    def __init__(self) -> None:
        super().__init__(good, 1)
        self._futures: list[Waits] = []

    def submit(self, *given: Any, **options: Any) -> Future:
        super().submit(*given, **options)
        self._futures.append(Waits())
        return self._futures[-1]

    def cut_short(self, run: str) -> None:
        begun, self._futures = self._futures[:2], self._futures[2:]
        for future in begun:
            future.end()


def test_a_soak_that_begins_after_the_interrupt_is_ended_as_well(sessions: list[Session]) -> None:
    ends = list(Dispatch(Crowded(), job()._replace(early=True), sessions).ends())  # type: ignore[arg-type]
    assert [end.session.name for end in ends] == [session.name for session in sessions[:3]]


def test_what_soaks_record_is_looked_at_while_they_run(sessions: list[Session], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatch, "_TICK", 0.01)

    def looked() -> None:
        looks.append(True)
        if len(looks) == 5:
            raise RigError("There is no room.")

    looks: list[bool] = []
    cluster = Cluster(lambda name, _: None)
    with pytest.raises(RigError, match="no room"):
        list(Dispatch(cluster, job()._replace(early=True, look=looked), sessions).ends())  # type: ignore[arg-type]
    assert len(cluster.cancelled) == 3


def test_a_soak_with_which_workers_die_is_not_said_to_be_resumed(sessions: list[Session]) -> None:
    (ended,) = Dispatch(Cluster(lambda *_: KILLED), job()._replace(early=True), sessions[:1]).ends()  # type: ignore[arg-type]
    assert ended.answer.failed == "the worker died each time that it ran this session"


@pytest.mark.parametrize(("early", "times"), [(False, 1), (True, 2)])
def test_an_interrupt_ends_all_else_and_a_second_one_a_soak_too(sessions: list[Session], early: bool, times: int) -> None:
    cluster = Interrupted(lambda name, _: None, times)
    with pytest.raises(KeyboardInterrupt):
        list(Dispatch(cluster, job()._replace(early=early), sessions).ends())  # type: ignore[arg-type]
    assert len(cluster.cancelled) == 3
    assert len(cluster.cuts) == times - 1
