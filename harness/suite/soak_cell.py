# SPDX-License-Identifier: GPL-2.0-only
"""The soak of one cell: round after round in one VM, which is booted afresh only when it was lost."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Mapping

import msgspec

from harness.build.built import BuiltCell
from harness.errors import Mismatch, VmLost
from harness.host import deadline
from harness.model.catalog import SuiteTest
from harness.model.clock import Clock
from harness.model.known_bugs import explanation
from harness.model.records import Finding, Look, Result
from harness.suite import soak_rounds
from harness.suite.execute import STEPS, Steps
from harness.suite.extract import Observed
from harness.suite.plan import Plan, Session, Step
from harness.suite.vm_pool import Lab

LONGEST_PART = 1 << 20
"""bytes of a console's log after which the next part of it begins"""
_CACHES = 8
"""slab caches that are recorded: so many of the largest, and so many of those that grew most"""
_KMEMLEAK = "memory-leak"
"""kind of the findings of kmemleak"""
_DEATHS = 3
"""VMs that a test may end unexpectedly before it is left out, and boots that may fail one after the other"""


Record = Callable[[Observed, Result], None]
"""keeps the records of a step; may be called from any thread"""


def _ran() -> float:
    """Return the seconds in which this process could run: a soak is not over because its host was suspended."""
    return deadline.own_time().ran


class Soak:
    """The state that the cells of a soak share."""

    def __init__(
        self,
        plan: Plan,
        tests: tuple[SuiteTest, ...],
        slots: int,
        record: Record,
        say: Callable[[str, str], None],
        steps: Steps = STEPS,
        now: Callable[[], float] = _ran,
    ) -> None:
        """Begin the soak of `plan` `now`, in seconds, with `slots` tests under way at a time; `say` shows where a cell is."""
        self.plan = plan
        self.tests = tests
        self.record = record
        self.say = say
        self.slots = threading.Semaphore(slots)
        self.cut_short = threading.Event()
        """set when the tests under way are to be abandoned"""
        self.steps = steps
        self._now = now
        self._began = now()

    @property
    def hours(self) -> float:
        """Hours since it began."""
        return (self._now() - self._began) / 3600

    @property
    def over(self) -> bool:
        """True if no further test is to begin."""
        return self.cut_short.is_set() or self.hours >= self.plan.hours


def session(built: BuiltCell) -> Session:
    """Return the session of a cell's soak, whose steps follow from the seed."""
    return Session(built, Clock.WALL, 0, ())


class CellSoak:
    """One cell's rounds."""

    def __init__(self, soak: Soak, built: BuiltCell, lab: Lab) -> None:
        """Soak `built` in VMs of `lab`, which is this cell's alone."""
        self._soak = soak
        self._lab = lab
        self._session = session(built)
        self._left_out: set[str] = set()
        self._deaths: Counter[str] = Counter()
        self._failed_boots = 0
        self._first: Mapping[str, int] = {}
        """bytes of each slab cache at the first look at this VM"""
        self._fresh = True
        """True if no test was done in this VM yet"""

    def run(self) -> None:
        """Do rounds until the soak is over, or no VM comes up any more."""
        cell = self._session.built.cell
        known = {bug.test for bug in self._soak.plan.base.bugs(cell.machine.name, cell.profile)}
        number = 0
        while not self._soak.over and self._failed_boots < _DEATHS:
            tests = [test for test in self._soak.tests if test.name not in self._left_out]
            if not tests:
                break
            for step in soak_rounds.steps(self._soak.plan.seed, cell.name, number, tests, known):
                if self._soak.over or not self._up():
                    break
                self._step(step)
            self._keep_log()
            number += 1
        if self._lab.current(self._session) and not self._soak.cut_short.is_set():
            self._record(
                Step(self._soak.tests[0], number), "end", self._soak.steps.end(self._lab, self._soak.plan, self._session), 0.0
            )

    def _up(self) -> bool:
        """Have a VM up; return whether there is one."""
        if self._lab.current(self._session):
            return True
        began = _ran()
        self._soak.say(self._session.built.cell.name, "booting")
        step = Step(self._soak.tests[0])
        try:
            seen = self._soak.steps.boot(self._lab, self._soak.plan, self._session)
        except (VmLost, Mismatch) as lost:
            self._lost(step, "boot", lost)
            return False
        self._record(step, "boot", seen, _ran() - began)
        if self._lab.current(self._session):
            self._failed_boots = 0
            return True
        self._next_boot()
        return False

    def _step(self, step: Step) -> None:
        cell = self._session.built.cell
        # In a VM that was booted in the middle of a round, kmemleak has not been told yet to look only when asked, and
        # to forget what the boot left behind.
        step = msgspec.structs.replace(step, clears=step.clears or self._fresh)
        left = max(0.0, self._soak.plan.hours - self._soak.hours)
        with self._soak.slots:
            if self._soak.over:
                return
            self._soak.say(cell.name, f"round {step.round + 1}: {step.name}, {left:.2f} h left")
            began, self._fresh = _ran(), False
            try:
                seen = self._soak.steps.run(self._lab, self._soak.plan, self._session, step)
            except (VmLost, Mismatch) as lost:
                self._lost(step, step.name, lost)
                return
        # A known bug has to show only in a whole test from the usual seed.
        if step.share != 1 or step.seed:
            seen = msgspec.structs.replace(seen, findings=tuple(f for f in seen.findings if f.trouble.kind != "not-seen"))
        findings, looks = tuple(map(self._attributed, seen.findings)), tuple(map(self._kept, seen.looks))
        seen = msgspec.structs.replace(seen, samples=(), memory=(), findings=findings, looks=looks)
        self._record(step, step.name, seen, _ran() - began)
        if not self._lab.current(self._session):
            self._died(step, seen)
            return
        try:
            self._lab.turn(self._session, LONGEST_PART)
        except VmLost as lost:
            self._lost(step, step.name, lost)

    def _died(self, step: Step, seen: Observed) -> None:
        """Go on with a fresh VM, without a test that is known to end it, or has done so too often."""
        self._deaths[step.name] += 1
        expected = bool(seen.findings) and all(finding.expected for finding in seen.findings)
        if expected or self._deaths[step.name] == _DEATHS:
            self._left_out.add(step.name)
            why = "it is known to end the VM" if expected else f"it ended {_DEATHS} VMs"
            self._result(step, step.name, "skipped", 0.0, f"left out from here on: {why}")
        self._next_boot(failed=False)

    def _next_boot(self, *, failed: bool = True) -> None:
        self._failed_boots += failed
        self._first, self._fresh = {}, True
        self._session = msgspec.structs.replace(self._session, boot=self._session.boot + 1)

    def _lost(self, step: Step, test: str, lost: VmLost | Mismatch) -> None:
        if not self._soak.cut_short.is_set():
            self._result(step, test, "error", 0.0, str(lost))
        self._lab.lose(self._session)
        self._next_boot()

    def _kept(self, look: Look) -> Look:
        """Return a look with the time, and with the largest and most grown slab caches only."""
        self._first = self._first or look.caches
        largest = sorted(look.caches, key=lambda name: -look.caches[name])[:_CACHES]
        grown = sorted(look.caches, key=lambda name: self._first.get(name, 0) - look.caches[name])[:_CACHES]
        caches = {name: look.caches[name] for name in (*largest, *grown)}
        return msgspec.structs.replace(look, caches=caches, hours=round(self._soak.hours, 5))

    def _attributed(self, finding: Finding) -> Finding:
        """Return a leak that kmemleak found as known, if a test of this cell is known to leave it; it may be one from earlier."""
        cell, base = self._session.built.cell, self._soak.plan.base
        if finding.expected or finding.trouble.kind != _KMEMLEAK:
            return finding
        bugs = base.bugs(cell.machine.name, cell.profile)
        return msgspec.structs.replace(finding, expected=explanation(bugs, _KMEMLEAK, finding.trouble.title))

    def _keep_log(self) -> None:
        if station := self._lab.current(self._session):
            station.keep()

    def _record(self, step: Step, test: str, seen: Observed, seconds: float) -> None:
        self._result(step, test, seen.outcome, seconds, seen.reason, seen)

    def _result(self, step: Step, test: str, outcome: str, seconds: float, reason: str, seen: Observed | None = None) -> None:
        if self._soak.cut_short.is_set():
            return  # its VM was ended in the middle of it, which is no finding
        cell, boot = self._session.built.cell, self._session.boot
        result = Result(
            cell.machine.name,
            cell.variant.name,
            cell.profile,
            Clock.WALL,
            test,
            boot,
            step.round,
            outcome,
            round(seconds, 3),
            reason,
        )
        self._soak.record(msgspec.structs.replace(seen or Observed(), boots=self._lab.booted()), result)
