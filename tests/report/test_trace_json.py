# SPDX-License-Identifier: GPL-2.0-only
"""The file for Perfetto: rows of the Trace Event Format."""

from __future__ import annotations

import json
from typing import Any

from harness.model.ftrace import ENTRY, EXIT, GRAPH, Event
from harness.report.trace_json import trace_json

COMMANDS = "812 insmod\n815 vmalloc test/0\n\n7\n"


def written(*events: Event) -> list[dict[str, Any]]:
    """Return the rows that are no names of threads."""
    return [row for row in rows(*events) if row["ph"] != "M"]


def rows(*events: Event) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(trace_json(events, COMMANDS, {}))["traceEvents"]
    return found


def kmalloc(time: int, pid: int = 812) -> Event:
    return Event(2, time, pid, "kmem", "kmalloc", {"call_site": "alloc_vmap_area", "bytes_req": 64})


def test_an_event_is_a_moment_of_its_thread() -> None:
    assert written(kmalloc(1_234_567)) == [
        {
            "ph": "i",
            "s": "t",
            "cat": "kmem",
            "name": "kmalloc",
            "ts": 1234.567,
            "pid": 812,
            "tid": 812,
            "args": {"cpu": 2, "call_site": "alloc_vmap_area", "bytes_req": 64},
        }
    ]


def test_a_function_lasts_from_its_begin_to_its_end() -> None:
    values: dict[str, int | str] = {"func": "alloc_vmap_area", "calltime": 1500, "rettime": 4000, "overrun": 0, "depth": 0}
    begins = Event(0, 1510, 812, GRAPH, ENTRY, {"func": "alloc_vmap_area", "depth": 0})
    assert written(begins, kmalloc(2000), Event(0, 4010, 812, GRAPH, EXIT, values))[1:] == [
        {
            "ph": "X",
            "cat": "function",
            "name": "alloc_vmap_area",
            "ts": 1.5,
            "dur": 2.5,
            "pid": 812,
            "tid": 812,
            "args": {"cpu": 0},
        }
    ]


def test_a_function_that_has_not_ended_is_left_out() -> None:
    assert written(Event(0, 1510, 812, GRAPH, ENTRY, {"func": "alloc_vmap_area", "depth": 0})) == []


def test_threads_have_their_names() -> None:
    named = [row for row in rows(kmalloc(1), kmalloc(2), kmalloc(3, 815), kmalloc(4, 0), kmalloc(5, 99)) if row["ph"] == "M"]
    assert {(row["tid"], row["args"]["name"]) for row in named if row["name"] == "thread_name"} == {
        (812, "insmod"),
        (815, "vmalloc test/0"),
        (0, "idle"),
        (99, "thread 99"),
    }
    assert len(named) == 8, "of the thread and of its process, once each"


def test_what_is_known_of_the_whole_is_kept() -> None:
    whole = json.loads(trace_json([], "", {"clock": "2 ns are one instruction."}))
    assert whole == {"metadata": {"clock": "2 ns are one instruction."}, "traceEvents": []}
