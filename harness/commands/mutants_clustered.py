# SPDX-License-Identifier: GPL-2.0-only
"""Tests mutants on a cluster: the sessions of one mutant one after the other, those of several mutants at once."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec

from harness import paths
from harness.cluster import artifacts, gathered, revision
from harness.cluster.address import Address
from harness.cluster.artifacts import Artifact
from harness.cluster.connection import Connection, identity
from harness.cluster.dispatch import Dispatch, Job
from harness.cluster.task import Task
from harness.commands import clustered
from harness.errors import RigError, VmLost
from harness.host import files
from harness.host.shell import Line
from harness.model.records import Finding
from harness.suite import first_findings
from harness.suite.plan import Plan, Session


class Workers:
    """The workers of a scheduler, which test mutants."""

    def __init__(self, connection: Connection, planned: Plan, folder: Path, *, everything: bool) -> None:
        """Test mutants of the series whose plan is `planned`; `folder` gets their logs.

        With `everything` a mutant is not left at its first finding. Raises UsageError if a worker's host is another than this
        one in what decides results, or none has room for a VM.
        """
        self._connection, self._folder, self._everything = connection, folder, everything
        self._facts = revision.facts({built.cell.machine.qemu.binary for built in planned.cells})
        connection.check(self._facts)
        members = connection.members()
        clustered.check_room(planned.sessions, members)
        self.at_once = sum(member.cores for member in members)
        """mutants that are tested at once: none waits on a worker, where it would die with another one"""
        self._free = threading.BoundedSemaphore(max(1, self.at_once))

    def test(self, name: str, planned: Plan, say: Line) -> list[Finding]:
        """Return the findings of a suite in its plan's one cell, up to the first step that has one.

        `name` is that of a folder for its logs. Raises VmLost if a session came to no end on any worker, or did not come back
        whole; RigError if scheduler or workers are gone, or one refuses.
        """
        found: list[Finding] = []
        run = f"{self._folder.name}-{name}"
        needed, stored = artifacts.of_cell(planned.cells[0]), msgspec.json.encode(planned, enc_hook=str)

        def task(session: Session) -> Task:
            return Task(
                run=run,
                session=session.name,
                client=identity(),
                cache=str(paths.cache()),
                facts=self._facts,
                artifacts=needed,
                patience=os.environ.get("RIG_PATIENCE", "1"),
                findings="all" if self._everything else "first",
            )

        job = Job(run, stored, task, lambda begun: say(f"testing on {begun.name}"), lambda _, reason: say(reason), say, {})
        apart = planned.cells[0].cell.variant.apart  # the series itself has not, and a run of it may use its kernel
        with self._free, self._without(needed[0]) if apart else contextlib.nullcontext():
            for session in planned.sessions:
                found += self._session(job, session, self._folder / name)
                if first_findings.enough(found, everything=self._everything):
                    break
        return found

    def _session(self, job: Job, session: Session, logs: Path) -> list[Finding]:
        try:
            (ended,) = Dispatch(self._connection, job, [session]).ends()
        except RigError as error:  # also of a worker that refuses: that is no verdict on one mutant
            raise RigError(f"{error} What was found out before is kept; `invoke mutants --resume` goes on.") from error
        if ended.answer.failed:
            raise VmLost(ended.answer.failed)
        try:
            came = gathered.unpacked(session, ended.answer.files)
        except RigError as error:
            raise VmLost(f"{ended.answer.worker}: {error}") from error
        for name, content in came.logs.items():
            files.write(logs / name, content)
        return [record for record in came.records if isinstance(record, Finding)]

    @contextlib.contextmanager
    def _without(self, kernel: Artifact) -> Iterator[None]:
        """Have the workers remove a kernel at the end of the with block: nobody else wants one with a bug."""
        try:
            yield
        finally:
            if self._connection.up:
                self._connection.forget(kernel)

    def stop(self) -> None:
        """End all tests under way."""
        self._connection.close()


@contextlib.contextmanager
def connected(place: Address, planned: Plan, folder: Path, *, everything: bool) -> Iterator[Workers]:
    """Yield the workers of the scheduler at `place`; raises as Workers does, and RigError if no scheduler answers."""
    with Connection(place) as connection:
        yield Workers(connection, planned, folder, everything=everything)
