# SPDX-License-Identifier: GPL-2.0-only
"""Hands builds to workers, one at a time to each, and yields the end of each build just once."""

from __future__ import annotations

import contextlib
import queue
from collections import Counter, deque
from collections.abc import Callable, Generator, Sequence
from typing import Any, NamedTuple

import msgspec
from distributed import KilledWorker

from harness import text
from harness.cluster import build_task, task, worker
from harness.cluster.artifacts import Artifact
from harness.cluster.build_task import BuildAnswer, BuildTask, Said
from harness.cluster.connection import Connection, Member
from harness.cluster.presence import Presence
from harness.cluster.waiting import Waiting
from harness.errors import RigError, UsageError
from harness.host.shell import Line

_TRIES = 3
"""attempts at a build in which the rig fails, or the worker dies"""
_TICK = 0.5
"""seconds between two looks at who is there"""


class Ended(NamedTuple):
    """The end of a build: the kernel is made, or does not build."""

    build: BuildTask
    answer: BuildAnswer


class Heard(NamedTuple):
    """Functions that hear of builds, and one that provides what they need."""

    said: Callable[[Said], None]
    say: Line
    source: Callable[[], Artifact]
    """packs the source, which all builds have in common"""


class _Running(NamedTuple):
    build: BuildTask
    future: Any
    at: Member


class Builds:
    """Builds of one call under way. Each has all cores of its worker, so that it runs beside no session."""

    def __init__(self, connection: Connection, heard: Heard, builds: Sequence[BuildTask]) -> None:
        """Hand `builds` to the workers of a connection, in their order."""
        self._connection, self._heard = connection, heard
        self._run = builds[0].run
        self._waiting = deque(builds)
        self._running: dict[str, _Running] = {}
        """by the key of the task"""
        self._ended: queue.SimpleQueue[str] = queue.SimpleQueue()
        """keys of tasks that ended"""
        self._tries: Counter[str] = Counter()
        self._shunned: dict[str, str] = {}
        """worker on which it failed last, by cell; one that died may build again when it is back"""
        self._number = 0
        self._presence = Presence(connection, "the builds")
        self._unbegun = Waiting(lambda cell, reason: heard.said(Said(cell, reason)))

    def ends(self) -> Generator[Ended]:
        """Yield the end of each build as it comes.

        Raises UsageError if a worker refuses to build for this client; RigError if a build fails too often, or there is no
        worker any more, or no scheduler. What runs at that time, or when the iterator is closed, is ended on the workers.
        """
        topic, client = task.topic(self._run), self._connection.client
        client.subscribe_topic(topic, lambda event: self._said(msgspec.convert(event[1], Said)))
        try:
            while self._waiting or self._running:
                self._begin()
                self._unbegun.look()
                with contextlib.suppress(queue.Empty):
                    key = self._ended.get(timeout=_TICK)
                    if key in self._running and (ended := self._end(key)):
                        yield ended
        finally:
            if self._connection.up:
                client.cancel([running.future for running in self._running.values()], force=True)
                client.unsubscribe_topic(topic)

    def _said(self, said: Said) -> None:
        self._unbegun.begun(said.cell)
        self._heard.said(said)

    def _begin(self) -> None:
        """Give each worker that has none a build: first those that do nothing else, and of them the largest."""
        members = self._presence.members()
        self._miss(members)
        taken = {running.at.address for running in self._running.values()}
        free = sorted(members, key=lambda member: (member.busy > 0, -member.cores))
        free = [member for member in free if member.address not in taken]
        for build in list(self._waiting):
            others = [member for member in members if member.name != self._shunned.get(build.cell.name)]
            if chosen := next((member for member in free if member in (others or members)), None):
                free.remove(chosen)
                self._waiting.remove(build)
                self._submit(build, chosen)

    def _miss(self, members: Sequence[Member]) -> None:
        """Take back the builds of workers that are gone: a new one in the same place has another address."""
        there = {member.address for member in members}
        for key, running in list(self._running.items()):
            if members and running.at.address not in there:
                del self._running[key]
                self._unbegun.begun(running.build.cell.name)
                self._connection.client.cancel([running.future], force=True)
                self._failed(running.build, _died(running.at))

    def _submit(self, build: BuildTask, at: Member) -> None:
        self._number += 1
        key = f"build-{build.run}-{build.cell.name}-{self._number}"
        future = self._connection.client.submit(
            worker.build,
            build_task.packed(msgspec.structs.replace(build, jobs=at.cores)),
            key=key,
            resources={"cores": at.cores},
            workers=[at.address],
            pure=False,
        )
        self._running[key] = _Running(build, future, at)
        self._unbegun.handed(build.cell.name, lambda: self._reason(at))
        future.add_done_callback(lambda _: self._ended.put(key))

    def _reason(self, at: Member) -> str:
        """Return what a build waits for on a worker, which has no other one of this call."""
        busy = next((member.busy for member in self._connection.members() if member.name == at.name), 0)
        others = text.counted(busy, "other build or session", "other builds or sessions")
        return f"waits for {text.counted(at.cores, 'core')} of {at.name}{f', which is at {others}' if busy else ''}"

    def _end(self, key: str) -> Ended | None:
        """Return the end of the build whose task has ended; None if it has to be tried again."""
        build, future, at = self._running.pop(key)
        self._unbegun.begun(build.cell.name)
        if future.status == "cancelled":  # the scheduler was lost
            self._waiting.appendleft(build)
            return None
        try:
            answer = build_task.answer(future.result())
            if answer.made:
                build_task.check(build, answer)
        except KilledWorker:
            answer = _died(at)
        except RigError as error:
            answer = BuildAnswer(at.name, failed=f"{at.name}: {error}")
        except Exception as error:  # whatever it is that fails there
            answer = BuildAnswer(at.name, failed=f"{at.name}: {type(error).__name__}: {error}")
        finally:
            future.release()
        if answer.refused:
            raise UsageError(answer.refused)
        if answer.lacks:
            with contextlib.suppress(OSError):  # the scheduler or the worker is lost, which is seen elsewhere
                self._connection.send(at.address, [self._heard.source()], self._heard.say)
            self._waiting.appendleft(build)
            return None
        if answer.failed:
            self._failed(build, answer)
            return None
        return Ended(build, answer)

    def _failed(self, build: BuildTask, answer: BuildAnswer) -> None:
        """Have a build tried again, where its worker fails on another one if there is one; RigError after the last try."""
        name = build.cell.name
        self._tries[name] += 1
        if self._tries[name] >= _TRIES:
            raise RigError(f"{name} was not built in {_TRIES} tries; the last one ended so: {answer.failed.rstrip('.')}.")
        self._heard.say(f"{name} is built again: {answer.failed}")
        self._shunned[name] = answer.worker
        self._waiting.appendleft(build)


def _died(at: Member) -> BuildAnswer:
    return BuildAnswer(failed=f"{at.name}: the worker died")
