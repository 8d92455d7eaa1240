# SPDX-License-Identifier: GPL-2.0-only
"""Proves that hosts count alike under icount: each runs one short session of the same kernel, once, and its figure is kept."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from harness.cluster import artifacts, daemons, gathered, worker
from harness.cluster.connection import Connection, identity
from harness.cluster.revision import Facts
from harness.cluster.task import Answer, Task
from harness.cluster.worker import Host
from harness.errors import RigError, UsageError
from harness.host import files, stored
from harness.host.shell import Line
from harness.model.clock import Clock
from harness.model.records import Sample
from harness.model.selection import Settings
from harness.suite.plan import Plan, Session

_TEST = "le_fit_alloc_test"
"""the shortest test that has a figure"""
_MOST = 0.25
"""per cent between two hosts, a quarter of the margin of a run; boots on one host under load differed by up to 0.09"""
_KEPT = 50
"""kernels whose figures are kept"""
_LOOK = 0.2


class Figure(msgspec.Struct, frozen=True):
    """Result of a host's probe."""

    host: str
    """name of the worker that ran it"""
    value: float
    """median, in instructions/op"""


def check(connection: Connection, hosts: Mapping[str, Host], planned: Plan, task: Task, say: Line) -> None:
    """Raise UsageError for a host whose figures are not those of the others; RigError if a probe does not come to its end.

    Each host runs a session for each machine of the plan, unless it did since it was booted, with the same kernel, rig and QEMU.
    One host alone is not probed, nor is a plan without a kernel that the test runs in. `task` is one of the run. A kernel that
    fails proves nothing, which `say` is told.
    """
    first: dict[str, str] = {}
    for name, host in sorted(hosts.items()):
        first.setdefault(host.boot, name)
    if len(first) < 2:
        return
    for probing in _plans(planned):
        (session,) = probing.sessions
        need = artifacts.of_cell(session.built)
        key = _key(session, task.facts, need)
        with files.locked(_file()):
            known = _known()
            figures = {boot: figure for boot, figure in known.get(key, {}).items() if boot in first}
            if asked := {boot: name for boot, name in first.items() if boot not in figures}:
                say(f"comparing counts of {session.built.cell.machine.name} on {', '.join(sorted(asked.values()))}")
                connection.provide(need, say)
                mine = msgspec.structs.replace(task, run="probe", session=session.name, artifacts=need, logs=())
                figures |= _measure(connection, asked, mine, probing)
                if silent := sorted(set(first.values()) - {figure.host for figure in figures.values()}):
                    say(f"nothing proves that {', '.join(silent)} counts as others do: {_TEST} has no figure there")
                kept = {**known, key: {**known.get(key, {}), **figures}}
                files.write(_file(), msgspec.json.encode(dict(list(kept.items())[-_KEPT:])))
        if said := figures and refusal(session.built.cell.machine.name, list(figures.values())):
            raise UsageError(said)


def refusal(machine: str, figures: Sequence[Figure]) -> str:
    """Return why hosts with these figures cannot share a run, in a sentence that names the one farthest off; empty if they can."""
    middle = statistics.median(figure.value for figure in figures)
    ordered = sorted(figures, key=lambda figure: (abs(figure.value - middle), figure.host))
    near, far = ordered[0], ordered[-1]
    apart = 100 * abs(far.value / near.value - 1)
    if apart <= _MOST:
        return ""
    return (
        f"{far.host} counts {far.value:,.1f} instructions/op in {_TEST} on {machine}, but {near.host} {near.value:,.1f}, which is"
        f" {apart:.2f} % apart: their figures do not go together, so leave one of them out."
    )


def _plans(planned: Plan) -> Iterator[Plan]:
    """Yield a plan with one session for each machine that counts under icount; none for a foreign module, whose test is another."""
    if planned.settings.clock is not Clock.ICOUNT or planned.module:
        return
    settings = Settings(scale="quick", clock=Clock.ICOUNT, boots=1, plain=True)
    for machine in dict.fromkeys(of.cell.machine for of in planned.cells):
        own = [of for of in planned.cells if of.cell.machine == machine]
        each = (msgspec.structs.replace(planned, cells=(of,), tests=(_TEST,), lines=(), settings=settings) for of in own)
        if found := next((probing for probing in each if len(probing.sessions) == 1), None):
            yield found


def _key(session: Session, here: Facts, need: Sequence[artifacts.Artifact]) -> str:
    binary = session.built.cell.machine.qemu.binary
    return files.digest(session.name, here.revision, here.qemu[binary], *(each.digest for each in need))[:16]


def _measure(connection: Connection, asked: Mapping[str, str], mine: Task, probing: Plan) -> dict[str, Figure]:
    """Run a session on the workers `asked`, by boot of their hosts, at the same time; return their figures."""
    (session,) = probing.sessions
    words = (msgspec.json.encode(mine), msgspec.json.encode(probing, enc_hook=str))
    options = {"resources": {"cores": 1, "memory": session.size}, "pure": False}
    places = {member.name: member.address for member in connection.members() if member.memory >= session.size}
    running: dict[str, Any] = {}
    try:
        for boot, name in asked.items():
            if name in places:
                key = f"probe-{identity()}-{boot}-{time.monotonic_ns()}"
                running[boot] = connection.client.submit(worker.run, *words, key=key, workers=[places[name]], **options)
        ends = {boot: _figure(connection, (asked[boot], places[asked[boot]]), session, future) for boot, future in running.items()}
        return {boot: figure for boot, figure in ends.items() if figure}
    finally:
        if connection.up:
            connection.client.cancel(list(running.values()), force=True)


def _figure(connection: Connection, where: tuple[str, str], session: Session, future: Any) -> Figure | None:
    """Wait for a probe on the worker of a name and an address, and return its figure, None if the test failed.

    Raises RigError if the worker goes away, or the rig fails there.
    """
    name, place = where
    while not future.done():
        if not connection.up or place not in {member.address for member in connection.members()}:
            raise RigError(f"{name} went away while its counts were compared with those of other hosts; call again.")
        time.sleep(_LOOK)
    try:
        answer = msgspec.msgpack.decode(future.result(), type=Answer)
    except Exception as error:  # whatever it is that fails there
        raise RigError(f"{name} cannot run {session.name}: {type(error).__name__}: {error}") from error
    if said := answer.refused or answer.failed or ("it does not keep what it is sent" if answer.lacks else ""):
        raise RigError(f"The counts of {name} cannot be compared with those of other hosts: {said}")
    came = gathered.read(session, answer.files)
    values = [each.value for each in came.records if isinstance(each, Sample) and each.test == _TEST and not each.warmup]
    return Figure(name, statistics.median(values)) if values else None


def _known() -> dict[str, dict[str, Figure]]:
    try:
        return stored.decode(stored.content(_file()), dict[str, dict[str, Figure]])
    except (OSError, msgspec.DecodeError):
        return {}


def _file() -> Path:
    return daemons.folder() / "probes.json"
