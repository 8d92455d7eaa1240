# SPDX-License-Identifier: GPL-2.0-only
"""Starts and ends the cluster of this host: a scheduler, and workers on this host and on others."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Sequence

import msgspec

from harness.cluster import address, certificates, daemons, hosts, revision
from harness.cluster.address import Address
from harness.cluster.certificates import Certificates
from harness.cluster.connection import Connection, Member
from harness.cluster.daemons import Daemon, Remote, State
from harness.cluster.login import Login
from harness.errors import RigError, UsageError
from harness.host import files
from harness.host.deadline import Deadline
from harness.host.shell import Line

_PATIENCE = 60.0
"""seconds in which a scheduler or a worker has to be there"""
_LOOK = 0.2
_LOOK_THERE = 5.0
"""seconds between two looks at a worker on another host"""
There = tuple[Login, Remote]
"""a worker that is to run on another host, and the login there"""


class Wish(msgspec.Struct, frozen=True):
    """A cluster that is to be started."""

    workers: int
    """on this host"""
    listen: Address
    silence: float
    """seconds without a word after which a worker counts as lost"""
    hosts: tuple[str, ...] = ()
    """other hosts, each of which gets a worker"""


def up(wish: Wish, say: Line) -> State:
    """Start a scheduler and workers, and return them once all have joined.

    Raises UsageError if a cluster is up already, or a host does not let this user in; RigError if a host does not answer or a
    worker does not join: then all are ended.
    """
    with files.locked(daemons.folder() / "up"), contextlib.ExitStack() as entered:
        known = daemons.load()
        if known and known.scheduler.runs:
            raise UsageError(f"A cluster is up already at {known.address}; `invoke cluster.down` ends it.")
        logins = _logins(wish)
        if known:
            _end_loudly(known, say)
        for login in logins:
            entered.enter_context(login)
        secrets = certificates.ensure()
        remotes = hosts.install(logins, secrets, say) if logins else ()
        return _start(wish, list(zip(logins, remotes, strict=True)), secrets, say)


def _own_names(wish: Wish) -> list[str]:
    return [f"w{number}" for number in range(1, wish.workers + 1)]


def _logins(wish: Wish) -> list[Login]:
    """Return a login on each host, not yet connected; UsageError for a host that could not reach the scheduler."""
    if taken := next((host for host in wish.hosts if host in _own_names(wish)), ""):
        raise UsageError(f"{taken} would be the name of two workers, one on this host; call that host user@{taken}.")
    logins = [Login(host) for host in wish.hosts]
    hosts.check_reach(logins, wish.listen)
    return logins


def _start(wish: Wish, there: Sequence[There], secrets: Certificates, say: Line) -> State:
    """Start a scheduler and workers, and return them once all have joined; RigError if that is not possible: then all are ended."""
    place, facts = wish.listen, revision.facts()
    say(f"starting a scheduler at {place}")
    state = State(str(place), daemons.scheduler(place, secrets, wish.silence))
    daemons.save(state)
    try:
        with _connected(place, state.scheduler) as connection:
            for name in _own_names(wish):
                say(f"starting the worker {name}")
                worker = daemons.worker(name, place, secrets, facts, daemons.share(wish.workers))
                state = msgspec.structs.replace(state, workers=(*state.workers, worker))
                daemons.save(state)
            for login, remote in there:
                say(f"starting the worker {remote.host}")
                state = msgspec.structs.replace(state, remotes=(*state.remotes, remote))
                daemons.save(state)
                hosts.start(login, remote, place, secrets, facts)
            _wait(connection, state, there)
            _check_way(connection, state)
    except BaseException:
        _end_loudly(state, say)
        raise
    return state


class Standing(msgspec.Struct, frozen=True):
    """State of a cluster, as far as it answers."""

    state: State
    members: tuple[Member, ...] = ()
    pages: str = ""
    trouble: str = ""
    """reason for which the scheduler does not say; empty if it does"""

    @property
    def hosts(self) -> dict[str, str]:
        """Host of each worker that was started from this one."""
        own = {worker.name: "this one" for worker in self.state.workers}
        return own | {remote.host: remote.host for remote in self.state.remotes}


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


class Down(msgspec.Struct, frozen=True):
    """End of a cluster."""

    ended: int = 0
    """processes that ran"""
    silent: tuple[str, ...] = ()
    """a sentence for each host that did not answer"""


def down() -> Down:
    """End the cluster that was started from this host, as far as its hosts answer."""
    with files.locked(daemons.folder() / "up"):
        state = daemons.load()
        return _end(state) if state else Down()


def _end(state: State) -> Down:
    """End a cluster and forget it, so that nobody hears again of the hosts that do not answer."""
    ended, silent = hosts.stop_all(state.remotes)
    run = [daemon for daemon in (*state.workers, state.scheduler) if daemon.runs]
    for daemon in run:
        daemons.stop(daemon)
    daemons.save(None)
    return Down(ended + len(run), silent)


def _end_loudly(state: State, say: Line) -> None:
    for said in _end(state).silent:
        say(said)


@contextlib.contextmanager
def _connected(place: Address, scheduler: Daemon) -> Iterator[Connection]:
    """Yield a connection to a scheduler that starts; RigError if it ends, as where its port is taken."""
    try:
        connection = Connection(place)
    except RigError as error:
        if scheduler.runs:
            raise
        raise RigError(f"The scheduler ended: {daemons.last_words(scheduler)}; its log is {scheduler.log}.") from error
    with connection:
        yield connection


def _wait(connection: Connection, state: State, there: Sequence[There]) -> None:
    """Wait until all workers of a cluster have joined; RigError with its own words if one ends."""
    late, look = Deadline(_PATIENCE), Deadline(_LOOK_THERE)
    while missing := state.names - {member.name for member in connection.members()}:
        for worker in state.workers:
            if not worker.runs:
                raise RigError(f"The worker {worker.name} does not join: {daemons.last_words(worker)}")
        if look.over or late.over:
            look = Deadline(_LOOK_THERE)
            for login, remote in there:
                if remote.host in missing and (late.over or not hosts.look(login, remote).runs):
                    raise RigError(f"The worker on {remote.host} does not join {state.address}: {hosts.look(login, remote).said}")
        if late.over:
            raise RigError(f"No word of {', '.join(sorted(missing))} in {_PATIENCE:.0f} s; the logs are in {daemons.folder()}.")
        time.sleep(_LOOK)


def _check_way(connection: Connection, state: State) -> None:
    """Raise RigError for a worker that the scheduler cannot reach, although the worker reached the scheduler."""
    answered = connection.hosts(()) if state.remotes else {}
    for member in connection.members():
        if state.remotes and member.name not in answered:
            raise RigError(
                f"{member.name} joined, but does not answer at {member.address}: scheduler and workers go to each other, so that a"
                " firewall between them has to let both ways through."
            )
