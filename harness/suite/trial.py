# SPDX-License-Identifier: GPL-2.0-only
"""One test of the module in one VM: load, watch, unload, and what it all said."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence

import msgspec

from harness import clock as clocks
from harness import kernlog, ktap
from harness.clock import POLL, Deadline
from harness.errors import VmLost
from harness.kernlog import Trouble
from harness.matrix import STOCK, Base, Cell, Clock, KnownBug
from harness.plan import BuiltCell, Plan, SuiteTest, suite
from harness.records import Finding, Sample
from harness.suite.lab import MODULE, Lab, Station
from harness.vm import GuestDied

_SCRIPT = """\
dmesg -c > /dev/null
echo "kernel-patch-rig: begin: $1" > /dev/kmsg
shift
insmod "$@" || exit 1
rmmod vmalloc_test || exit 1
dmesg
echo "kernel-patch-rig: end" > /dev/kmsg
"""
_BEGIN = "kernel-patch-rig: begin"
_END = "kernel-patch-rig: end"
_PATIENCE = 60.0
"""seconds of host time, at scale quick, after which a test counts as hung"""
_SETTLE = 5.0
"""seconds that the console may take to show what SSH has shown"""
_TAIL = 40
"""lines of the console that are evidence when the kernel itself reported nothing"""


class Outcome(msgspec.Struct, frozen=True):
    """What a trial brought to light."""

    samples: tuple[Sample, ...] = ()
    findings: tuple[Finding, ...] = ()
    skipped: str = ""


Judge = Callable[[Outcome], None]
"""passes or fails a test by its outcome"""


class _Trial:
    """The names that go on every record of a trial."""

    def __init__(self, built: BuiltCell, base: Base, test: str) -> None:
        self.cell: Cell = built.cell
        self.test = test
        self.known = known_bugs(base, test)

    def finding(self, trouble: Trouble, log: str) -> Finding:
        known = (bug for bug in self.known if bug.kind == trouble.kind and re.search(bug.title, trouble.title))
        return Finding(
            machine=self.cell.machine.name,
            variant=self.cell.variant.name,
            profile=self.cell.profile,
            test=self.test,
            kind=trouble.kind,
            title=trouble.title,
            expected=next((bug.reason for bug in known), ""),
            log=log,
            lines=(trouble.first, trouble.last),
            excerpt=trouble.text,
        )

    def died(self, death: GuestDied, log: str) -> Outcome:
        return Outcome(findings=self.findings(_autopsy(death.log, death.first_line, "died", str(death)), log))

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


def boot(lab: Lab, plan: Plan, built: BuiltCell, clock: Clock) -> Outcome:
    """Boot a cell and return what its kernel complained of before the first test."""
    trial = _Trial(built, plan.base, "boot")
    try:
        station = lab.station(built, clock)
    except GuestDied as died:
        return trial.died(died, lab.last_log(built, clock))
    log = station.vm.console.log.read_bytes().decode(errors="replace")
    station.vm.console.read()
    return Outcome(findings=trial.findings(kernlog.find(log.partition(_BEGIN)[0]), station.log_name))


def end(lab: Lab, plan: Plan, built: BuiltCell, clock: Clock) -> Outcome:
    """Return what a cell's kernel complained of after the last test, if its VM was not lost before."""
    trial = _Trial(built, plan.base, "end")
    station = lab.current(built, clock)
    if station is None:
        return Outcome(skipped="the VM was lost in an earlier test, which tells why")
    first, alive = station.vm.console.line, station.vm.alive
    log = station.vm.console.read() if alive else station.vm.console.rest()
    troubles = kernlog.find(log, first) if alive else _autopsy(log, first, "died", "the VM ended after the last test")
    return Outcome(findings=trial.findings(troubles, station.log_name))


def run(lab: Lab, plan: Plan, built: BuiltCell, test: SuiteTest) -> Outcome:
    """Run `test` in its cell's VM.

    A kernel that dies, hangs or complains is a finding, also if it did so since the test before.
    Raises VmLost only when QEMU cannot be started.
    """
    clock = plan.clock_of(test)
    trial = _Trial(built, plan.base, test.name)
    try:
        station = lab.station(built, clock)
    except GuestDied as died:
        return trial.died(died, lab.last_log(built, clock))
    first = station.vm.console.line
    said, log, end = _watch(station, _command(plan, test), _PATIENCE * suite().scales[plan.scale].patience)
    if end:
        lab.lose(built, clock)
        troubles = _autopsy(log, first, *end)
        return Outcome(_samples(built, station, ktap.parse(log)), trial.findings(troubles, station.log_name))
    report = ktap.parse(said)
    troubles = kernlog.find(log, first) + _failures(test, report, said, first, log)
    skipped = next((o.reason for o in report.outcomes if o.skipped), "")
    return Outcome(_samples(built, station, report), trial.findings(troubles, station.log_name), skipped)


def _command(plan: Plan, test: SuiteTest) -> tuple[str, ...]:
    scale = suite().scales[plan.scale]
    parameters = {
        "tests": test.name,
        "loops": test.loops[plan.scale],
        "repeat": 1 if test.stress else scale.repeat,
        "busy": scale.busy,
    }
    module = (MODULE, *(f"{name}={value}" for name, value in parameters.items()))
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
    while station.vm.alive and not settle.over and (code < 0 or (code == 0 and _END not in log)):
        log += console.read()
        time.sleep(POLL / 4)
    log += console.read() if station.vm.alive else console.rest()
    if code < 0:
        what = "its SSH broke off" if station.vm.alive else "the VM ended"
        return "", log, ("died", f"{what} in the middle of the test")
    if code > 0:
        return "", log, ("load-failed", command.said().strip() or "the module could not be loaded")
    if _END not in log:
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
