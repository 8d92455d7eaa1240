# SPDX-License-Identifier: GPL-2.0-only
"""Hands the sessions of a plan to workers, and yields each one's end just once, whatever happens to workers meanwhile."""

from __future__ import annotations

import contextlib
import queue
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import msgspec
from distributed import KilledWorker

from harness import text
from harness.cluster import daemons, task, worker
from harness.cluster.connection import Connection, Member
from harness.cluster.presence import Presence
from harness.cluster.task import Answer, Begun, Task
from harness.cluster.waiting import Waiting
from harness.errors import UsageError
from harness.host.shell import Line
from harness.suite.plan import Session

_TRIES = 3
"""attempts at a session in which the rig fails"""
_TICK = 0.5
"""seconds between two looks at who is there"""


class Ended(NamedTuple):
    """The end of a session."""

    session: Session
    answer: Answer


class Job(NamedTuple):
    """The run that sessions belong to, and functions that hear of them."""

    run: str
    plan: bytes
    """the plan as JSON"""
    task: Callable[[Session], Task]
    begun: Callable[[Begun], None]
    """hears that a session begins"""
    waits: Callable[[str, str], None]
    """hears that the session of a name waits, and for what"""
    say: Line
    home: dict[str, str]
    """worker by machine, where all sessions of a machine belong to one host, one at a time; else empty"""
    early: bool = False
    """True if its sessions can end early, with records, as those of a soak can"""
    look: Callable[[], None] = lambda: None
    """called again and again while sessions run"""


class Dispatch:
    """The sessions of one run under way."""

    def __init__(self, connection: Connection, job: Job, sessions: Sequence[Session]) -> None:
        """Hand `sessions` of `job` to the workers of a connection, in their order."""
        self._connection, self._job = connection, job
        self._waiting = deque(sessions)
        self._running: dict[str, tuple[Session, Any]] = {}
        """sessions by the key of their task, with its future"""
        self._ended: queue.SimpleQueue[str] = queue.SimpleQueue()
        """keys of tasks that ended"""
        self._tries: Counter[str] = Counter()
        self._number = 0
        self._single: set[str] = set()
        """names of sessions with which workers died, so that they get one for themselves"""
        self._shunned: dict[str, str] = {}
        """worker that failed last, by session"""
        self._presence = Presence(connection, "this run")
        self._unbegun = Waiting(job.waits)
        self._homes = frozenset(job.home.values())
        self.cut_short = False
        """True if an interrupt had what runs end early"""

    def ends(self) -> Iterator[Ended]:
        """Yield the end of each session as it comes.

        Raises UsageError if a worker refuses to work for this client; RigError if there is no worker any more, or no scheduler.
        What runs at that time, or when the iterator is closed, is ended on the workers.
        """
        topic = task.topic(self._job.run)
        client = self._connection.client
        client.subscribe_topic(topic, lambda event: self._begun(msgspec.convert(event[1], Begun)))
        try:
            while self._waiting or self._running:
                try:
                    if self.cut_short:  # again and again: what waited for memory begins after the interrupt, or anew elsewhere
                        self._connection.cut_short(self._job.run)
                    self._begin()
                    self._unbegun.look()
                    self._job.look()
                    key = self._ended.get(timeout=_TICK)
                except queue.Empty:
                    continue
                except KeyboardInterrupt:
                    self._interrupted()
                    continue
                if key in self._running and (ended := self._end(key)):
                    yield ended
        finally:
            if self._connection.up:
                client.cancel([future for _, future in self._running.values()], force=True)
                client.unsubscribe_topic(topic)

    def _begun(self, begun: Begun) -> None:
        self._unbegun.begun(begun.session)
        self._job.begun(begun)

    def _interrupted(self) -> None:
        """Have what runs end early if it can, or raise KeyboardInterrupt; also for a second one."""
        if not self._job.early or self.cut_short:
            raise KeyboardInterrupt
        self.cut_short = True
        self._waiting.clear()

    def _begin(self) -> None:
        """Hand out as many sessions as there are cores: one that waits on a worker would die with it."""
        members = self._presence.members(self._homes)
        free = sum(member.cores for member in members) - len(self._running)
        for session in list(self._waiting):
            home = self._home(session, members)
            if home:
                at_home = any(self._home(other, members) == home for other, _ in self._running.values())
                if not at_home and home in {member.name for member in members}:
                    self._submit(session, members, home)
            elif free > 0:
                self._submit(session, members, "")
                free -= 1

    def _home(self, session: Session, members: Sequence[Member]) -> str:
        """Return the worker that a session has for itself; empty if any worker will do."""
        if home := self._job.home.get(session.built.cell.machine.name):
            return home
        fits = [member for member in members if member.memory >= session.size] if session.name in self._single else []
        return min(fits, key=lambda member: member.cores).name if fits else ""

    def _submit(self, session: Session, members: Sequence[Member], home: str) -> None:
        self._waiting.remove(session)
        self._number += 1
        resources = {"cores": 1, "memory": session.size}
        if home:
            cores = next(member.cores for member in members if member.name == home)
            resources |= {"cores": cores, daemons.pin(home): 1}
        shunned = self._shunned.get(session.name)
        others = [member.address for member in members if member.name != shunned and member.memory >= session.size]
        key = f"session-{self._job.run}-{session.name}-{self._number}"
        future = self._connection.client.submit(
            worker.run,
            msgspec.json.encode(self._job.task(session)),
            self._job.plan,
            key=key,
            resources=resources,
            pure=False,
            **({"workers": others, "allow_other_workers": True} if shunned and others and not home else {}),
        )
        self._running[key] = (session, future)
        needs = f"waits for {text.counted(resources['cores'], 'core')} and {session.size:,} MiB"
        self._unbegun.handed(session.name, lambda: f"{needs} of {home}" if home else f"{needs} on a worker")
        future.add_done_callback(lambda _: self._ended.put(key))

    def _end(self, key: str) -> Ended | None:
        """Return the end of the session whose task has ended; None if it has to be tried again."""
        session, future = self._running.pop(key)
        self._unbegun.begun(session.name)
        if future.status == "cancelled":  # the scheduler was lost
            self._waiting.appendleft(session)
            return None
        try:
            answer = msgspec.msgpack.decode(future.result(), type=Answer)
        except KilledWorker:
            return self._killed(session)
        except Exception as error:  # whatever it is that fails there
            answer = Answer("a worker", failed=f"a worker: {type(error).__name__}: {error}")
        finally:
            future.release()
        if answer.refused:
            raise UsageError(answer.refused)
        if answer.lacks:
            address = next((member.address for member in self._presence.members(self._homes) if member.name == answer.worker), "")
            with contextlib.suppress(OSError):  # the scheduler or the worker is lost, which is seen elsewhere
                self._connection.send(address, answer.lacks if address else (), self._job.say)
            self._waiting.appendleft(session)
            return None
        if answer.failed:
            return self._failed(session, answer)
        return Ended(session, answer)

    def _killed(self, session: Session) -> Ended | None:
        if session.name not in self._single and not self._job.home:
            self._single.add(session.name)
            self._waiting.append(session)
            return None
        again = "" if self._job.early else "; what is resumed makes it again"  # a soak cannot be resumed
        return Ended(session, Answer("", failed=f"the worker died each time that it ran this session{again}"))

    def _failed(self, session: Session, answer: Answer) -> Ended | None:
        self._tries[session.name] += 1
        if self._tries[session.name] >= _TRIES:
            return Ended(session, answer)
        self._job.say(f"{session.name} is tried again: {answer.failed}")
        self._shunned[session.name] = answer.worker
        self._waiting.appendleft(session)
        return None
