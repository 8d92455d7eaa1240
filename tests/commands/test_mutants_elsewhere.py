# SPDX-License-Identifier: GPL-2.0-only
"""Mutants that a cluster tests: built here, tested there, and each with its one verdict."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import msgspec
import pytest

from harness.build.kernel_tree import Tree
from harness.commands import mutant_book, mutants
from harness.errors import RigError, VmLost
from harness.host.shell import Line
from harness.model.matrix import Base
from harness.model.mutants import MutationRun
from harness.model.records import Finding
from harness.model.selection import Selection
from harness.suite.plan import Plan
from tests.support import make
from tests.support.mutants import FakeRig

PLACE = "tls://a:1"
Sees = Callable[[str, Plan], Sequence[Finding]]


class Workers:
    """The hosts of a cluster that find what they are told to."""

    def __init__(self, rig: FakeRig, sees: Sees, at_once: int = 2) -> None:
        self.at_once, self._sees = at_once, sees
        self.tested: list[str] = []
        self.ended = threading.Event()
        rig.parts = msgspec.structs.replace(rig.parts, elsewhere=self.connected)

    @contextlib.contextmanager
    def connected(self, place: str, planned: Plan, folder: Path, *, everything: bool) -> Iterator[Workers]:
        assert (place, folder.parent.name, everything) == (PLACE, "mutants", False)
        assert planned.cells[0].cell.variant.name == "mine"
        yield self

    def test(self, name: str, planned: Plan, say: Line, /) -> Sequence[Finding]:
        say("testing on w1")
        assert not planned.base.known_bugs
        self.tested.append(name)
        return self._sees(name, planned)

    def stop(self) -> None:
        self.ended.set()


@pytest.fixture
def rig(base: Base, tree: Tree, tmp_path: Path, results: Path) -> FakeRig:
    assert not results.exists()
    return FakeRig(base, tree, tmp_path)


def go(rig: FakeRig, only: str = "", *, resume: bool = False) -> MutationRun:
    wanted = Selection(jobs=2, variant="mine", profile="perf", cluster=PLACE)
    return mutants.run(wanted, only, "invoke mutants", resume=resume, parts=rig.parts)


def test_what_is_built_here_is_tested_there(rig: FakeRig) -> None:
    workers = Workers(rig, lambda name, _: [make.finding(test="vmap_test")] if name == "b-perf" else [])
    found = go(rig)
    assert {m.name: found.verdict(m) for m in found.mutants} == {"a": "survived", "b": "caught", "c": "survived"}
    assert sorted(workers.tested) == ["a-perf", "b-perf", "c-perf", "control-perf"]
    assert not rig.ran, "no VM is booted here"
    (caught,) = (attempt for attempt in found.attempts if attempt.outcome == "caught")
    assert caught.test == "vmap_test"
    assert caught.log.endswith("/b-perf/x86_64-stock-perf-wall-0.serial.log")
    assert not list(rig.folder.glob("kernel-*")), "a kernel with a bug is kept nowhere"


def test_the_next_one_is_built_while_the_last_one_is_tested(rig: FakeRig) -> None:
    rig.parts = msgspec.structs.replace(rig.parts, workers=lambda *_: 1)
    built = threading.Event()
    kernel = rig.kernel

    def building(*given: object) -> object:
        made = kernel(*given)  # type: ignore[arg-type]
        if len(rig.built) == 2:
            built.set()
        return made

    rig.parts = msgspec.structs.replace(rig.parts, tools=msgspec.structs.replace(rig.parts.tools, build=building))
    in_time: list[bool] = []

    def sees(name: str, _: Plan) -> Sequence[Finding]:
        if name != "control-perf":
            in_time.append(built.wait(20))
        return []

    Workers(rig, sees, 1)
    go(rig, "a,b")
    assert in_time == [True, True]


def test_one_whose_sessions_come_to_no_end_is_an_error_and_stops_no_other(rig: FakeRig) -> None:
    def sees(name: str, _: Plan) -> Sequence[Finding]:
        if name == "a-perf":
            raise VmLost("w1: no room.")
        return []

    workers = Workers(rig, sees)
    found = go(rig, "a,b")
    assert {m.name: found.verdict(m) for m in found.mutants} == {"a": "error", "b": "survived"}
    assert {attempt.mutant: attempt.title for attempt in found.attempts}["a"] == "w1: no room."
    assert not workers.ended.is_set()


def test_without_a_scheduler_it_ends_and_goes_on_later(rig: FakeRig) -> None:
    def sees(name: str, _: Plan) -> Sequence[Finding]:
        if name == "b-perf":
            assert workers.tested.count("a-perf") or not workers.ended.wait(1)
            raise RigError("The scheduler is gone.")
        return []

    workers = Workers(rig, sees)
    with pytest.raises(RigError, match=r"^The scheduler is gone\.$"):
        go(rig)
    assert workers.ended.is_set(), "what runs is ended"
    kept = mutant_book.last("mine")
    assert kept
    assert "b" not in {attempt.mutant for attempt in kept.attempts}, "no mutant is blamed for it"
    again = Workers(rig, lambda *_: [])
    found = go(rig, resume=True)
    assert [found.verdict(m) for m in found.mutants] == ["survived"] * 3
    assert {f"{attempt.mutant}-perf" for attempt in kept.attempts}.isdisjoint(again.tested), "nothing is tested twice"
