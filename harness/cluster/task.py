# SPDX-License-Identifier: GPL-2.0-only
"""A task of a worker, one session, and the answer to it: values that travel as JSON and MessagePack."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec

from harness.build.built import BuiltCell
from harness.cluster.artifacts import Artifact
from harness.cluster.revision import Facts
from harness.errors import RigError
from harness.suite import soak_cell
from harness.suite.plan import Plan, Session

PLAN, TASK, RUN = "client-plan.json", "task.json", "run"
"""names in a session's folder on a worker's host: what the client sent, and the folder of the run"""
CUT_SHORT = "cut-short"
"""name of a file that a session's folder gets when a soak is to end early"""
REPORT_LOG = "report-log.jsonl"
"""name of pytest's own log among the files of an answer"""


class Task(msgspec.Struct, frozen=True):
    """One session of a run."""

    run: str
    """name of the run"""
    session: str
    """name of the session in its plan"""
    client: str
    """identity of the client's keys; clients with other keys have a cache of their own on the worker's host"""
    cache: str
    """the client's cache folder, at which the paths of the plan begin"""
    facts: Facts
    """of the client"""
    artifacts: tuple[Artifact, ...]
    """that the session needs"""
    logs: tuple[str, ...] = ()
    """names of console logs that earlier boots have taken in the run's folder"""
    patience: str = "1"
    """RIG_PATIENCE of the client"""
    findings: Literal["", "first", "all"] = ""
    """``first`` or ``all`` if no suite is run, but findings alone are wanted: up to the first step that has one, or all"""


class Answer(msgspec.Struct, frozen=True, omit_defaults=True):
    """The end of a session, or the reason why it had none: behind the worker one field is set, and beside files their attempt."""

    worker: str
    """name of the worker"""
    lacks: tuple[Artifact, ...] = ()
    """artifacts that the worker's host has not; nothing was run"""
    refused: str = ""
    """reason for which the worker runs no session of this client, in one sentence"""
    failed: str = ""
    """reason for which the rig failed there, in one sentence; another try may go well"""
    files: dict[str, bytes] = {}
    """files of the session's own run folder, by name"""
    attempt: str = ""
    """name of the attempt that the files are of"""


class Begun(msgspec.Struct, frozen=True):
    """Message of a worker that a session begins there."""

    session: str
    name: str
    """of the worker; what Dask adds to a message is called worker"""


def topic(run: str) -> str:
    """Return the name under which a run's workers send messages."""
    return f"rig-{run}"


def moved(planned: Plan, old: Path, new: Path) -> Plan:
    """Return a plan whose files lie in the cache `new` in place of `old`; RigError if one lies elsewhere."""
    try:
        return msgspec.structs.replace(planned, cells=tuple(_moved(built, old, new) for built in planned.cells))
    except ValueError as error:
        raise RigError(f"The plan names a file outside of the cache {old}: {error}.") from error


def _moved(built: BuiltCell, old: Path, new: Path) -> BuiltCell:
    def there(path: Path) -> Path:
        return new / path.relative_to(old)

    kernel = msgspec.structs.replace(
        built.kernel,
        folder=there(built.kernel.folder),
        image=there(built.kernel.image),
        config=there(built.kernel.config),
        module=there(built.kernel.module),
    )
    return msgspec.structs.replace(
        built, kernel=kernel, rootfs=msgspec.structs.replace(built.rootfs, image=there(built.rootfs.image))
    )


def sessions(planned: Plan) -> tuple[Session, ...]:
    """Return what a plan has for workers: its sessions, or those of a soak, one a cell."""
    return tuple(map(soak_cell.session, planned.cells)) if planned.hours else planned.sessions


def named(planned: Plan, session: str) -> Session:
    """Return a session of a plan; RigError if the plan has none of that name."""
    found = next((each for each in sessions(planned) if each.name == session), None)
    if found is None:
        raise RigError(f"The plan has no session {session}: the worker's host lacks what the client's has, such as QEMU's plugin.")
    return found
