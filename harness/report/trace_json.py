# SPDX-License-Identifier: GPL-2.0-only
"""Writes recorded events as JSON in the Trace Event Format, which Perfetto opens.

Perfetto reads ftrace's own text as well, but of that it takes only the events that it knows: none of kmem, and no function.
The file has no displayTimeUnit: earlier versions of Perfetto took times for nanoseconds then, and later ones complain of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from harness.model.ftrace import ENTRY, EXIT, GRAPH, Event

_MICROSECOND = 1000
"""nanoseconds"""


def trace_json(events: Iterable[Event], commands: str, about: Mapping[str, str]) -> bytes:
    """Return the file; `commands` has the names of threads, and `about` is kept as what is known of the whole."""
    names = dict(line.split(maxsplit=1) for line in commands.splitlines() if len(line.split()) > 1)
    known = list(events)
    rows = [*_threads(known, names), *(row for event in known for row in _rows(event))]
    return msgspec.json.encode({"metadata": about, "traceEvents": rows}) + b"\n"


def _threads(events: Iterable[Event], names: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    for pid in dict.fromkeys(event.pid for event in events):
        name = "idle" if pid == 0 else names.get(str(pid), f"thread {pid}")
        for kind in ("process_name", "thread_name"):
            yield {"ph": "M", "name": kind, **_thread(pid), "args": {"name": name}}


def _rows(event: Event) -> Iterator[dict[str, Any]]:
    """Yield the row of an event: of a function when it has ended, because that alone tells when it began as well."""
    if (event.system, event.name) == (GRAPH, ENTRY):
        return
    row: dict[str, Any] = {"cat": event.system, "name": event.name, **_thread(event.pid)}
    values: dict[str, Any] = {"cpu": event.cpu}
    if (event.system, event.name) == (GRAPH, EXIT):
        began, ended = int(event.values["calltime"]), int(event.values["rettime"])
        row |= {"ph": "X", "cat": "function", "name": event.values["func"], "ts": began / _MICROSECOND}
        row |= {"dur": (ended - began) / _MICROSECOND}
    else:
        row |= {"ph": "i", "s": "t", "ts": event.time / _MICROSECOND}
        values |= event.values
    yield {**row, "args": values}


def _thread(pid: int) -> dict[str, int]:
    """Return the place of a thread. A process of its own for each: ftrace does not tell which threads belong together."""
    return {"pid": pid, "tid": pid}
