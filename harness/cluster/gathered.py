# SPDX-License-Identifier: GPL-2.0-only
"""Writes what came back of a session into the run's folder: its logs first, its results last."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import msgspec

from harness.build import git
from harness.cluster.task import REPORT_LOG
from harness.errors import RigError
from harness.host import debug_info, files
from harness.host.debug_info import Source
from harness.model.attribution import Counted
from harness.model.records import Finding, Result
from harness.model.run_folder import COMPRESSED, FILES, Run
from harness.model.trouble import Frame
from harness.suite.plan import Session


class Came(NamedTuple):
    """A session that came back, found to be whole."""

    records: Sequence[msgspec.Struct]
    """without the results"""
    results: Sequence[Result]
    logs: Mapping[str, bytes]
    """console logs by name"""
    report_log: bytes
    """lines of pytest's own log"""


def read(session: Session, came: Mapping[str, bytes]) -> Came:
    """Return what the files `came` of a suite's session hold; RigError if a file is damaged, or results are missing."""
    whole = unpacked(session, came)
    if session.steps and len(whole.results) != session.results:  # those of a soak are as many as fit into its time
        raise RigError(f"{session.name} came back with {len(whole.results)} results of {session.results}.")
    return whole


def unpacked(session: Session, came: Mapping[str, bytes]) -> Came:
    """Return what the files `came` of a session's folder hold, with as many results as there are.

    Raises RigError for a damaged file, and for one that no session has, such as the plan of a run.
    """
    logs = {name: content for name, content in came.items() if name not in (*FILES.values(), REPORT_LOG)}
    _check_names(session, logs)
    records = list(_records(session, came))
    results = [record for record in records if isinstance(record, Result)]
    return Came([each for each in records if not isinstance(each, Result)], results, logs, came.get(REPORT_LOG, b""))


def _check_names(session: Session, names: Iterable[str]) -> None:
    """Raise RigError for a name that is none of a console's log of the session: they get into the run's folder as they are."""
    boot = session.boot if session.steps else r"\d+"  # a soak boots its cell anew whenever a VM was lost
    begin, end = f"{session.built.cell.file_name}-{session.clock}-", re.escape(COMPRESSED)
    form = rf"{re.escape(begin)}{boot}(?:\.\d+)?\.serial\.log(?:{end})?"
    if odd := [name for name in names if not re.fullmatch(form, name, re.ASCII)]:
        raise RigError(f"{session.name} came back with {odd[0]!r}, which is no log of its VM, so that nothing of it is taken.")


def write(run: Run, came: Came, report_log: str) -> list[Result]:
    """Write down what came back of a session, and return its results; `report_log` is the name of the run's own log.

    A session whose results were not all written counts as not done.
    """
    for name, content in came.logs.items():
        files.write(run.folder / name, content)
    if came.report_log:
        run.append(report_log, came.report_log)
    run.add(came.records)
    run.add(came.results)
    return list(came.results)


def _records(session: Session, came: Mapping[str, bytes]) -> Iterator[msgspec.Struct]:
    sources = (git.sources(session.built.kernel.commit),)
    for kind, name in FILES.items():
        for line in came.get(name, b"").splitlines():
            try:
                record = msgspec.json.decode(line, type=kind)
            except msgspec.DecodeError as error:
                raise RigError(f"{session.name} came back with a damaged {name}: {error}.") from error
            yield with_source(record, sources)


def with_source(record: msgspec.Struct, sources: Sequence[Source]) -> msgspec.Struct:
    """Return a record with the text of its source lines, which a worker's host does not have."""
    if isinstance(record, Finding):
        trouble = record.trouble
        frames = tuple(_frame(frame, sources) for frame in trouble.frames)
        return msgspec.structs.replace(record, trouble=msgspec.structs.replace(trouble, frames=frames))
    if isinstance(record, Counted):
        functions = (
            msgspec.structs.replace(
                function,
                lines=tuple(
                    msgspec.structs.replace(line, text=line.text or debug_info.text(line.file, line.line, sources))
                    for line in function.lines
                ),
            )
            for function in record.functions
        )
        return msgspec.structs.replace(record, functions=tuple(functions))
    return record


def _frame(frame: Frame, sources: Sequence[Source]) -> Frame:
    if not frame.file or frame.source:
        return frame
    return msgspec.structs.replace(frame, source=debug_info.text(frame.file, frame.line, sources))
