# SPDX-License-Identifier: GPL-2.0-only
"""Reads the trace file of the kernel's latency tracers; see Documentation/trace/ftrace.rst."""

from __future__ import annotations

import re

import msgspec

_LATENCY = re.compile(r"^# latency: (\d{1,12}) us,", re.M)
_ENDS = re.compile(r"^#  => (started at|ended at): +(\S+)", re.M)
_FRAME = re.compile(r"^ => (\S+)", re.M)


class TracedSection(msgspec.Struct, frozen=True):
    """The longest critical section that a tracer saw."""

    microseconds: float
    began: str
    ended: str
    stack: tuple[str, ...]
    """of its end, innermost first"""


def parse(text: str) -> TracedSection | None:
    """Return the section in a trace file; None if nothing was traced."""
    latency = _LATENCY.search(text)
    if latency is None:
        return None
    ends = dict(_ENDS.findall(text))
    stack = text.partition("<stack trace>")[2]
    return TracedSection(float(latency[1]), ends.get("started at", "?"), ends.get("ended at", "?"), tuple(_FRAME.findall(stack)))
