# SPDX-License-Identifier: GPL-2.0-only
"""The soak of one cell: what ends a VM, what is recorded, and when it is over."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from harness.errors import Mismatch, RigError, VmLost
from harness.host import deadline
from harness.model import catalog
from harness.model.catalog import SuiteTest
from harness.model.known_bugs import KnownBug
from harness.model.matrix import Base
from harness.model.records import Booted, Finding, Look, Result
from harness.stats import leaks
from harness.suite import guest_script, soak_cell, soak_rounds
from harness.suite.execute import Steps
from harness.suite.extract import Observed
from harness.suite.plan import Plan, Session, Step
from harness.suite.soak_cell import CellSoak, Soak
from tests.support import make
from tests.support.looks import look
from tests.support.times import FakeTime

TESTS = soak_rounds.fit([test for test in catalog.suite().tests if test.name in ("pcpu_alloc_test", "align_shift_alloc_test")])
KNOWN = KnownBug("align_shift_alloc_test", "bug", "^kernel BUG", "an overflow")


class Bench:
    """Stands for the VMs of a cell, and remembers what was done; a test says what becomes of a step."""

    def __init__(self, base: Base, tests: tuple[SuiteTest, ...] = TESTS) -> None:
        self.up: Session | None = None
        self.done: list[tuple[int, Step]] = []
        self.recorded: list[tuple[Observed, Result]] = []
        self.turned = 0
        self.last = 3
        """round in which the soak comes to its end"""
        self.outcome: Callable[[Step], Observed] = lambda _: Observed()
        self.boots: Callable[[], Observed] = Observed
        self.plan: Plan = make.plan(msgspec.structs.replace(base, known_bugs=(KNOWN,)), hours=1.0, seed=5)
        self.turning: Callable[[], None] = lambda: None
        steps = Steps(self._boot, self._run, lambda *_: Observed())
        record = self.recorded.append
        self.soak = Soak(self.plan, tests, 1, lambda *told: record(told), lambda *_: None, steps, self._seconds)

    @property
    def rounds(self) -> int:
        return max((step.round for _, step in self.done), default=0)

    def _seconds(self) -> float:
        return self.plan.hours * 3600 if self.rounds > self.last else 0.0

    def go(self) -> None:
        CellSoak(self.soak, self.plan.cells[0], self).run()  # type: ignore[arg-type]

    def current(self, session: Session) -> Bench | None:
        return self if self.up == session else None

    def lose(self, _: Session) -> None:
        self.up = None

    def turn(self, _: Session, most: int) -> None:
        self.turned += most == soak_cell.LONGEST_PART
        self.turning()

    def keep(self) -> None:
        pass

    def booted(self) -> tuple[Booted, ...]:
        return (make.booted(),) if not self.recorded else ()

    def results(self, *names: str) -> list[Any]:
        return [tuple(getattr(result, name) for name in names) for _, result in self.recorded]

    def _boot(self, _: object, __: Plan, session: Session) -> Observed:
        seen = self.boots()
        self.up = None if seen.findings else session
        return seen

    def _run(self, _: object, __: Plan, session: Session, step: Step) -> Observed:
        assert self.up == session
        self.done.append((session.boot, step))
        seen = self.outcome(step)
        if any(f.trouble.severity == "fatal" for f in seen.findings):
            self.up = None
        return seen


@pytest.fixture
def bench(base: Base, monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(base)


def found(**other: Any) -> Callable[[Step], Observed]:
    """Return what has align_shift_alloc_test end its VM."""

    def outcome(step: Step) -> Observed:
        return Observed(findings=(make.finding(**other),) if step.name == "align_shift_alloc_test" else ())

    return outcome


def test_what_an_earlier_test_is_known_to_leave_is_known(bench: Bench) -> None:
    bug = KnownBug("pcpu_alloc_test", "memory-leak", "from pcpu_create_chunk$", "md_blocks")
    base = msgspec.structs.replace(bench.plan.base, known_bugs=(bug,))
    bench.soak.plan = bench.plan = msgspec.structs.replace(bench.plan, base=base)
    titles = {"pcpu_create_chunk": "md_blocks", "alloc_vmap_area": ""}
    troubles = [{"kind": "memory-leak", "severity": "error", "title": f"9 leaked objects from {name}"} for name in titles]
    bench.outcome = lambda _: Observed(findings=tuple(make.finding(**told) for told in troubles))
    bench.go()
    told = {f.trouble.title.rpartition(" ")[2]: f.expected for seen, _ in bench.recorded for f in seen.findings}
    assert told == titles


def test_a_step_gives_the_module_its_seed_and_its_share(base: Base) -> None:
    (test, *_) = TESTS
    plan = make.plan(base)
    whole = guest_script.parameters(plan, Step(test), traced=False, looks=False)
    part = guest_script.parameters(plan, Step(test, seed=99, share=0.25), traced=False, looks=False)
    assert "seed" not in whole
    assert part["seed"] == 99
    assert part["loops"] == round(int(str(whole["loops"])) / 4)
    tiny = guest_script.parameters(plan, Step(test, share=0.0001), traced=False, looks=False)
    assert tiny["loops"] == 1


def test_one_vm_lives_through_all_rounds(bench: Bench) -> None:
    bench.go()
    assert {boot for boot, _ in bench.done} == {0}
    assert Counter(step.name for _, step in bench.done)["pcpu_alloc_test"] >= bench.last
    assert bench.results("test", "outcome")[0] == ("boot", "passed")
    assert bench.results("test")[-1] == ("end",)
    assert bench.turned == len(bench.done), "after every test its console's log may be cut"


def test_a_test_that_is_known_to_end_its_vm_is_left_out_afterwards(bench: Bench) -> None:
    bench.outcome = found(expected="an overflow")
    bench.go()
    assert [boot for boot, step in bench.done if step.name == "align_shift_alloc_test"] == [0]
    assert {boot for boot, step in bench.done if step.name == "pcpu_alloc_test"} == {1}
    told = [row for row in bench.results("test", "outcome", "reason") if row[0] == "align_shift_alloc_test"]
    assert told == [
        ("align_shift_alloc_test", "xfailed", "an overflow"),
        ("align_shift_alloc_test", "skipped", "left out from here on: it is known to end the VM"),
    ]


def test_a_test_that_ends_its_vm_again_and_again_is_left_out_and_every_time_a_finding(bench: Bench) -> None:
    bench.outcome, bench.last = found(), 6
    bench.go()
    deaths = [boot for boot, step in bench.done if step.name == "align_shift_alloc_test"]
    assert deaths == [0, 1, 2]
    assert bench.results("outcome").count(("failed",)) == 3
    assert bench.rounds == 7, "the soak goes on without it"


def test_a_complaint_is_a_finding_and_the_vm_lives_on(bench: Bench) -> None:
    bench.outcome = found(kind="warning", severity="warning")
    bench.go()
    assert {boot for boot, _ in bench.done} == {0}
    assert bench.results("outcome").count(("failed",)) >= bench.last


def test_a_known_bug_has_to_show_in_the_whole_test_only(bench: Bench) -> None:
    bench.outcome = found(kind="not-seen", severity="error")
    bench.go()
    missed = [(result.round, f.trouble.kind) for seen, result in bench.recorded for f in seen.findings]
    assert missed == [(0, "not-seen")]


def test_kernels_that_do_not_come_up_are_given_up(bench: Bench) -> None:
    bench.boots = lambda: Observed(findings=(make.finding(test="boot"),))
    bench.go()
    assert bench.results("test", "outcome", "boot") == [("boot", "failed", number) for number in range(3)]


def test_boots_that_proved_what_they_run_are_recorded(bench: Bench) -> None:
    bench.go()
    assert [boot for seen, _ in bench.recorded for boot in seen.boots] == [make.booted()]


@pytest.mark.parametrize("error", [VmLost, Mismatch])
def test_a_rig_that_gets_no_right_vm_says_so_and_gives_up(bench: Bench, error: type[RigError]) -> None:
    def lost() -> Observed:
        raise error("QEMU did not start, or runs something else")

    bench.boots = lost
    bench.go()
    assert bench.results("outcome", "reason") == [("error", "QEMU did not start, or runs something else")] * 3


def test_a_vm_that_runs_something_else_in_the_middle_of_a_soak_is_the_rigs_failure(bench: Bench) -> None:
    def outcome(_: Step) -> Observed:
        raise Mismatch("another kernel")

    bench.outcome = outcome
    bench.go()
    assert ("error", "another kernel") in bench.results("outcome", "reason")
    assert not [result for _, result in bench.recorded if result.outcome == "passed" and result.test != "boot"]


def test_a_vm_whose_qemu_stops_answering_is_booted_afresh_and_the_soak_goes_on(bench: Bench) -> None:
    def turning() -> None:
        if bench.turned == 3:
            raise VmLost("nobody answers")

    bench.turning = turning
    bench.go()
    assert [row for row in bench.results("outcome", "reason") if row[0] == "error"] == [("error", "nobody answers")]
    assert [boot for boot, _ in bench.done] == [0] * 3 + [1] * (len(bench.done) - 3)
    assert bench.rounds > bench.last


def test_kmemleak_forgets_what_a_boot_in_the_middle_of_a_round_left(base: Base, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(base, soak_rounds.fit(catalog.suite().tests))
    died: list[Step] = []

    def outcome(step: Step) -> Observed:
        if step.round == 1 and not step.clears and not died:
            died.append(step)
            return Observed(findings=(make.finding(test=step.name),))
        return Observed()

    bench.outcome = outcome
    bench.go()
    (second,) = {boot for boot, _ in bench.done} - {0}
    first, *others = [step for boot, step in bench.done if boot == second and step.round == 1]
    assert first.clears
    assert not any(step.clears for step in others)


def test_nothing_is_recorded_of_what_was_cut_short(bench: Bench) -> None:
    def cut(step: Step) -> Observed:
        if step.round == 1:
            bench.soak.cut_short.set()
            return Observed(findings=(make.finding(kind="died"),))
        return Observed()

    bench.outcome = cut
    bench.go()
    assert {result.outcome for _, result in bench.recorded} == {"passed"}
    assert len([step for _, step in bench.done if step.round == 1]) == 1, "no test begins afterwards"
    assert ("end",) not in bench.results("test")


def test_looks_are_kept_with_the_time_and_the_caches_that_matter(bench: Bench) -> None:
    def seen(step: Step) -> Observed:
        caches = {f"cache{number}": 1000 - number for number in range(50)}
        if step.round:
            caches["cache49"] += 400
        return Observed(looks=(look(step.round, 1e6, caches=caches, hours=0.0),), samples=(make.sample(),))

    bench.outcome = seen
    bench.go()
    looks: list[Look] = [look for seen, _ in bench.recorded for look in seen.looks]
    assert all(look.hours >= 0 for look in looks)
    assert len(looks[-1].caches) <= 16
    assert {"cache0", "cache49"} <= looks[-1].caches.keys(), "the largest, and the one that grew"
    assert not any(seen.samples for seen, _ in bench.recorded), "a soak compares no times"


def test_findings_that_repeat_are_told_once(bench: Bench) -> None:
    same: list[Finding] = [make.finding(fingerprint="x", title=f"WARNING number {n}") for n in range(5)]
    other = make.finding(fingerprint="y")
    (first, second) = leaks.distinct([*same, other])
    assert first.trouble.title == "WARNING number 0 (5 times)"
    assert second == other


def test_results_are_told_once_with_their_number(bench: Bench) -> None:
    told = leaks.condensed([make.result(round=n) for n in range(9)] + [make.result("failed", reason="bug: x")])
    assert [(r.outcome, r.reason, r.seconds) for r in told] == [("passed", "9 times", 9 * 1.25), ("failed", "bug: x", 1.25)]


def test_the_hours_of_a_soak_are_those_in_which_it_could_run(base: Base, monkeypatch: pytest.MonkeyPatch) -> None:
    ran = FakeTime()
    monkeypatch.setattr(deadline, "own_time", lambda: ran)
    soak = Soak(make.plan(base, hours=1.0), TESTS, 1, lambda *_: None, lambda *_: None)
    ran.lost = 7200.0
    assert not soak.over
    ran.ran = 3600.0
    assert soak.over
