# SPDX-License-Identifier: GPL-2.0-only
"""Reads the test module's KTAP lines out of a kernel log."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator

import msgspec

from harness.model import records

_PREFIX = "vmalloc_test: "
MOST = records.MOST
"""highest number that a line may have; it is also what a record can hold"""
_RESULT = re.compile(r"^(ok|not ok) (\d{1,20}) (\w+)(?: # ?(.*))?$")
_PLAN = re.compile(r"^1\.\.(\d{1,20})$")
_LATENCY = re.compile(r"^# latency test=(\w+) pass=(\d{1,20}) ops=(\d{1,20}) overhead_ns=(\d{1,20}) max_ns=(\d{1,20})$")
_BUCKETS = re.compile(r"^# buckets test=(\w+) pass=(\d{1,20}) (\d{1,20}:\d{1,20}(?:,\d{1,20}:\d{1,20})*)$")
_SIZES = ("areas", "used", "free", "largest_hole", "lazy", "slab_unreclaimable")
_MEMORY = re.compile(
    r"^# memory test=(\w+) at=(before|during|after) ns=(\d{1,20})(" + "".join(rf" {name}=\d{{1,20}}" for name in _SIZES) + ")$"
)
_NOTE = re.compile(r"^# note test=(\w+) thread=(\d{1,20})((?: \w+=\d{1,20})+)$")
_SPACE = re.compile(r"^# space test=(\w+) repeat=(\d{1,20}) ops=(\d{1,20}) held=(\d{1,20}) span=(\d{1,20})$")
_SCALED = re.compile(r"^# scaled test=(\w+) to (\d{1,9}) MiB: (.+), in place of (.+)$")
_FIGURES = re.compile(r"^# (?:latency|buckets|memory|note|sample|space) test=")
_NUMBER = re.compile(r"(?<=[=:, ])\d{19,}(?=[ ,:]|$)")
"""a number of so many digits that it may be above MOST"""
_SAMPLE = re.compile(r"^# sample test=(\w+) repeat=(\d{1,20}) thread=(\d{1,20}) cpu=\d{1,20} ops=(\d{1,20}) ns=(\d{1,20})$")


class Timing(msgspec.Struct, frozen=True):
    """One sample as the module prints it."""

    test: str
    repeat: int
    thread: int
    operations: int
    nanoseconds: int


class Space(msgspec.Struct, frozen=True):
    """One sample of a test that measures space; sums over its operations, in KiB."""

    test: str
    repeat: int
    operations: int
    held: int
    """size of what it held"""
    span: int
    """space from the lowest possible address to the highest end"""

    @property
    def counts(self) -> bool:
        """True if a ratio can be made of it: something was held, and no more than was spanned."""
        return 0 < self.held <= self.span and self.operations > 0


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


class Scaling(msgspec.Struct, frozen=True):
    """The work of a test that was scaled down to a small vmalloc range."""

    test: str
    mebibytes: int
    """of the vmalloc range"""
    done: str
    asked: str
    """its work in a large range"""


class Report(msgspec.Struct, frozen=True):
    """All lines of one load of the module."""

    planned: int | None
    """number of tests that it announced; None if it did not get so far"""
    outcomes: tuple[ResultLine, ...]
    timings: tuple[Timing, ...]
    latencies: tuple[Latency, ...] = ()
    looks: tuple[MemoryLine, ...] = ()
    notes: tuple[Note, ...] = ()
    spaces: tuple[Space, ...] = ()
    scalings: tuple[Scaling, ...] = ()
    impossible: tuple[str, ...] = ()
    """lines that have a number above MOST, which no guest can mean; nothing is taken from them"""

    @property
    def complete(self) -> bool:
        """True if every announced test has a result."""
        return self.planned is not None and self.planned == len(self.outcomes)

    @property
    def measured(self) -> bool:
        """True if it has a sample, of time or of space."""
        return any(timing.operations for timing in self.timings) or any(space.counts for space in self.spaces)


def parse(log: str) -> Report:
    """Return the lines of the module in a kernel log; other lines are left out."""
    read = _Read()
    for text in _lines(log):
        if _FIGURES.match(text) and any(_is_impossible(number) for number in _NUMBER.findall(text)):
            read.impossible.append(text)
        else:
            read.line(text)
    return read.report()


def timing(text: str) -> Timing | None:
    """Return the sample that a module's line reports; None for another line, and one with a number that no record can hold."""
    sample = _SAMPLE.match(text)
    if not sample or any(map(_is_impossible, sample.groups()[1:])):
        return None
    return Timing(sample[1], *(int(sample[number]) for number in range(2, 6)))


def _is_impossible(number: str) -> bool:
    digits = number.lstrip("0")
    return len(digits) > len(str(MOST)) or int(digits or "0") > MOST


class _Read:
    """Takes the lines of a load one by one."""

    def __init__(self) -> None:
        self.impossible: list[str] = []
        self._planned: int | None = None
        self._outcomes: list[ResultLine] = []
        self._timings: list[Timing] = []
        self._latencies: list[Latency] = []
        self._looks: list[MemoryLine] = []
        self._notes: list[Note] = []
        self._spaces: list[Space] = []
        self._scalings: list[Scaling] = []

    def line(self, text: str) -> None:
        """Take a line of the module's, if it is of a kind that is known."""
        if plan := _PLAN.match(text):
            self._planned = int(plan[1])
        elif timed := timing(text):
            self._timings.append(timed)
        elif latency := _LATENCY.match(text):
            repeat, operations, overhead, longest = (int(latency[number]) for number in range(2, 6))
            self._latencies.append(Latency(latency[1], repeat, operations, overhead, longest, ()))
        elif buckets := _BUCKETS.match(text):
            _extend(self._latencies, buckets[1], int(buckets[2]), buckets[3])
        elif memory := _MEMORY.match(text):
            self._looks.append(MemoryLine(memory[1], memory[2], int(memory[3]), _values(memory[4])))
        elif note := _NOTE.match(text):
            self._notes.append(Note(note[1], int(note[2]), _values(note[3])))
        elif space := _SPACE.match(text):
            self._spaces.append(Space(space[1], *(int(space[number]) for number in range(2, 6))))
        elif scaled := _SCALED.match(text):
            self._scalings.append(Scaling(scaled[1], int(scaled[2]), scaled[3], scaled[4]))
        elif result := _RESULT.match(text):
            reason = result[4] or ""
            skipped = reason.upper().startswith("SKIP")
            self._outcomes.append(ResultLine(result[3], result[1] == "ok", skipped, reason))

    def report(self) -> Report:
        """Return all that was read."""
        whole = tuple(latency for latency in self._latencies if _is_whole(latency))
        parts = (tuple(part) for part in (self._looks, self._notes, self._spaces, self._scalings, self.impossible))
        return Report(self._planned, tuple(self._outcomes), tuple(self._timings), whole, *parts)  # type: ignore[arg-type]


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
    """Return whether all lines with buckets are there, whole and once, and no bucket is empty."""
    bounds = [lower for lower, _ in latency.buckets]
    ascending = all(lower < upper for lower, upper in itertools.pairwise(bounds))
    counted = bool(latency.buckets) and all(count for _, count in latency.buckets)
    return ascending and counted and sum(count for _, count in latency.buckets) == latency.operations
