# SPDX-License-Identifier: GPL-2.0-only
"""Starts and ends the cluster of this host: a scheduler, and workers on this host."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator

import msgspec

from harness.cluster import address, certificates, daemons, revision
from harness.cluster.address import Address
from harness.cluster.connection import Connection, Member
from harness.cluster.daemons import Daemon, Resources, State
from harness.cluster.join import REFUSED
from harness.errors import RigError, UsageError
from harness.host import files, parallel
from harness.host.deadline import Deadline
from harness.host.shell import Line

_PATIENCE = 60.0
"""seconds in which a scheduler or a worker has to be there"""
_LOOK = 0.2


class Wish(msgspec.Struct, frozen=True):
    """A cluster that is to be started."""

    workers: int
    """on this host"""
    listen: Address
    silence: float
    """seconds without a word after which a worker counts as lost"""


def up(wish: Wish, say: Line) -> State:
    """Start a scheduler and workers, and return them once all have joined.

    Raises UsageError if a cluster is up already; RigError if a worker does not join: then all are ended.
    """
    place = wish.listen
    with files.locked(daemons.folder() / "up"):
        known = daemons.load()
        if known and known.scheduler.runs:
            raise UsageError(f"A cluster is up already at {known.address}; `invoke cluster.down` ends it.")
        if known:
            _end(known)
        secrets = certificates.ensure()
        facts = revision.facts()
        say(f"starting a scheduler at {place}")
        state = State(str(place), daemons.scheduler(place, secrets, wish.silence))
        daemons.save(state)
        try:
            with _connected(place, state.scheduler) as connection:
                for name in (f"w{number}" for number in range(1, wish.workers + 1)):
                    say(f"starting the worker {name}")
                    worker = daemons.worker(name, place, secrets, facts, share(wish.workers))
                    state = msgspec.structs.replace(state, workers=(*state.workers, worker))
                    daemons.save(state)
                _wait(connection, state)
        except BaseException:
            _end(state)
            raise
        return state


def share(workers: int) -> Resources:
    """Return what each of some workers on this host has."""
    return Resources(max(1, (os.cpu_count() or 1) // workers), parallel.free_memory() // workers)


class Standing(msgspec.Struct, frozen=True):
    """State of a cluster, as far as it answers."""

    state: State
    members: tuple[Member, ...] = ()
    pages: str = ""
    trouble: str = ""
    """reason for which the scheduler does not say; empty if it does"""


def status() -> Standing | None:
    """Return what is there of the cluster that was started from this host; None if none was."""
    state = daemons.load()
    if not state:
        return None
    if not state.scheduler.runs:
        return Standing(state, trouble="its scheduler has ended; `invoke cluster.up` starts it again")
    try:
        with Connection(address.read(state.address, "The stored state")) as connection:
            return Standing(state, tuple(connection.members()), connection.pages)
    except RigError as error:
        return Standing(state, trouble=str(error))


def down() -> int:
    """End the cluster that was started from this host; return the number of its processes that ran."""
    with files.locked(daemons.folder() / "up"):
        state = daemons.load()
        return _end(state) if state else 0


def _end(state: State) -> int:
    run = [daemon for daemon in (*state.workers, state.scheduler) if daemon.runs]
    for daemon in run:
        daemons.stop(daemon)
    daemons.save(None)
    return len(run)


@contextlib.contextmanager
def _connected(place: Address, scheduler: Daemon) -> Iterator[Connection]:
    """Yield a connection to a scheduler that starts; RigError if it ends, as where its port is taken."""
    try:
        connection = Connection(place)
    except RigError as error:
        if scheduler.runs:
            raise
        raise RigError(f"The scheduler ended: {_last(scheduler)}; its log is {scheduler.log}.") from error
    with connection:
        yield connection


def _wait(connection: Connection, state: State) -> None:
    """Wait until all workers of a cluster have joined; RigError with its own words if one ends."""
    late = Deadline(_PATIENCE)
    while missing := {worker.name for worker in state.workers} - {member.name for member in connection.members()}:
        for worker in state.workers:
            if not worker.runs:
                raise RigError(f"The worker {worker.name} does not join: {_last(worker)}")
        if late.over:
            raise RigError(f"No word of {', '.join(sorted(missing))} in {_PATIENCE:.0f} s; the logs are in {daemons.folder()}.")
        time.sleep(_LOOK)


def _last(daemon: Daemon) -> str:
    """Return why a process ended, by its log."""
    lines = daemon.log.read_text(errors="replace").strip().splitlines() or ["it said nothing"]
    return next((line.removeprefix(REFUSED) for line in lines if line.startswith(REFUSED)), lines[-1])
