# SPDX-License-Identifier: GPL-2.0-only
"""Reads the test module's KTAP lines out of a kernel log."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator

import msgspec

_PREFIX = "vmalloc_test: "
_RESULT = re.compile(r"^(ok|not ok) (\d{1,20}) (\w+)(?: # ?(.*))?$")
_PLAN = re.compile(r"^1\.\.(\d{1,20})$")
_LATENCY = re.compile(r"^# latency test=(\w+) pass=(\d{1,20}) ops=(\d{1,20}) overhead_ns=(\d{1,20}) max_ns=(\d{1,20})$")
_BUCKETS = re.compile(r"^# buckets test=(\w+) pass=(\d{1,20}) (\d{1,20}:\d{1,20}(?:,\d{1,20}:\d{1,20})*)$")
_SIZES = ("areas", "used", "free", "largest_hole", "lazy", "slab_unreclaimable")
_MEMORY = re.compile(
    r"^# memory test=(\w+) at=(before|during|after) ns=(\d{1,20})(" + "".join(rf" {name}=\d{{1,20}}" for name in _SIZES) + ")$"
)
_NOTE = re.compile(r"^# note test=(\w+) thread=(\d{1,20})((?: \w+=\d{1,20})+)$")
_SAMPLE = re.compile(r"^# sample test=(\w+) repeat=(\d{1,20}) thread=(\d{1,20}) cpu=\d{1,20} ops=(\d{1,20}) ns=(\d{1,20})$")


class Timing(msgspec.Struct, frozen=True):
    """One sample as the module prints it."""

    test: str
    repeat: int
    thread: int
    operations: int
    nanoseconds: int


class ResultLine(msgspec.Struct, frozen=True):
    """One test's result line."""

    test: str
    ok: bool
    skipped: bool
    reason: str


class Latency(msgspec.Struct, frozen=True):
    """Durations of the operations in one pass of a test."""

    test: str
    repeat: int
    operations: int
    overhead_ns: int
    """cost of reading the clock, which is part of every operation"""
    max_ns: int
    buckets: tuple[tuple[int, int], ...]
    """lower bound in nanoseconds, ascending, and count; the counts add up to `operations`"""


class MemoryLine(msgspec.Struct, frozen=True):
    """One look at memory, as the module prints it."""

    test: str
    at: str
    """``before``, ``during`` or ``after``"""
    nanoseconds: int
    """since the pass began"""
    values: dict[str, int]
    """bytes, but for ``areas``, a count"""


class Note(msgspec.Struct, frozen=True):
    """Values that a test reports besides its samples."""

    test: str
    thread: int
    values: dict[str, int]


class Report(msgspec.Struct, frozen=True):
    """All lines of one load of the module."""

    planned: int | None
    """number of tests that it announced; None if it did not get so far"""
    outcomes: tuple[ResultLine, ...]
    timings: tuple[Timing, ...]
    latencies: tuple[Latency, ...] = ()
    looks: tuple[MemoryLine, ...] = ()
    notes: tuple[Note, ...] = ()

    @property
    def complete(self) -> bool:
        """True if every announced test has a result."""
        return self.planned is not None and self.planned == len(self.outcomes)


def parse(log: str) -> Report:
    """Return the lines of the module in a kernel log; other lines are left out."""
    planned: int | None = None
    outcomes: list[ResultLine] = []
    timings: list[Timing] = []
    latencies: list[Latency] = []
    looks: list[MemoryLine] = []
    notes: list[Note] = []
    for text in _lines(log):
        if plan := _PLAN.match(text):
            planned = int(plan[1])
        elif sample := _SAMPLE.match(text):
            timings.append(Timing(sample[1], *(int(sample[number]) for number in range(2, 6))))
        elif latency := _LATENCY.match(text):
            repeat, operations, overhead, longest = (int(latency[number]) for number in range(2, 6))
            latencies.append(Latency(latency[1], repeat, operations, overhead, longest, ()))
        elif buckets := _BUCKETS.match(text):
            _extend(latencies, buckets[1], int(buckets[2]), buckets[3])
        elif memory := _MEMORY.match(text):
            looks.append(MemoryLine(memory[1], memory[2], int(memory[3]), _values(memory[4])))
        elif note := _NOTE.match(text):
            notes.append(Note(note[1], int(note[2]), _values(note[3])))
        elif result := _RESULT.match(text):
            reason = result[4] or ""
            skipped = reason.upper().startswith("SKIP")
            outcomes.append(ResultLine(result[3], result[1] == "ok", skipped, reason))
    whole = tuple(latency for latency in latencies if _is_whole(latency))
    return Report(planned, tuple(outcomes), tuple(timings), whole, tuple(looks), tuple(notes))


def _lines(log: str) -> Iterator[str]:
    """Return the module's lines without their prefix; what follows the last line's end was never finished."""
    for line in log.split("\n")[:-1]:
        _, prefix, text = line.partition(_PREFIX)
        if prefix:
            yield text.rstrip()


def _values(words: str) -> dict[str, int]:
    pairs = (word.split("=") for word in words.split())
    return {name: int(value) for name, value in pairs}


def _extend(latencies: list[Latency], test: str, repeat: int, text: str) -> None:
    """Add the buckets of a line to the last of the latencies, if they are of the same pass."""
    if not latencies or (latencies[-1].test, latencies[-1].repeat) != (test, repeat):
        return
    pairs = (pair.split(":") for pair in text.split(","))
    more = tuple((int(lower), int(count)) for lower, count in pairs)
    latencies[-1] = msgspec.structs.replace(latencies[-1], buckets=latencies[-1].buckets + more)


def _is_whole(latency: Latency) -> bool:
    """Return whether all lines with buckets are there, whole and once."""
    bounds = [lower for lower, _ in latency.buckets]
    ascending = all(lower < upper for lower, upper in itertools.pairwise(bounds))
    return ascending and sum(count for _, count in latency.buckets) == latency.operations
