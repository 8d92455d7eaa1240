# SPDX-License-Identifier: GPL-2.0-only
"""Runs the sessions of a suite or a soak on a cluster; this one process writes down what comes back, once for each session."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence

import msgspec

from harness import paths, text
from harness.cluster import artifacts, gathered, probe, revision
from harness.cluster import task as cluster_tasks
from harness.cluster.address import Address
from harness.cluster.connection import Connection, Member, identity
from harness.cluster.dispatch import Dispatch, Ended, Job
from harness.cluster.task import Begun, Task
from harness.cluster.under_way import Damaged, UnderWay
from harness.cluster.worker import Host
from harness.commands.progress import Progress, Repeats
from harness.errors import RigError, UsageError
from harness.host import files, stored
from harness.model.records import Result
from harness.model.run_folder import COMPRESSED, HOSTS, Run
from harness.runs import lifecycle
from harness.suite.plan import Plan, Session


def run(place: Address, run: Run, planned: Plan, log: str) -> None:
    """Run the sessions of a plan that have no results yet, on the workers of the scheduler at `place`.

    `log` is the name of pytest's own log in the run's folder. Raises UsageError if a worker's host is another than this one
    in what decides results, or has no room; RigError if scheduler or workers are gone. What was recorded stays.
    """
    _through(place, run, planned, lifecycle.undone(run, planned), log)


def soak(place: Address, run: Run, planned: Plan) -> bool:
    """Soak the cells of a plan on the workers, each as one session; return whether it came to its end without an interrupt.

    An interrupt ends it early, with what was recorded so far. Raises as `run` does.
    """
    return _through(place, run, planned, cluster_tasks.sessions(planned), "")


def _through(place: Address, run: Run, planned: Plan, todo: Sequence[Session], log: str) -> bool:
    """Have `todo` run, and write down what comes back; return False if that was ended early."""
    here = revision.facts({built.cell.machine.qemu.binary for built in planned.cells})
    with Connection(place) as connection, Progress("soak" if planned.hours else "test") as progress:
        hosts = connection.check(here)
        members = connection.members()
        check_room(todo, members)
        home = {} if planned.at_once else homes(run, planned, hosts)
        needed = {session.built.cell.name: artifacts.of_cell(session.built) for session in todo}
        connection.provide((each for cell in needed.values() for each in cell), lambda said: progress.say("cluster", said))
        if planned.hours:
            progress.line(
                f"{len(todo)} VM{'s' if len(todo) > 1 else ''} for {planned.hours:g} h, seed {planned.seed};"
                f" Ctrl-C ends it with a report. {run.folder}"
            )
        shown = Shown(progress, todo)
        soaks = UnderWay(run, todo, lambda have: connection.recorded(run.folder.name, have), shown.came)

        def task(session: Session) -> Task:
            return Task(
                run=run.folder.name,
                session=session.name,
                client=identity(),
                cache=str(paths.cache()),
                facts=here,
                artifacts=needed[session.built.cell.name],
                logs=() if planned.hours else _logs(run, session),
                patience=os.environ.get("RIG_PATIENCE", "1"),
            )

        if todo:
            probe.check(connection, hosts, planned, task(todo[0]), lambda said: progress.say("cluster", said))
        progress.done("cluster", f"{len(members)} workers with {sum(member.cores for member in members)} cores")
        plan = (run.folder / "plan.json").read_bytes()
        early = planned.hours > 0
        say, look = (lambda said: progress.say("cluster", said)), soaks.look if early else lambda: None
        job = Job(run.folder.name, plan, task, shown.begun, progress.say, say, home, early, look)
        dispatch = Dispatch(connection, job, todo)
        done: set[str] = set()
        for ended in dispatch.ends():
            if ended.session.name not in done:
                done.add(ended.session.name)
                shown.ended(ended, soaked(run, ended, soaks, planned.hours) if early else record(run, ended, log))
        if notes := tuple(soaks.notes()):
            run.change(notes=(*run.provenance().notes, *notes))
        return not dispatch.cut_short


def record(run: Run, ended: Ended, log: str) -> list[Result]:
    """Write down the end of a session, and return its results: one that says why, if there are none."""
    session, answer = ended
    if answer.failed:
        return _given_up(run, session, answer.failed)
    try:
        came = gathered.read(session, answer.files)
    except RigError as error:
        return _given_up(run, session, f"{answer.worker}: {error}")
    return gathered.write(run, came, log)


def soaked(run: Run, ended: Ended, soaks: UnderWay, hours: float) -> list[Result]:
    """Write down the end of a soak of `hours`, and return the results that are new by it: one that says why, if it was given up."""
    session, answer = ended
    if not answer.failed:
        try:
            return soaks.end(session, answer)
        except Damaged as error:
            return _given_up(run, session, soaks.reason(session, f"{answer.worker}: {error}", hours))
    return _given_up(run, session, soaks.reason(session, answer.failed, hours))


def _given_up(run: Run, session: Session, failed: str) -> list[Result]:
    """Write down that a session came to no end, and return the result that says so."""
    cell = session.built.cell
    result = Result(
        machine=cell.machine.name,
        variant=cell.variant.name,
        profile=cell.profile,
        clock=session.clock,
        test=f"boot under {session.clock}",
        boot=session.boot,
        round=0,
        outcome="error",
        seconds=0.0,
        reason=" ".join(failed.split("\n")),
    )
    run.add([result])
    return [result]


def homes(run: Run, planned: Plan, hosts: Mapping[str, Host]) -> dict[str, str]:
    """Return the worker of each machine: all its sessions are measured on one host, also by a run that is resumed.

    Machines are dealt to hosts in turn, and only one worker of a host is used. Raises UsageError if the host is not there on
    which a machine was measured so far.
    """
    file = run.folder / HOSTS
    known: dict[str, str] = {}
    if file.exists():
        known = stored.decode(stored.content(file), dict[str, str])
    elif run.results():
        raise UsageError(f"{run.folder.name} was measured on this host so far; finish it without --cluster.")
    first = {host.boot: name for name, host in sorted(hosts.items(), reverse=True)}
    workers = sorted(first.values())
    machines = list(dict.fromkeys(built.cell.machine.name for built in planned.cells))
    chosen: dict[str, str] = {}
    for number, machine in enumerate(machines):
        usable = [name for name in workers if known.get(machine, hosts[name].name) == hosts[name].name]
        if not usable:
            raise UsageError(f"{machine} was measured on {known[machine]} so far, of which no worker is there; have it join again.")
        chosen[machine] = usable[number % len(usable)]
    files.write(file, msgspec.json.format(msgspec.json.encode({machine: hosts[name].name for machine, name in chosen.items()})))
    return chosen


def check_room(todo: Sequence[Session], members: Sequence[Member]) -> None:
    """Raise UsageError if the largest VM of some sessions is larger than what any worker has."""
    largest = max((session.size for session in todo), default=0)
    most = max((member.memory for member in members), default=0)
    if largest > most:
        raise UsageError(f"A VM of this run has {largest} MiB, but no worker has more than {most}; add one, or leave tests out.")


def _logs(run: Run, session: Session) -> tuple[str, ...]:
    """Return the names of logs that earlier boots of a session left, as when the run was interrupted."""
    return tuple(sorted(file.name.removesuffix(COMPRESSED) for file in run.folder.glob(f"{session.name}.*serial.log*")))


class Shown:
    """Shows where each session runs, and each failure when its session has ended."""

    def __init__(self, progress: Progress, todo: Sequence[Session]) -> None:
        """Show the sessions `todo` on `progress`."""
        self._progress = progress
        self._left = {session.name: f"{session.results} tests" if session.steps else "a soak" for session in todo}
        self._many, self._done = len(todo), 0
        self._tests: Counter[str] = Counter()
        self._known: Counter[str] = Counter()
        self._repeats = Repeats()

    def begun(self, begun: Begun) -> None:
        """Show that a session runs."""
        if begun.session in self._left:
            self._progress.say(begun.session, f"{self._left[begun.session]} on {begun.name}")

    def came(self, session: Session, results: Sequence[Result]) -> None:
        """Show results of a session that goes on."""
        self._take(session, results)
        self._progress.say(session.name, f"a soak, {text.counted(self._tests[session.name], 'test')} done so far")

    def ended(self, ended: Ended, results: Sequence[Result]) -> None:
        """Show what came of a session with its end."""
        name = ended.session.name
        self._done += 1
        self._progress.overall(f"{self._done} of {self._many} boots done")
        self._take(ended.session, results)
        more = f", {self._known[name]} with a known bug" if self._known[name] else ""
        self._progress.leave(name, f"{self._tests[name]} tests done{more}")
        del self._left[name]

    def _take(self, session: Session, results: Sequence[Result]) -> None:
        """Count results, and print those that are failures."""
        for result in results:
            if result.outcome in ("failed", "error"):
                where = f"{session.built.cell.name} {result.clock} {result.boot} {result.test}"
                reason = self._repeats.short(result.variant, result.reason, where)
                self._progress.line(text.plain(f"FAILED {where}: {reason}"))
        self._tests[session.name] += len(results)
        self._known[session.name] += sum(result.outcome == "xfailed" for result in results)
