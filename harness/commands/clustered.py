# SPDX-License-Identifier: GPL-2.0-only
"""Runs the sessions of a suite or a soak on a cluster; this one process writes down what comes back, once for each session."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

import msgspec

from harness import paths, text
from harness.cluster import artifacts, gathered, probe, revision
from harness.cluster import task as cluster_tasks
from harness.cluster.address import Address
from harness.cluster.connection import Connection, Member, identity
from harness.cluster.dispatch import Dispatch, Ended, Job
from harness.cluster.task import Begun, Task
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

        def task(session: Session) -> Task:
            return Task(
                run=run.folder.name,
                session=session.name,
                client=identity(),
                cache=str(paths.cache()),
                facts=here,
                artifacts=needed[session.built.cell.name],
                logs=_logs(run, session),
                patience=os.environ.get("RIG_PATIENCE", "1"),
            )

        if todo:
            probe.check(connection, hosts, planned, task(todo[0]), lambda said: progress.say("cluster", said))
        progress.done("cluster", f"{len(members)} workers with {sum(member.cores for member in members)} cores")
        plan = (run.folder / "plan.json").read_bytes()
        early = planned.hours > 0
        job = Job(run.folder.name, plan, task, shown.begun, progress.say, lambda said: progress.say("cluster", said), home, early)
        dispatch = Dispatch(connection, job, todo)
        done: set[str] = set()
        for ended in dispatch.ends():
            if ended.session.name not in done:
                done.add(ended.session.name)
                shown.ended(ended, record(run, ended, log))
        return not dispatch.cut_short


def record(run: Run, ended: Ended, log: str) -> list[Result]:
    """Write down the end of a session, and return its results: one that says why, if there are none."""
    session, answer = ended
    failed = answer.failed
    if not failed:
        try:
            came = gathered.read(session, answer.files)
        except RigError as error:
            failed = f"{answer.worker}: {error}"
        else:
            return gathered.write(run, came, log)
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
        self._repeats = Repeats()

    def begun(self, begun: Begun) -> None:
        """Show that a session runs."""
        if begun.session in self._left:
            self._progress.say(begun.session, f"{self._left[begun.session]} on {begun.name}")

    def ended(self, ended: Ended, results: Sequence[Result]) -> None:
        """Show what came of a session."""
        self._done += 1
        self._progress.overall(f"{self._done} of {self._many} boots done")
        for result in results:
            if result.outcome in ("failed", "error"):
                where = f"{ended.session.built.cell.name} {result.clock} {result.boot} {result.test}"
                reason = self._repeats.short(result.variant, result.reason, where)
                self._progress.line(text.plain(f"FAILED {where}: {reason}"))
        known = sum(result.outcome == "xfailed" for result in results)
        more = f", {known} with a known bug" if known else ""
        self._progress.leave(ended.session.name, f"{len(results)} tests done{more}")
        del self._left[ended.session.name]
