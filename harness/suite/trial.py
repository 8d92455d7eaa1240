# SPDX-License-Identifier: GPL-2.0-only
"""One test of the module in one VM: load, watch, unload, and what it all said."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence

import msgspec

from harness import clock as clocks
from harness import kernlog, ktap
from harness.clock import POLL, Deadline
from harness.errors import VmLost
from harness.kernlog import Trouble
from harness.matrix import Base, Cell, Clock, KnownBug
from harness.plan import BuiltCell, Plan, SuiteTest, suite
from harness.records import Finding, Sample
from harness.suite.lab import Lab, Station
from harness.vm import GuestDied

_SCRIPT = """\
dmesg -c > /dev/null
echo "kernel-patch-rig: begin $1" > /dev/kmsg
shift
insmod "$@" || exit 1
rmmod vmalloc_test || exit 1
dmesg
echo "kernel-patch-rig: end" > /dev/kmsg
"""
_END = "kernel-patch-rig: end"
_SETTLE = 5.0
"""seconds that the console may take to show what SSH has shown"""
_TAIL = 40
"""lines of the console that are evidence when the kernel itself reported nothing"""


class Outcome(msgspec.Struct, frozen=True):
    """What a trial brought to light."""

    samples: tuple[Sample, ...] = ()
    findings: tuple[Finding, ...] = ()
    skipped: str = ""
    boot_seconds: float = 0.0


class _Trial:
    """The names that go on every record of a trial."""

    def __init__(self, built: BuiltCell, base: Base, test: str) -> None:
        self.cell: Cell = built.cell
        self.test = test
        self.known = known_bugs(base, built.cell, test)

    def finding(self, trouble: Trouble, log: str) -> Finding:
        return Finding(
            machine=self.cell.machine.name,
            variant=self.cell.variant.name,
            profile=self.cell.profile,
            test=self.test,
            kind=trouble.kind,
            title=trouble.title,
            expected=next(
                (bug.reason for bug in self.known if bug.kind == trouble.kind and re.search(bug.title, trouble.title)), ""
            ),
            log=log,
            lines=(trouble.first, trouble.last),
            excerpt=trouble.text,
        )

    def findings(self, troubles: Sequence[Trouble], log: str) -> tuple[Finding, ...]:
        found = tuple(self.finding(trouble, log) for trouble in troubles)
        missing = [bug for bug in self.known if not any(f.expected == bug.reason for f in found)]
        return found + tuple(
            self.finding(Trouble("not-seen", f"a known bug was not seen: {bug.reason}", 0, 0, ""), log) for bug in missing
        )


def known_bugs(base: Base, cell: Cell, test: str) -> tuple[KnownBug, ...]:
    """Return the bugs that `test` has to show in `cell`."""
    return tuple(bug for bug in base.known_bugs if bug.test == test and bug.variant == cell.variant.name)


def boot(lab: Lab, plan: Plan, built: BuiltCell, clock: Clock) -> Outcome:
    """Boot a cell and return what its kernel complained of by the time SSH listens."""
    trial = _Trial(built, plan.base, "boot")
    try:
        station = lab.station(built, clock)
    except GuestDied as died:
        troubles = _autopsy(died.log, 1, "boot-failed", str(died))
        return Outcome(findings=trial.findings(troubles, lab.last_log(built, clock)))
    log = station.vm.console.log.read_bytes().decode(errors="replace") if station.own else ""
    return Outcome(findings=trial.findings(kernlog.find(log), station.log_name), boot_seconds=station.vm.state.boot_seconds)


def run(lab: Lab, plan: Plan, built: BuiltCell, test: SuiteTest) -> Outcome:
    """Run `test` in its cell's VM.

    A kernel that dies, hangs or complains is a finding. Raises VmLost only when QEMU cannot be started.
    """
    clock = plan.clock_of(test)
    trial = _Trial(built, plan.base, test.name)
    try:
        station = lab.station(built, clock)
    except GuestDied as died:
        troubles = _autopsy(died.log, 1, "boot-failed", str(died))
        return Outcome(findings=trial.findings(troubles, lab.last_log(built, clock)))
    station.vm.console.read()
    first = station.vm.console.line
    seconds = test.seconds * suite().scales[plan.scale].patience
    said, log, end = _watch(station, _command(station, plan, test), seconds)
    if end:
        lab.lose(built, clock)
        troubles = _autopsy(log, first, *end)
        return Outcome(_samples(built, station, ktap.parse(log)), trial.findings(troubles, station.log_name))
    report = ktap.parse(said)
    troubles = kernlog.find(log, first) + _failures(test, report, said, first, log)
    skipped = next((o.reason for o in report.outcomes if o.skipped), "")
    return Outcome(_samples(built, station, report), trial.findings(troubles, station.log_name), skipped)


def _command(station: Station, plan: Plan, test: SuiteTest) -> tuple[str, ...]:
    scale = suite().scales[plan.scale]
    parameters = {
        "tests": test.name,
        "loops": test.loops[plan.scale],
        "repeat": 1 if test.stress else scale.repeat,
        "busy": scale.busy,
    }
    module = (station.module, *(f"{name}={value}" for name, value in parameters.items()))
    return ("sh", "-c", _SCRIPT, "sh", test.name, *module)


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
    while code == 0 and _END not in log and station.vm.alive and not settle.over:
        log += console.read()
        time.sleep(POLL / 4)
    if code < 0:
        while station.vm.alive and not settle.over:
            time.sleep(POLL)
        return "", log + console.rest(), ("died", "the VM ended in the middle of the test")
    log += console.read()
    if code > 0:
        return "", log, ("load-failed", command.said().strip() or "the module could not be loaded")
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


def _failures(test: SuiteTest, report: ktap.Report, said: str, first: int, log: str) -> list[Trouble]:
    failed = [o.reason or "the test failed" for o in report.outcomes if not o.ok]
    if not report.complete:
        failed.append("the module did not report a result for every test")
    elif not any(o.skipped for o in report.outcomes) and not report.timings:
        failed.append(f"{test.name} reported no sample")
    last = first + max(len(log.splitlines()) - 1, 0)
    return [Trouble("test-failed", reason, first, last, said) for reason in failed]


def _samples(built: BuiltCell, station: Station, report: ktap.Report) -> tuple[Sample, ...]:
    samples = []
    for timing in report.timings:
        value, unit = clocks.per_operation(station.clock, timing.nanoseconds, timing.operations)
        samples.append(
            Sample(
                machine=built.cell.machine.name,
                variant=built.cell.variant.name,
                profile=built.cell.profile,
                clock=station.clock,
                test=timing.test,
                boot=station.number,
                repeat=timing.repeat,
                thread=timing.thread,
                value=value,
                unit=unit,
                operations=timing.operations,
            )
        )
    return tuple(samples)
