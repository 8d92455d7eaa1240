# SPDX-License-Identifier: GPL-2.0-only
"""What a run leaves: samples, findings and test results, stored as they come and read back."""

from __future__ import annotations

import datetime
import os
import secrets
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO, TypeVar

import msgspec

from harness import paths
from harness.errors import RigError, UsageError
from harness.model.changes import CellChanges
from harness.model.clock import Clock
from harness.model.trouble import Trouble

COMPRESSED = ".gz"
"""what is added to the name of a console's log that is compressed"""
Record = TypeVar("Record", bound=msgspec.Struct)


class Place(msgspec.Struct, frozen=True):
    """Which kernel it was, and under which clock."""

    machine: str
    variant: str
    profile: str
    clock: Clock


class Seen(Place, frozen=True):
    """What was running there."""

    test: str
    boot: int
    """which boot of the cell under its clock in this run, from 0"""


class Booted(Place, frozen=True):
    """A boot that proved, before its first test, that it runs what was built for its cell."""

    boot: int
    build_id: str
    """as the guest's kernel says"""
    vmlinux_build_id: str
    """of the cell's vmlinux"""
    module_build_id: str
    """as the guest says of the loaded module, which is that of the built one; empty where the kernel did not load it"""
    initramfs: str
    """digest of what the guest's initramfs holds, as it says itself"""
    release: str
    command_line: str
    """of the kernel"""
    qemu: str
    """version of the QEMU that runs it"""


class Sample(Seen, frozen=True):
    """One measured value."""

    repeat: int
    thread: int
    value: float
    unit: str
    """``instructions/op`` or ``ns/op``"""
    operations: int
    """how many operations the value is the mean of"""
    warmup: bool = False
    """kept, but no part of any statistic: the first sample after a load pays for cold caches and page tables"""


class Histogram(Seen, frozen=True):
    """How long each single operation of a test took, in a pass of its own."""

    unit: str
    """``instructions`` or ``ns``"""
    overhead: float
    """what reading the clock adds to every operation"""
    highest: float
    """the longest operation, exact"""
    buckets: tuple[tuple[float, int], ...]
    """lower bound, ascending, and count; a bucket is as wide as three significant digits allow"""


class Section(Seen, frozen=True):
    """The longest stretch without preemption in a test's timed loop, as the kernel's tracer saw it."""

    microseconds: float
    """of the guest's clock, which under icount is a count of instructions in disguise: see clock.py"""
    began: str
    """the function that switched preemption off"""
    ended: str
    stack: tuple[str, ...]
    """of the end, innermost first"""
    repeat: int = 0
    """which round of the boot"""


class Memory(Seen, frozen=True):
    """A look at the guest's memory and vmalloc space before, during or after a test."""

    at: str
    """``before``, ``during`` or ``after``"""
    seconds: float
    """of the guest's clock since the test began"""
    values: dict[str, int]
    """bytes, but for ``areas``, a count; ``fragmented`` is the free space outside of the largest hole, and
    ``slab:NAME`` what a cache's objects take"""


class Look(Seen, frozen=True):
    """What a guest's memory was like after a test of a soak, when the module was gone and the kernel at rest."""

    round: int
    """which round of the cell, from 0"""
    seed: int
    """of the test's pseudo random numbers; 0 for the module's default"""
    share: float
    """of the scale's operations that the test did"""
    uptime: float
    """seconds since the guest's boot"""
    values: dict[str, int]
    """bytes, but for ``areas``, a count; see meminfo.at_rest()"""
    caches: dict[str, int]
    """bytes that the objects of slab caches take, of the largest and of those that grew most since the boot's first look"""
    hours: float = 0.0
    """of host time since the soak began"""


class Point(Place, frozen=True):
    """One measured value of a sweep: the cost of an operation at one size of the allocator's state."""

    workload: str
    axis: str
    """what grows: ``busy`` areas or free ``holes``"""
    size: int
    boot: int
    repeat: int
    value: float
    unit: str
    operations: int


class Finding(Seen, frozen=True):
    """A problem that a kernel or the test module reported."""

    trouble: Trouble
    """of a kind that kernlog knows, or ``test-failed``, ``load-failed``, ``hang``, ``died``, ``not-seen``"""
    expected: str
    """the reason why it was to be expected; empty for one that was not"""
    log: str
    """file in the run's folder that holds it"""
    evidence: str = ""
    """what the guest still told when it was asked: call traces and registers of its CPUs; empty where there was no need"""
    left: str = ""
    """what was left for a person to look at: the VM itself, or the file with its memory"""


class Result(Seen, frozen=True):
    """How one test of one cell went."""

    round: int
    outcome: str
    """passed, failed, xfailed (a known bug was seen), skipped or error (the rig's own)"""
    seconds: float
    """of host time"""
    reason: str = ""


class Provenance(msgspec.Struct, frozen=True):
    """Where a run's figures come from: run.json."""

    run: str
    started: str
    command: str
    """with which the run can be repeated"""
    kernel: str
    version: str
    source: str
    source_tree: str
    stock_only: bool
    scale: str
    """with ``unsettled`` behind it where samples found what others left: such runs are of another kind"""
    loops: float
    """share of the scale's operations that was done"""
    threshold: float
    """per cent of slow-down from which on a change is a regression"""
    margins: dict[Clock, float]
    """per cent by clock: what lies within counts as the same"""
    planned: int
    """how many results a complete run has"""
    host: str
    tools: dict[str, str]
    machines: dict[str, str]
    """name and description"""
    cells: dict[str, str]
    """name and key of the kernel"""
    patches: dict[str, tuple[str, ...]]
    """variant and the names of its patches"""
    notes: tuple[str, ...] = ()
    """what limits what the run says"""
    finished: str = ""
    resumed: tuple[str, ...] = ()
    """when it was taken up again after an interruption"""
    hours: float = 0.0
    """how long a soak was to take; 0 for a run that is none"""
    seed: int = 0
    """from which a soak's rounds follow"""
    proven: bool = False
    """whether each boot in which something was measured, or went well, proved that it runs what was built for it"""
    selfcheck: str = ""
    """what the rig last found out about its own precision, on which host and when"""
    audited: dict[str, str] = {}
    """of cells whose kernels were audited: when, and what was found"""


def now() -> str:
    """Return the time, in UTC to the second, as ISO 8601 has it."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def new_folder(parent: Path | None = None) -> Path:
    """Return a name for a new run's folder, in results/ or `parent`: the time in UTC and an id."""
    time = datetime.datetime.now(datetime.UTC).strftime("%Y%m%d-%H%M%S")
    return (parent or paths.RESULTS) / f"{time}-{secrets.token_hex(2)}"


def _ends_a_line(file: BinaryIO) -> bool:
    file.seek(-1, os.SEEK_END)
    return file.read() == b"\n"


def _whole(file: BinaryIO) -> int:
    file.seek(0)
    return file.read().rfind(b"\n") + 1


class Run:
    """A run's folder; what is added is on the disk when the call returns."""

    def __init__(self, folder: Path) -> None:
        """Use `folder`, which is made if need be."""
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def add(self, name: str, records: Iterable[msgspec.Struct]) -> None:
        """Append records to the file `name` and sync it; a torn line can only be the last."""
        self.append(name, b"".join(msgspec.json.encode(record) + b"\n" for record in records))

    def append(self, name: str, data: bytes) -> None:
        """Append whole lines to the file `name` and sync it."""
        if not data:
            return
        try:
            with (self.folder / name).open("ab+") as file:
                if file.tell() and not _ends_a_line(file):
                    file.truncate(_whole(file))
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise RigError(f"{self.folder / name} cannot be written: {error.strerror}.") from error

    def boots(self) -> list[Booted]:
        """Return the boots that proved what they run; runs of a rig that had no such proof have none."""
        return self._read("boots.jsonl", Booted)

    def proven(self) -> bool:
        """Return whether all that was measured, or that went well, comes from boots that proved what they run."""
        booted = {(b.machine, b.variant, b.profile, b.clock, b.boot) for b in self.boots()}
        went_well = (result for result in self.results() if result.outcome in ("passed", "xfailed"))
        measured: tuple[Sample | Point | Look | Result, ...] = (*self.samples(), *self.points(), *self.looks(), *went_well)
        return bool(booted) and {(m.machine, m.variant, m.profile, m.clock, m.boot) for m in measured} <= booted

    def samples(self) -> list[Sample]:
        """Return all samples of the run."""
        return self._read("samples.jsonl", Sample)

    def histograms(self) -> list[Histogram]:
        """Return how long single operations took."""
        return self._read("latency.jsonl", Histogram)

    def sections(self) -> list[Section]:
        """Return the longest stretches without preemption."""
        return self._read("sections.jsonl", Section)

    def memory(self) -> list[Memory]:
        """Return the looks at memory, in the order in which they were taken."""
        return self._read("memory.jsonl", Memory)

    def looks(self) -> list[Look]:
        """Return the looks at memory that a soak took, in the order in which they were taken."""
        return self._read("soak.jsonl", Look)

    def points(self) -> list[Point]:
        """Return what a sweep measured."""
        return self._read("sweep.jsonl", Point)

    def changes(self) -> list[CellChanges]:
        """Return what each kernel changes against the variant before it; nothing for a run that was not asked to tell."""
        return self._read("changes.jsonl", CellChanges)

    def findings(self) -> list[Finding]:
        """Return all findings of the run."""
        return self._read("findings.jsonl", Finding)

    def results(self) -> list[Result]:
        """Return how each test went."""
        return self._read("results.jsonl", Result)

    def provenance(self) -> Provenance:
        """Return run.json; UsageError if the folder is not a run's."""
        file = self.folder / "run.json"
        try:
            return msgspec.json.decode(file.read_bytes(), type=Provenance)
        except OSError as error:
            raise UsageError(f"{self.folder} is not a run: {file.name} cannot be read ({error.strerror}).") from error
        except msgspec.DecodeError as error:
            raise UsageError(f"{file} is damaged: {error}.") from error

    def _read(self, name: str, record: type[Record]) -> list[Record]:
        file = self.folder / name
        if not file.exists():
            return []
        lines = file.read_bytes().split(b"\n")
        try:
            return [msgspec.json.decode(line, type=record) for line in lines[:-1]]
        except msgspec.DecodeError as error:
            raise UsageError(f"{file} is damaged: {error}.") from error
