# SPDX-License-Identifier: GPL-2.0-only
"""Functions that a worker runs: they say what its host is, take artifacts, and run a session or a build in a process of its own."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import msgspec
from distributed import get_worker
from distributed.core import Status

from harness import paths
from harness.cluster import artifacts, build_task, revision, task, under_way
from harness.cluster.artifacts import Artifact
from harness.cluster.build_task import BuildAnswer, BuildTask, Said
from harness.cluster.revision import Facts
from harness.cluster.task import CUT_SHORT, PLAN, RUN, TASK, Answer, Begun, Task
from harness.cluster.under_way import Have, Part
from harness.errors import RigError
from harness.host import files, shell

LOADED = revision.revision()
"""the rig that this process has loaded; its files may have changed since"""
_UNDER_WAY: dict[Path, Task] = {}
"""sessions by their folders, whose names are those of attempts"""
_LOG = "task.log"
_UNWANTED = "the client does not want it any more"
_EVERY = 2.0
"""seconds between two messages about the same build"""


class Host(msgspec.Struct, frozen=True):
    """Description of a worker's host."""

    name: str
    facts: Facts
    boot: str
    """identity of the host's boot; workers that have the same one are on the same host"""


def host(binaries: list[str]) -> bytes:
    """Return the host as JSON; `binaries` are the QEMUs that are asked for."""
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return msgspec.json.encode(Host(socket.gethostname(), _facts(binaries), boot))


def _facts(binaries: list[str]) -> Facts:
    now = revision.facts(binaries)
    return now if now.revision == LOADED else msgspec.structs.replace(now, revision=f"{LOADED}, by now {now.revision}")


def lacking(client: str, wanted: bytes) -> bytes:
    """Return which of the artifacts `wanted` the worker has not for `client`; both as JSON."""
    return msgspec.json.encode(artifacts.lacking(_root(client), msgspec.json.decode(wanted, type=tuple[Artifact, ...])))


def receive(client: str, artifact: bytes, part: bytes, first: bool, last: bool) -> str:
    """Take a part of an artifact of `client`; return why that was not possible, in one sentence."""
    try:
        wanted = msgspec.json.decode(artifact, type=Artifact)
        artifacts.receive(_root(client), wanted, client, part, first=first, last=last)
    except RigError as error:
        return str(error)
    except Exception as error:  # else the client would send it again and again
        return f"{type(error).__name__}: {error}"
    return ""


def forget(client: str, artifact: bytes) -> None:
    """Remove an artifact of `client`, if it is there."""
    shutil.rmtree(_root(client) / msgspec.json.decode(artifact, type=Artifact).place, ignore_errors=True)


def run(asked: bytes, plan: bytes) -> bytes:
    """Run a session and return the answer as MessagePack; a session whose client went away is ended."""
    mine = msgspec.json.decode(asked, type=Task)
    worker = get_worker()
    name = str(worker.name)
    if refused := revision.refusal(mine.facts, _facts(list(mine.facts.qemu)), name):
        return _packed(Answer(name, refused=refused))
    if lacks := artifacts.lacking(_root(mine.client), mine.artifacts):
        return _packed(Answer(name, lacks=lacks))
    worker.log_event(task.topic(mine.run), msgspec.to_builtins(Begun(mine.session, name)))
    try:
        attempt, came = session(mine, plan, _root(mine.client), _wanted())
        return _packed(Answer(name, files=came, attempt=attempt))
    except (RigError, OSError) as error:
        return _packed(Answer(name, failed=f"{name}: {error}"))


def session(mine: Task, plan: bytes, root: Path, wanted: Callable[[], bool]) -> tuple[str, dict[str, bytes]]:
    """Run a session with the cache `root`, and return the name of this attempt, and the files of its run's folder by name.

    It is ended as soon as `wanted` returns False. Raises RigError if it does not come to its end.
    """
    with files.scratch(root / "sessions") as folder, _known(folder, mine):
        own = folder / RUN
        own.mkdir()
        for log in mine.logs:  # a log of this session gets another name
            (own / log).touch()
        files.write(folder / PLAN, plan)
        files.write(folder / TASK, msgspec.json.encode(mine))
        _attend("one_session", folder, mine.session, {"RIG_CACHE": str(root), "RIG_PATIENCE": mine.patience}, wanted)
        found = (file for file in sorted(own.iterdir()) if file.is_file() and file.name not in mine.logs)
        return folder.name, {file.name: file.read_bytes() for file in found}


@contextlib.contextmanager
def _known(folder: Path, mine: Task) -> Iterator[None]:
    _UNDER_WAY[folder] = mine
    try:
        yield
    finally:
        del _UNDER_WAY[folder]


def cut_short(run: str) -> None:
    """Have the soaks of `run` here end early, with what they recorded so far."""
    for folder, _ in _sessions(run):
        (folder / CUT_SHORT).touch()


def recorded(run: str, have: bytes) -> bytes:
    """Return what the soaks of `run` here recorded so far and the client does not `have`; both as MessagePack."""
    known = msgspec.msgpack.decode(have, type=Have)
    parts = (
        Part(of.session, folder.name, under_way.new(folder / RUN, known.get(folder.name, {}))) for folder, of in _sessions(run)
    )
    return msgspec.msgpack.encode([part for part in parts if part.files])


def _sessions(run: str) -> list[tuple[Path, Task]]:
    return [(folder, of) for folder, of in list(_UNDER_WAY.items()) if of.run == run]


def build(asked: bytes) -> bytes:
    """Build a kernel and a module, and return the answer as MessagePack; a build whose client went away is ended."""
    mine = build_task.task(asked)
    name = str(get_worker().name)
    if refused := revision.refusal(mine.facts, _facts([]), name):
        return build_task.packed(BuildAnswer(name, refused=refused))
    try:
        tell = _telling(mine, name)
        tell("begun")  # else the client would not know whether it waits for this worker's cores
        came = kernel(mine, _root(mine.client), _wanted(), tell)
    except (RigError, OSError) as error:
        came = BuildAnswer(failed=f"{name}: {error}")
    refused = f"{name} {came.refused}" if came.refused else ""
    notes = tuple(f"{name}: {note}" for note in came.notes)
    return build_task.packed(msgspec.structs.replace(came, worker=name, refused=refused, notes=notes))


def kernel(mine: BuildTask, root: Path, wanted: Callable[[], bool], tell: Callable[[str], None]) -> BuildAnswer:
    """Build a kernel in the cache `root`, and return the answer, with the files of what was made.

    It is ended as soon as `wanted` returns False; `tell` gets the progress. Raises RigError if it does not come to its end.
    """
    with files.scratch(root / "builds") as folder:
        files.write(folder / build_task.TASK, build_task.packed(mine))

        def seen() -> bool:
            with contextlib.suppress(OSError, IndexError):
                tell((folder / _LOG).read_text(errors="replace").splitlines()[-1])
            return wanted()

        _attend("one_build", folder, mine.cell.name, {"RIG_CACHE": str(root), **mine.environment}, seen)
        came = build_task.answer((folder / build_task.ANSWER).read_bytes())
    made = (msgspec.structs.replace(each, archive=artifacts.archive(root, each.artifact)) for each in came.made)
    return msgspec.structs.replace(came, made=tuple(made))


def _telling(mine: BuildTask, name: str) -> Callable[[str], None]:
    """Return what tells the client of a build's progress: what is new, and not too often."""
    worker, last, after = get_worker(), "", 0.0

    def tell(text: str) -> None:
        nonlocal last, after
        if text != last and time.monotonic() >= after:
            last, after = text, time.monotonic() + _EVERY
            worker.log_event(task.topic(mine.run), msgspec.to_builtins(Said(mine.cell.name, f"{text} on {name}")))

    return tell


def _attend(program: str, folder: Path, what: str, more: Mapping[str, str], wanted: Callable[[], bool]) -> None:
    """Run a program of the rig's on the folder of a task; RigError if it fails, or ends since it is not wanted any more."""
    command = (sys.executable, "-m", f"harness.cluster.{program}", folder)
    code = shell.attend(command, log=folder / _LOG, env={**os.environ, **more}, wanted=wanted)
    if not wanted():
        raise RigError(f"{what} was ended: {_UNWANTED}.")
    if code:
        last = (folder / _LOG).read_text(errors="replace").strip().splitlines()[-1:] or ["it said nothing"]
        raise RigError(f"{what} ended with exit code {code}: {last[0]}")


def _wanted() -> Callable[[], bool]:
    """Return what tells whether the task of this thread is still wanted: its client and its scheduler are there."""
    worker = get_worker()
    key = worker.get_current_task()

    def wanted() -> bool:
        state = worker.state.tasks.get(key)
        return worker.status is Status.running and state is not None and state.state in ("executing", "long-running", "resumed")

    return wanted


def _root(client: str) -> Path:
    return paths.cache() / "clients" / client


def _packed(answer: Answer) -> bytes:
    return msgspec.msgpack.encode(answer)
