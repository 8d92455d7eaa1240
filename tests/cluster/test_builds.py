# SPDX-License-Identifier: GPL-2.0-only
"""Every build ends just once, on one worker at a time: with a scheduler that is played here."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

pytest.importorskip("distributed", reason="NOT TESTED: distributed is not installed; ./bootstrap installs it")

from distributed import KilledWorker

from harness.cluster import build_task, builds, presence, waiting
from harness.cluster.address import Address
from harness.cluster.artifacts import Artifact
from harness.cluster.build_task import BuildAnswer, BuildTask, Said
from harness.cluster.builds import Builds, Heard
from harness.cluster.connection import Member
from harness.errors import RigError, UsageError
from harness.model.matrix import Base
from tests.support import built_there

W1, W2 = Member("w1", "tls://one", 1, 4000, 0), Member("w2", "tls://two", 4, 4000, 0)
AGAIN = Member("w1", "tls://one-again", 1, 4000, 0)
SOURCE = Artifact("packs/1", "d" * 64)
Acts = Callable[[BuildTask, str], BuildAnswer | Exception | None]
"""what becomes of a build on the worker at an address; None for one that never ends"""


class Future:
    """A task that has ended before anybody asks."""

    def __init__(self, outcome: BuildAnswer | Exception | None) -> None:
        self._outcome = outcome
        self.status = "cancelled" if isinstance(outcome, ConnectionError) else "finished"

    def add_done_callback(self, call: Callable[[Any], None]) -> None:
        if self._outcome is not None:
            call(self)

    def result(self) -> bytes:
        if isinstance(self._outcome, Exception):
            raise self._outcome
        assert self._outcome
        return build_task.packed(self._outcome)

    def release(self) -> None:
        pass


class Cluster:
    """A connection whose workers do as `acts` says."""

    def __init__(self, acts: Acts, *members: Member) -> None:
        self._acts, self.there = acts, list(members or (W1, W2))
        self.address, self.client, self.up, self.status = Address("tls", "host", 1), self, True, "running"
        self.submitted: list[tuple[str, str]] = []
        self.options: list[dict[str, Any]] = []
        self.jobs: list[int] = []
        self.cancelled: list[Any] = []
        self.sent: list[tuple[str, list[Artifact]]] = []

    def members(self) -> list[Member]:
        return self.there

    def submit(self, _: object, asked: bytes, **options: Any) -> Future:
        build, (address,) = build_task.task(asked), options["workers"]
        self.submitted.append((build.cell.variant.name, address))
        self.options.append(options)
        self.jobs.append(build.jobs)
        return Future(self._acts(build, address))

    def cancel(self, futures: list[Any], *, force: bool) -> None:
        self.cancelled += futures

    def send(self, address: str, wanted: list[Artifact], _: object) -> None:
        self.sent.append((address, wanted))

    def subscribe_topic(self, name: str, handler: Callable[[Any], None]) -> None:
        assert name == "rig-the-run"
        self.heard = handler

    def unsubscribe_topic(self, name: str) -> None:
        assert name == "rig-the-run"


@pytest.fixture
def wanted(base: Base) -> list[BuildTask]:
    return [built_there.task(base, name) for name in ("stock", "a", "b")]


@pytest.fixture
def good(tmp_path: Path) -> BuildAnswer:
    return built_there.answer(tmp_path)


def handed(cluster: Cluster, wanted: list[BuildTask], said: list[str] | None = None) -> Builds:
    say = [].append if said is None else said.append
    return Builds(cluster, Heard(lambda _: None, say, lambda: SOURCE), wanted)  # type: ignore[arg-type]


def run(cluster: Cluster, wanted: list[BuildTask], said: list[str] | None = None) -> dict[str, BuildAnswer]:
    """Return the answers by variant, each of which ended once."""
    ends = list(handed(cluster, wanted, said).ends())
    assert sorted(end.build.cell.name for end in ends) == sorted(build.cell.name for build in wanted)
    return {end.build.cell.variant.name: end.answer for end in ends}


def test_all_builds_end_well_each_with_all_cores_of_its_worker(wanted: list[BuildTask], good: BuildAnswer) -> None:
    cluster = Cluster(lambda build, at: good)
    assert run(cluster, wanted) == {"stock": good, "a": good, "b": good}
    assert cluster.submitted[:2] == [("stock", W2.address), ("a", W1.address)], "the larger one first"
    assert [options["resources"] for options in cluster.options[:2]] == [{"cores": 4}, {"cores": 1}]
    assert cluster.jobs[:2] == [4, 1]
    assert len({options["key"] for options in cluster.options}) == 3
    assert not cluster.cancelled


def test_a_worker_has_one_build_at_a_time_and_what_runs_is_ended_with_the_client(wanted: list[BuildTask]) -> None:
    cluster = Cluster(lambda build, at: None)
    under_way = handed(cluster, wanted)
    ends, members = under_way.ends(), cluster.members

    def stop() -> list[Member]:
        if cluster.submitted:
            raise KeyboardInterrupt
        return members()

    cluster.members = stop  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        next(ends)
    assert len(cluster.submitted) == len(cluster.cancelled) == 2


def test_builds_that_are_left_alone_are_ended(wanted: list[BuildTask], good: BuildAnswer) -> None:
    cluster = Cluster(lambda build, at: good if at == W1.address else None)
    ends = handed(cluster, wanted).ends()
    next(ends)
    ends.close()
    assert len(cluster.cancelled) == 1


def test_an_idle_worker_goes_before_one_that_runs_sessions(wanted: list[BuildTask], good: BuildAnswer) -> None:
    cluster = Cluster(lambda build, at: good, W1, Member("w2", "tls://two", 4, 4000, 3))
    run(cluster, wanted[:1])
    assert cluster.submitted == [("stock", W1.address)]


def test_a_build_of_a_worker_that_died_begins_elsewhere(wanted: list[BuildTask], good: BuildAnswer, said: list[str]) -> None:
    def acts(build: BuildTask, at: str) -> BuildAnswer | None:
        if at == W1.address:
            cluster.there[0] = AGAIN
            return None
        return good

    cluster = Cluster(acts)
    run(cluster, wanted[:2], said)
    assert cluster.submitted == [("stock", W2.address), ("a", W1.address), ("a", W2.address)]
    assert len(cluster.cancelled) == 1
    assert said == ["x86_64/a/perf is built again: w1: the worker died"]


@pytest.mark.parametrize(
    "end", [BuildAnswer("w2", failed="w2: no space left"), RuntimeError("no such module"), KilledWorker("a task", None, 1)]
)
def test_a_failure_is_tried_again(wanted: list[BuildTask], good: BuildAnswer, end: BuildAnswer | Exception) -> None:
    left = [end]
    cluster = Cluster(lambda build, at: left.pop() if left else good)
    assert run(cluster, wanted[:1]) == {"stock": good}
    again = W2 if isinstance(end, KilledWorker) else W1
    assert cluster.submitted == [("stock", W2.address), ("stock", again.address)]


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was not begun at once counts as waiting."""
    monkeypatch.setattr(builds, "_TICK", 0.01)
    monkeypatch.setattr(waiting, "_PATIENCE", 0.05)


@pytest.mark.parametrize(
    ("busy", "more"), [(0, ""), (1, ", which is at 1 other build or session"), (3, ", which is at 3 other builds or sessions")]
)
def test_a_build_that_waits_for_cores_says_so_once(wanted: list[BuildTask], impatient: None, busy: int, more: str) -> None:
    cluster = Cluster(lambda build, at: None, Member("w2", "tls://two", 4, 4000, busy))
    heard: list[Said] = []
    ends = Builds(cluster, Heard(heard.append, print, lambda: SOURCE), wanted[:1]).ends()  # type: ignore[arg-type]
    looks, members = iter(range(20)), cluster.members

    def look() -> list[Member]:
        if next(looks, None) is None:
            raise KeyboardInterrupt
        return members()

    cluster.members = look  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        next(ends)
    assert heard == [Said("x86_64/stock/perf", f"waits for 4 cores of w2{more}")]


def test_a_build_that_has_begun_does_not_say_that_it_waits(wanted: list[BuildTask], impatient: None) -> None:
    cluster = Cluster(lambda build, at: None, W2)
    heard: list[Said] = []
    ends = Builds(cluster, Heard(heard.append, print, lambda: SOURCE), wanted[:1]).ends()  # type: ignore[arg-type]
    begun, looks, members = Said("x86_64/stock/perf", "begun on w2"), iter(range(20)), cluster.members

    def look() -> list[Member]:
        if (number := next(looks, None)) is None:
            raise KeyboardInterrupt
        if number == 1:
            cluster.heard((0.0, msgspec.to_builtins(begun)))
        return members()

    cluster.members = look  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        next(ends)
    assert heard == [begun]


def test_a_failure_waits_for_another_worker_and_others_go_ahead(wanted: list[BuildTask], good: BuildAnswer) -> None:
    def acts(build: BuildTask, at: str) -> BuildAnswer | None:
        if build.cell.variant.name == "stock" and at == W2.address:
            return BuildAnswer("w2", failed="w2: no space left")
        return None if build.cell.variant.name == "a" else good

    cluster = Cluster(acts)
    ends = handed(cluster, wanted).ends()
    assert next(ends).build.cell.variant.name == "b", "on the worker on which stock failed"
    ends.close()
    assert cluster.submitted == [("stock", W2.address), ("a", W1.address), ("b", W2.address)]


def test_what_fails_each_time_is_an_error(wanted: list[BuildTask]) -> None:
    cluster = Cluster(lambda build, at: BuildAnswer("w2", failed="w2: no space left."))
    with pytest.raises(RigError, match=r"^x86_64/stock/perf was not built in 3 tries; the last one ended so: w2: no space left\.$"):
        run(cluster, wanted[:1])
    assert len(cluster.submitted) == 3


def test_what_does_not_compile_is_not_tried_again(wanted: list[BuildTask]) -> None:
    broken = BuildAnswer("w1", broken="mm/vmalloc.c:1:1: error")
    cluster = Cluster(lambda build, at: broken)
    assert run(cluster, wanted[:1]) == {"stock": broken}
    assert len(cluster.submitted) == 1


def test_a_source_that_a_worker_lacks_is_sent_and_costs_no_try(wanted: list[BuildTask], good: BuildAnswer) -> None:
    left = [BuildAnswer("w2", lacks=True)] * 5
    cluster = Cluster(lambda build, at: left.pop() if left else good, W2)
    run(cluster, wanted[:1])
    assert cluster.sent == [(W2.address, [SOURCE])] * 5


def test_a_worker_that_would_build_another_kernel_ends_all(wanted: list[BuildTask]) -> None:
    cluster = Cluster(lambda build, at: BuildAnswer("w2", refused="w2 has another gcc.") if at == W2.address else None)
    with pytest.raises(UsageError, match=r"^w2 has another gcc\.$"):
        run(cluster, wanted)
    assert len(cluster.cancelled) == 1


@pytest.mark.parametrize(
    ("places", "said"),
    [
        ((built_there.MODULE,), "without its kernel"),
        ((built_there.KERNEL, "../../x"), "with a folder that no build makes: '../../x'"),
    ],
)
def test_an_answer_without_the_kernel_or_with_more_is_a_failure(
    wanted: list[BuildTask], tmp_path: Path, places: tuple[str, ...], said: str
) -> None:
    answer = BuildAnswer("w1", made=tuple(build_task.Made(Artifact(place, "d")) for place in places))
    cluster = Cluster(lambda build, at: answer)
    with pytest.raises(RigError, match=f"not built in 3 tries; .*x86_64/stock/perf came back {said}"):
        run(cluster, wanted[:1])


def test_builds_that_a_new_scheduler_does_not_know_are_handed_out_again(wanted: list[BuildTask], good: BuildAnswer) -> None:
    left = [ConnectionError("lost")] * 2
    cluster = Cluster(lambda build, at: left.pop() if left else good)
    run(cluster, wanted)
    assert len(cluster.submitted) == 5


@pytest.mark.parametrize(
    ("up", "said"), [(False, "The scheduler is gone: tls://host:1"), (True, "There is no worker left: tls://")]
)
def test_builds_without_hosts_are_given_up(wanted: list[BuildTask], monkeypatch: pytest.MonkeyPatch, up: bool, said: str) -> None:
    monkeypatch.setattr(builds, "_TICK", 0.01)
    monkeypatch.setattr(presence, "_ALONE", 0.05)
    cluster = Cluster(lambda build, at: None)
    cluster.up, cluster.there = up, []
    with pytest.raises(RigError, match=said):
        run(cluster, wanted)
