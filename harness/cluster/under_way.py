# SPDX-License-Identifier: GPL-2.0-only
"""Records of soaks that workers are at: they get into the run's folder as they are made, so that no worker takes hours with it."""

from __future__ import annotations

import contextlib
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from harness.cluster import gathered
from harness.cluster.gathered import Came
from harness.cluster.task import Answer
from harness.errors import RigError
from harness.host.deadline import Deadline
from harness.model.records import Finding, Look, Result
from harness.model.run_folder import COMPRESSED, FILES, Run
from harness.suite.plan import Session

_EVERY = 60.0
"""seconds between two times at which workers are asked: what is younger is lost with a worker"""
_BOOT = re.compile(r"-(\d+)(?=(?:\.\d+)?\.serial\.log)")
"""number of a boot in the name of a log"""
Have = dict[str, dict[str, int]]
"""bytes that a client has, by attempt and file"""
Shown = Callable[[Session, Sequence[Result]], object]
"""shows results of a soak that goes on"""


class Part(msgspec.Struct, frozen=True):
    """Files, or parts of files, that an attempt at a soak has made since the client last asked."""

    session: str
    attempt: str
    """its name; when a worker dies, the next attempt begins anew on another one"""
    files: dict[str, bytes]


def new(folder: Path, have: Mapping[str, int]) -> dict[str, bytes]:
    """Return what is new in the folder of a soak to a client that has `have` bytes of its files."""
    found = {}
    for file in folder.iterdir():
        with contextlib.suppress(OSError):  # a log that was compressed meanwhile
            if not file.name.startswith(".") and file.stat().st_size != have.get(file.name, 0):
                found[file.name] = file.read_bytes()
    return rest(found, have)


def rest(files: Mapping[str, bytes], have: Mapping[str, int]) -> dict[str, bytes]:
    """Return what of `files` a client does not have: further lines of records, and logs that have another length, in whole."""
    other = {name: content for name, content in files.items() if len(content) != have.get(name, 0)}
    parts = {name: content[have.get(name, 0) : content.rfind(b"\n") + 1] for name, content in other.items() if _appended(name)}
    return {name: parts.get(name, content) for name, content in other.items() if parts.get(name, content)}


def _appended(name: str) -> bool:
    return name in FILES.values()


class UnderWay:
    """The soaks of a run. Boots of an attempt have numbers behind those of the attempts before it: none is taken for another."""

    def __init__(self, run: Run, sessions: Iterable[Session], ask: Callable[[Have], Iterable[Part]], shown: Shown) -> None:
        """Write records of `sessions` into the folder of `run`; `ask` has what is new from all workers."""
        self._run, self._ask, self._shown = run, ask, shown
        self._sessions = {session.name: session for session in sessions}
        self._have: Have = {}
        self._first: dict[str, int] = {}
        """number of the first boot, by attempt"""
        self._boots: Counter[str] = Counter()
        """numbers that are taken, by session"""
        self._attempts: dict[str, list[str]] = {}
        """by session"""
        self._hours: dict[str, float] = {}
        self._due = Deadline(_EVERY)

    def look(self) -> None:
        """Write down what is new, if it is time to ask. Raises RigError if it cannot be written."""
        if not self._due.over:
            return
        self._due = Deadline(_EVERY)
        for part in self._ask(self._have):
            if part.session in self._sessions and self._latest(part):
                with contextlib.suppress(Damaged):  # it is damaged at its end too, which is said then
                    self._shown(self._sessions[part.session], self._take(part))

    def end(self, session: Session, answer: Answer) -> list[Result]:
        """Write down what an attempt that came to its end has left, and return its results.

        Raises RigError, where nothing of that is written, if it is damaged.
        """
        left = rest(answer.files, self._have.get(answer.attempt, {}))
        return self._take(Part(session.name, answer.attempt, left))

    def reason(self, session: Session, failed: str, hours: float) -> str:
        """Return why the records of a session end before the `hours` of its soak, in one sentence."""
        had = self._hours.get(session.name, 0.0)
        return f"given up after {had:.2f} of {hours:g} h, of which the last minute may be missing: {failed}"

    def notes(self) -> Iterator[str]:
        """Yield a sentence for each cell of which an attempt was lost: a report has the records of all of them."""
        for name, attempts in self._attempts.items():
            if len(attempts) > 1:
                yield (
                    f"The soak of {self._sessions[name].built.cell.name} was begun {len(attempts)} times, since a worker was lost"
                    " or failed; each has boots of its own, and the last minute of those before the last one may be missing."
                )

    def _latest(self, part: Part) -> bool:
        """Return whether a part is of the latest attempt: an earlier one was given up, even if it goes on somewhere."""
        known = self._attempts.setdefault(part.session, [])
        if part.attempt not in known:
            known.append(part.attempt)
        return known[-1] == part.attempt

    def _take(self, part: Part) -> list[Result]:
        session = self._sessions[part.session]
        try:
            came = gathered.unpacked(session, part.files)
        except RigError as error:
            raise Damaged(str(error)) from error
        self._latest(part)
        came = _moved(came, self._first.setdefault(part.attempt, self._boots[part.session]))
        results = gathered.write(self._run, came, "")
        for name in came.logs:  # a log whose next part has begun is compressed by now
            if name.endswith(COMPRESSED):
                (self._run.folder / name.removesuffix(COMPRESSED)).unlink(missing_ok=True)
        have = self._have.setdefault(part.attempt, {})
        for name, content in part.files.items():
            have[name] = len(content) + (have.get(name, 0) if _appended(name) else 0)
        self._boots[part.session] = max(self._boots[part.session], *(boot + 1 for boot in _boots(came)), 0)
        looks = (record.hours for record in came.records if isinstance(record, Look))
        self._hours[part.session] = max(self._hours.get(part.session, 0.0), *looks, 0.0)
        return results


class Damaged(RigError):
    """A worker sent something else than a soak records."""


def _boots(came: Came) -> Iterator[int]:
    every: Sequence[Any] = (*came.records, *came.results)
    yield from (record.boot for record in every if hasattr(record, "boot"))
    yield from (int(found[1]) for name in came.logs if (found := _BOOT.search(name)))


def _moved(came: Came, boots: int) -> Came:
    """Return what came with numbers of boots that are higher by `boots`, also in the names of logs."""

    def log(name: str) -> str:
        return _BOOT.sub(lambda found: f"-{int(found[1]) + boots}", name)

    def record(of: Any) -> Any:
        more = {"log": log(of.log)} if isinstance(of, Finding) else {}
        return msgspec.structs.replace(of, boot=of.boot + boots, **more) if hasattr(of, "boot") else of

    logs = {log(name): content for name, content in came.logs.items()}
    return Came([*map(record, came.records)], [*map(record, came.results)], logs, came.report_log)
