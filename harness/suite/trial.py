# SPDX-License-Identifier: GPL-2.0-only
"""One test of the module in one VM: load, watch, unload, and what it all said."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence

from harness import kernlog, ktap
from harness.clock import POLL, Deadline
from harness.errors import VmLost
from harness.kernlog import Trouble
from harness.matrix import STOCK, Base, Cell, KnownBug
from harness.plan import Plan, Session, Step
from harness.records import Finding
from harness.suite import load
from harness.suite.lab import Lab, Station
from harness.suite.reading import Observed, Reading
from harness.vm import GuestDied

_PATIENCE = 60.0
"""seconds of host time, at scale quick, after which a test counts as hung"""
_SETTLE = 5.0
"""seconds that the console may take to show what SSH has shown"""
_TAIL = 40
"""lines of the console that are evidence when the kernel itself reported nothing"""


Judge = Callable[[Observed], None]
"""passes or fails a test by its outcome"""


class _Trial:
    """The names that go on every record of a trial."""

    def __init__(self, session: Session, base: Base, test: str) -> None:
        self.cell: Cell = session.built.cell
        self.session = session
        self.test = test
        self.known = known_bugs(base, test)

    def finding(self, trouble: Trouble, log: str) -> Finding:
        known = (bug for bug in self.known if bug.kind == trouble.kind and re.search(bug.title, trouble.title))
        return Finding(
            machine=self.cell.machine.name,
            variant=self.cell.variant.name,
            profile=self.cell.profile,
            clock=self.session.clock,
            test=self.test,
            boot=self.session.boot,
            kind=trouble.kind,
            title=trouble.title,
            expected=next((bug.reason for bug in known), ""),
            log=log,
            lines=(trouble.first, trouble.last),
            excerpt=trouble.text,
        )

    def died(self, death: GuestDied, log: str) -> Observed:
        return Observed(findings=self.findings(_autopsy(death.log, death.first_line, "died", str(death)), log))

    def findings(self, troubles: Sequence[Trouble], log: str) -> tuple[Finding, ...]:
        found = tuple(self.finding(trouble, log) for trouble in troubles)
        must = self.known if self.cell.variant.name == STOCK else ()
        missing = [bug for bug in must if not any(f.expected == bug.reason for f in found)]
        return found + tuple(
            self.finding(Trouble("not-seen", f"a known bug was not seen: {bug.reason}", 0, 0, ""), log) for bug in missing
        )


def known_bugs(base: Base, test: str) -> tuple[KnownBug, ...]:
    """Return the bugs that `test` has to show in stock, and may show in a series that does not fix them."""
    return tuple(bug for bug in base.known_bugs if bug.test == test)


def boot(lab: Lab, plan: Plan, session: Session) -> Observed:
    """Boot a cell and return what its kernel complained of before the first test."""
    trial = _Trial(session, plan.base, "boot")
    try:
        station = lab.station(session)
    except GuestDied as died:
        return trial.died(died, lab.last_log(session))
    log = station.vm.console.log.read_bytes().decode(errors="replace")
    station.vm.console.read()
    return Observed(findings=trial.findings(kernlog.find(log.partition(load.BEGIN)[0]), station.log_name))


def end(lab: Lab, plan: Plan, session: Session) -> Observed:
    """Return what a cell's kernel complained of after the last test, if its VM was not lost before."""
    trial = _Trial(session, plan.base, "end")
    station = lab.current(session)
    if station is None:
        return Observed(skipped="the VM was lost in an earlier test, which tells why")
    first, alive = station.vm.console.line, station.vm.alive
    log = station.vm.console.read() if alive else station.vm.console.rest()
    troubles = kernlog.find(log, first) if alive else _autopsy(log, first, "died", "the VM ended after the last test")
    return Observed(findings=trial.findings(troubles, station.log_name))


def run(lab: Lab, plan: Plan, session: Session, step: Step) -> Observed:
    """Do `step` in its session's VM.

    A kernel that dies, hangs or complains is a finding, also if it did so since the test before.
    Raises VmLost only when QEMU cannot be started.
    """
    trial = _Trial(session, plan.base, step.name)
    try:
        station = lab.station(session)
    except GuestDied as died:
        return trial.died(died, lab.last_log(session))
    first = station.vm.console.line
    said, log, end = _watch(station, load.command(plan, session, step), _PATIENCE * plan.patience(step))
    reading = Reading(plan, session, step)
    if end:
        lab.lose(session)
        troubles = _autopsy(log, first, *end)
        return Observed(reading.samples(ktap.parse(log)), trial.findings(troubles, station.log_name))
    report = ktap.parse(said)
    troubles = kernlog.find(log, first) + _failures(step, report, said, first, log)
    if troubles:
        station.keep()
    return Observed(
        samples=reading.samples(report),
        points=reading.points(report),
        findings=trial.findings(troubles, station.log_name),
        histograms=reading.histograms(report),
        sections=reading.sections(said),
        memory=reading.memory(report, said),
        skipped=next((o.reason for o in report.outcomes if o.skipped), ""),
    )


def _watch(station: Station, words: tuple[str, ...], seconds: float) -> tuple[str, str, tuple[str, str] | None]:
    """Run a command and follow the console until both have ended.

    Returns what the command printed, what the console said meanwhile, and how it ended if
    not well: kind and title of a finding. The console is followed rather than SSH, because
    traffic to the guest would cost instructions in the middle of a measurement.
    """
    console = station.vm.console
    deadline = Deadline(seconds)
    log = ""
    try:
        command = station.guest.start(*words)
    except VmLost as lost:
        return "", console.rest(), ("died", f"the guest's SSH broke off: {lost}")
    while not command.done:
        log += console.read()
        if not station.vm.alive:
            break
        if deadline.over:
            return "", log + console.rest(), ("hang", f"the test was not over after {seconds:.0f} s")
        time.sleep(POLL)
    code = command.code if command.done and station.vm.alive else -1
    settle = Deadline(_SETTLE)
    while station.vm.alive and not settle.over and (code < 0 or (code == 0 and load.END not in log)):
        log += console.read()
        time.sleep(POLL / 4)
    log += console.read() if station.vm.alive else console.rest()
    if code < 0:
        what = "its SSH broke off" if station.vm.alive else "the VM ended"
        return "", log, ("died", f"{what} in the middle of the test")
    if code > 0:
        return "", log, ("load-failed", command.said().strip() or "the module could not be loaded")
    if load.END not in log:
        return "", log, ("died", f"the console fell silent for {_SETTLE:.0f} s at the end of the test")
    return command.said(), log, None


def _autopsy(log: str, first: int, kind: str, title: str) -> list[Trouble]:
    """Return what the kernel reported before it ended, or how it ended if it reported nothing."""
    found = kernlog.find(log, first)
    if found:
        return found
    lines = log.splitlines()
    tail = lines[-_TAIL:]
    last = first + max(len(lines) - 1, 0)
    return [Trouble(kind, title, last - max(len(tail) - 1, 0), last, "\n".join(tail))]


def _failures(step: Step, report: ktap.Report, said: str, first: int, log: str) -> list[Trouble]:
    failed = [o.reason or "the test failed" for o in report.outcomes if not o.ok]
    if not report.complete:
        failed.append("the module did not report a result for every test")
    elif not any(o.skipped for o in report.outcomes) and not report.timings:
        failed.append(f"{step.test.name} reported no sample")
    last = first + max(len(log.splitlines()) - 1, 0)
    return [Trouble("test-failed", reason, first, last, said) for reason in failed]
