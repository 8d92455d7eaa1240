# SPDX-License-Identifier: GPL-2.0-only
"""Runs one test of the module in one VM: loads it, watches it, unloads it, and collects the records."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from harness import kernlog, paths
from harness.build import git
from harness.errors import RigError, VmLost
from harness.host import debug_info
from harness.kernlog import excerpt, symbols
from harness.kernlog.kinds import STALLS
from harness.model import catalog, trouble
from harness.model.clock import Clock
from harness.model.foreign import Foreign
from harness.model.known_bugs import NOT_SEEN, explanation
from harness.model.matrix import STOCK, Cell
from harness.model.records import Finding
from harness.model.trouble import Frame, OwnKind, Severity, Testimony, Trouble
from harness.suite import foreign, guest_script, ktap
from harness.suite.extract import Observed, Reading
from harness.suite.plan import Plan, Session, Step
from harness.suite.vm_pool import Lab, Station
from harness.suite.watch import Bad, Watched, watch
from harness.vm.vms import GuestDied

_TAIL = 40
"""lines of the console that are evidence when the kernel itself reported nothing"""
_PAUSE = 1.0
"""seconds in which the host or QEMU stood still that count as a pause"""


Judge = Callable[[Observed], None]
"""passes or fails a test by its outcome"""


class _Trial:
    """The names that go on every record of a trial."""

    def __init__(self, session: Session, plan: Plan, test: str) -> None:
        self.cell: Cell = session.built.cell
        self.session = session
        self.test = test
        self._plan = plan
        self.known = plan.bugs(self.cell, test)

    def finding(self, trouble: Trouble, log: str) -> Finding:
        return Finding(
            machine=self.cell.machine.name,
            variant=self.cell.variant.name,
            profile=self.cell.profile,
            clock=self.session.clock,
            test=self.test,
            boot=self.session.boot,
            trouble=trouble,
            expected=explanation(self.known, trouble.kind, trouble.title),
            log=log,
        )

    def died(self, death: GuestDied, log: str) -> Observed:
        troubles = autopsy(death.log, death.first_line, Bad("died", str(death), death.testimony))
        return Observed(findings=_with_evidence(self.findings(troubles, log), death.testimony))

    def findings(self, troubles: Sequence[Trouble], log: str) -> tuple[Finding, ...]:
        own = [self.finding(trouble, log) for trouble in self._resolved(troubles)]
        must = [bug for bug in self.known if bug.always and self.cell.variant.name == STOCK]
        missing = [bug for bug in must if not any(bug.explains(f.trouble.kind, f.trouble.title) for f in own)]
        unseen = (_own("not-seen", f"{NOT_SEEN}{bug.reason}", 0, "") for bug in missing)
        return (*own, *(self.finding(trouble, log) for trouble in unseen))

    def _resolved(self, troubles: Sequence[Trouble]) -> Sequence[Trouble]:
        """Return the troubles with their places in the source, as far as debug information has them."""
        kernel = self.session.built.kernel
        try:
            module = kernel.module.parent if self._plan.module else paths.TEST_MODULE
            sources = (git.sources(kernel.commit), debug_info.below(module.parent), debug_info.below(module))
            return symbols.resolve(troubles, kernel.vmlinux, [kernel.debug_module], sources)
        except RigError:
            return troubles  # the places are a help, not the finding


def boot(lab: Lab, plan: Plan, session: Session) -> Observed:
    """Boot a cell and return what its kernel reported before the first test."""
    trial = _Trial(session, plan, "boot")
    try:
        station = lab.station(session)
    except GuestDied as died:
        return trial.died(died, lab.last_log(session))
    log = station.vm.console.log.read_bytes().decode(errors="replace")
    station.vm.console.read()
    troubles = kernlog.find(log.partition(guest_script.BEGIN)[0])
    _check_time(lab, session, station, troubles)
    return Observed(findings=trial.findings(troubles, station.log_name))


def end(lab: Lab, plan: Plan, session: Session) -> Observed:
    """Return what a cell's kernel reported after the last test; skipped if its VM was lost before."""
    trial = _Trial(session, plan, "end")
    station = lab.current(session)
    if station is None:
        return Observed(skipped="the VM was lost in an earlier test, whose result says why")
    first, alive = station.vm.console.line, station.vm.alive
    log = station.vm.console.read() if alive else station.vm.console.rest()
    gone = Bad("died", station.vm.ended("the VM ended after the last test"))
    troubles = kernlog.find(log, first) if alive else autopsy(log, first, gone)
    _check_time(lab, session, station, troubles)
    findings = trial.findings(troubles, station.log_name)
    return Observed(findings=_leave(lab, plan, session, "end", findings, lost=False))


def run(lab: Lab, plan: Plan, session: Session, step: Step) -> Observed:
    """Do `step` in its session's VM.

    A kernel that dies, hangs or reports a problem is a finding, also if that was between the test before and this one.
    Raises VmLost only when QEMU cannot be started, its VM's folder is gone, or nothing can be said because the host or
    QEMU stood still; then the VM is ended.
    """
    trial = _Trial(session, plan, step.name)
    try:
        station = lab.station(session)
    except GuestDied as died:
        return trial.died(died, lab.last_log(session))
    first = station.vm.console.line
    patience = plan.patience(step) + catalog.profile_use(session.built.cell.profile).leaks
    try:
        watched = watch(station, guest_script.command(plan, session, step), patience, harmless=bool(plan.settings.on_failure))
    except VmLost:
        lab.lose(session)
        raise
    reading = Reading(plan, session, step)
    timed = not step.test.stress or bool(catalog.profile_use(session.built.cell.profile).tracer)
    if watched.bad:
        ends = autopsy(watched.log, first, watched.bad)
        _check_time(lab, session, station, ends)
        findings = _with_evidence(trial.findings(ends, station.log_name), watched.bad.testimony)
        reached = reading.reached(station.dumps())
        findings = _leave(lab, plan, session, step.name, findings, lost=True)
        return msgspec.structs.replace(_before_the_end(plan, reading, watched.log), findings=findings, reached=reached)
    reported = kernlog.find(watched.log, first)
    _check_time(lab, session, station, reported, timed=timed)
    seen = _foreign(plan.module, reading, watched, first) if plan.module else _own_module(step, reading, watched, first, station)
    troubles = reading.troubles(reported, watched.output, first) + seen.troubles
    if troubles:
        station.keep()
    findings = _leave(lab, plan, session, step.name, trial.findings(troubles, station.log_name), lost=False)
    return msgspec.structs.replace(seen.records, findings=findings)


class _Seen(msgspec.Struct, frozen=True):
    """The report of a load that ended well."""

    records: Observed
    """without findings"""
    troubles: list[Trouble]
    """tests that failed"""


def _before_the_end(plan: Plan, reading: Reading, log: str) -> Observed:
    """Return the records in the log of a load that did not end well."""
    if plan.module:
        return msgspec.structs.replace(reading.loaded(plan.module, foreign.parse(log)), skipped="")
    report = ktap.parse(log)
    return Observed(samples=reading.samples(report), scaled=reading.scaled(report))


def _foreign(module: Foreign, reading: Reading, watched: Watched, first: int) -> _Seen:
    said = foreign.parse(watched.output)
    return _Seen(reading.loaded(module, said), _failures(foreign.failed(module, said), first, watched.log))


def _own_module(step: Step, reading: Reading, watched: Watched, first: int, station: Station) -> _Seen:
    report = ktap.parse(watched.output)
    skipped = next((o.reason for o in report.outcomes if o.skipped), "")
    dumps = station.dumps()
    counted, locked = reading.counted(report, dumps, watched.output)
    records = Observed(
        samples=reading.samples(report),
        points=reading.points(report),
        histograms=reading.histograms(report),
        sections=reading.sections(watched.output),
        memory=reading.memory(report, watched.output),
        scaled=reading.scaled(report),
        looks=reading.looks(report, watched.output),
        counted=counted,
        locked=locked,
        reached=() if skipped else reading.reached(dumps),
        skipped=skipped,
    )
    return _Seen(records, failures(step, report, first, watched.log))


def _check_time(lab: Lab, session: Session, station: Station, troubles: Sequence[Trouble], *, timed: bool = False) -> None:
    """End the VM and raise VmLost if the host stood still, or QEMU did, and that may explain what the guest shows.

    The guest's time goes on meanwhile: under the wall clock always, also while QEMU has no CPU, under icount while the guest's
    is idle. To its kernel that is a stall. Under the wall clock a time that is measured is too long as well; `timed` if there
    are such times.
    """
    pause = station.stood_still()
    stalled = next((trouble.title for trouble in troubles if trouble.kind in STALLS), "")
    seconds = pause.lately if stalled else pause.here
    how = "the host or QEMU stood still"
    if stalled and session.clock is Clock.WALL and pause.starved > seconds:
        how, seconds = "QEMU had no CPU", pause.starved
    if seconds < _PAUSE or not (stalled or (timed and session.clock is Clock.WALL)):
        return
    lab.lose(session)
    shows = f"it reported '{stalled}'" if stalled else "its times are too long"
    raise VmLost(
        f"{session.name}: {how} for {seconds:.0f} s while the guest's clock went on, and {shows}, which"
        " says nothing of the kernel; test it again."
    )


def _leave(lab: Lab, plan: Plan, session: Session, test: str, findings: tuple[Finding, ...], *, lost: bool) -> tuple[Finding, ...]:
    """Keep, dump or end a VM after these findings, as the plan has it; return them, with what was left of the VM."""
    failed = any(not finding.expected for finding in findings)
    if failed and plan.settings.on_failure:
        left = lab.leave(session, test, plan.settings.on_failure)
        return (msgspec.structs.replace(findings[0], left=left), *findings[1:])
    if lost:
        lab.lose(session)
    return findings


def autopsy(log: str, first: int, bad: Bad) -> list[Trouble]:
    """Return the kernel's reports before its end, and a trouble for the end itself if no report is fatal."""
    troubles = kernlog.find(log, first)
    if any(trouble.severity is Severity.FATAL for trouble in troubles):
        return troubles
    lines = log.splitlines()
    tail = lines[-_TAIL:]
    own = _own(bad.kind, bad.title, first + len(lines) - len(tail), "\n".join(tail))
    function, frames = _place(bad.testimony)
    return [*troubles, msgspec.structs.replace(own, severity=Severity.FATAL, function=function, frames=frames)]


def _place(testimony: Testimony) -> tuple[str, tuple[Frame, ...]]:
    """Return the function and the call trace of a guest that hangs: from its own report, or else from QEMU."""
    for own in kernlog.find(testimony.output):
        return own.function, own.frames
    busy = next((cpu.frames for cpu in testimony.cpus if cpu.frames and not cpu.idle), ())
    return (busy[0].function if busy and busy[0].size else "", busy)


class Steps(msgspec.Struct, frozen=True):
    """The functions that are called in a session's VM, from its boot to its end; tests hand in their own."""

    boot: Callable[[Lab, Plan, Session], Observed] = boot
    run: Callable[[Lab, Plan, Session, Step], Observed] = run
    end: Callable[[Lab, Plan, Session], Observed] = end


STEPS = Steps()


def _with_evidence(findings: tuple[Finding, ...], testimony: Testimony) -> tuple[Finding, ...]:
    """Return the findings with the testimony of a guest that hung. It goes to the last one that is no bug that was not seen."""
    seen = [f for f in findings if f.trouble.kind != "not-seen"]
    return tuple(msgspec.structs.replace(f, evidence=_words(testimony)) if f is seen[-1] else f for f in findings)


def _words(testimony: Testimony) -> str:
    """Return a testimony as text."""
    cpus = (
        "\n".join(
            (f"CPU {number}: {'idle' if cpu.idle else 'busy'}", *(f"  {trouble.framed(f)}" for f in cpu.frames), cpu.registers)
        )
        for number, cpu in enumerate(testimony.cpus)
    )
    return "\n\n".join(part for part in (*cpus, testimony.output.strip()) if part)


def _own(kind: OwnKind, title: str, first: int, text: str) -> Trouble:
    """Return a trouble that the rig saw and the kernel did not report."""
    last = first + max(len(text.splitlines()) - 1, 0)
    return Trouble(kind, Severity.ERROR, title, first, last, text, fingerprint=kind)


def failures(step: Step, report: ktap.Report, first: int, log: str) -> list[Trouble]:
    """Return the failures of the test of `step`, with their lines of the console's log; `first` is the log's first line."""
    return _failures(_failed(step, report), first, log)


def _failed(step: Step, report: ktap.Report) -> list[tuple[str, str]]:
    failed = [(o.test, o.reason or "the test failed") for o in report.outcomes if not o.ok]
    failed += [(step.test.name, f"the module printed a number that cannot be: {line}") for line in report.impossible]
    if not report.complete:
        failed.append((step.test.name, "the module did not report a result for every test"))
    elif not failed and not any(o.skipped for o in report.outcomes) and not report.measured:
        failed.append((step.test.name, f"{step.test.name} reported no sample"))
    return failed


def _failures(failed: Sequence[tuple[str, str]], first: int, log: str) -> list[Trouble]:
    """Return a trouble for each test that failed, with its reason."""
    troubles = []
    for test, reason in failed:
        shown = excerpt.failure(log, first, test)
        troubles.append(_own("test-failed", reason, shown.first, shown.text))
    return troubles
