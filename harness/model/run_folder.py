# SPDX-License-Identifier: GPL-2.0-only
"""A run's folder: appends records as they come, and reads them back."""

from __future__ import annotations

import datetime
import os
import secrets
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import msgspec

from harness import paths
from harness.errors import RigError, UsageError
from harness.host import files, stored
from harness.model.attribution import Counted, LockedSection
from harness.model.changes import CellChanges
from harness.model.coverage import ChangedLines, Reached
from harness.model.records import (
    Booted,
    CriticalSection,
    Finding,
    Histogram,
    Look,
    Memory,
    Point,
    Provenance,
    Result,
    Sample,
    Scaled,
    Within,
)

COMPRESSED = ".gz"
"""suffix of a compressed console log"""
_TORN = "the line has no end"
Record = TypeVar("Record", bound=msgspec.Struct)
PROVENANCE = "run.json"
"""file that each run's folder has"""
HOSTS = "hosts.json"
"""file of a run whose times a cluster measures: the host of each machine"""
FILES: Mapping[type[msgspec.Struct], str] = {
    Booted: "boots.jsonl",
    Sample: "samples.jsonl",
    Finding: "findings.jsonl",
    Histogram: "latency.jsonl",
    CriticalSection: "sections.jsonl",
    Memory: "memory.jsonl",
    Scaled: "scaled.jsonl",
    Point: "sweep.jsonl",
    Look: "soak.jsonl",
    Result: "results.jsonl",
    Within: "within.jsonl",
    CellChanges: "changes.jsonl",
    Counted: "counts.jsonl",
    LockedSection: "locks.jsonl",
    Reached: "reached.jsonl",
    ChangedLines: "lines.jsonl",
}
"""name of the file in a run's folder by the type of its records, one record per line"""


def new_folder(parent: Path | None = None) -> Path:
    """Return the path of a new run's folder, in results/ or `parent`: its name is the time in UTC and a random id."""
    time = datetime.datetime.now(datetime.UTC).strftime("%Y%m%d-%H%M%S")
    return (parent or paths.RESULTS) / f"{time}-{secrets.token_hex(2)}"


class Run:
    """A run's folder; a record is on the disk when the call that adds it returns."""

    def __init__(self, folder: Path) -> None:
        """Use `folder`; it is made if it does not exist."""
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def alone(self) -> AbstractContextManager[None]:
        """Hold the folder against other rigs, so that none resumes what another still writes; UsageError if one does."""
        return files.locked(self.folder / "run", f"{self.folder} is in use by another rig.")

    def add(self, records: Iterable[msgspec.Struct]) -> None:
        """Append records to the files of their types and sync these; only the last line of a file can be incomplete."""
        lines: dict[str, list[bytes]] = {}
        for record in records:
            lines.setdefault(FILES[type(record)], []).append(msgspec.json.encode(record) + b"\n")
        for name, added in lines.items():
            self.append(name, b"".join(added))

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
        """Return the boots that proved what they run; empty for a run of a version of the rig without this proof."""
        return self._read(Booted)

    def proven(self) -> bool:
        """Return True if all measurements and passed tests come from boots that proved what they run."""
        booted = {(b.machine, b.variant, b.profile, b.clock, b.boot) for b in self.boots()}
        went_well = (result for result in self.results() if result.outcome in ("passed", "xfailed"))
        measured: tuple[Sample | Point | Look | Result, ...] = (*self.samples(), *self.points(), *self.looks(), *went_well)
        return bool(booted) and {(m.machine, m.variant, m.profile, m.clock, m.boot) for m in measured} <= booted

    def samples(self) -> list[Sample]:
        """Return all samples of the run."""
        return self._read(Sample)

    def histograms(self) -> list[Histogram]:
        """Return the times of single operations."""
        return self._read(Histogram)

    def sections(self) -> list[CriticalSection]:
        """Return the longest sections without preemption."""
        return self._read(CriticalSection)

    def memory(self) -> list[Memory]:
        """Return the states of memory around each test, in the order in which they were taken."""
        return self._read(Memory)

    def scaled(self) -> list[Scaled]:
        """Return what tests did in place of more where the vmalloc range is small; empty for a run of an older rig."""
        return self._read(Scaled)

    def looks(self) -> list[Look]:
        """Return the states of memory that a soak took, in order."""
        return self._read(Look)

    def points(self) -> list[Point]:
        """Return the measurements of a sweep."""
        return self._read(Point)

    def changes(self) -> list[CellChanges]:
        """Return the changes of each kernel from the variant before it; empty if the run did not record them."""
        return self._read(CellChanges)

    def counted(self) -> list[Counted]:
        """Return the instructions of timed loops by function."""
        return self._read(Counted)

    def locked(self) -> list[LockedSection]:
        """Return the sections of timed loops under a lock or without interrupts."""
        return self._read(LockedSection)

    def reached(self) -> list[Reached]:
        """Return the lines of the series that ran, by test."""
        return self._read(Reached)

    def changed_lines(self) -> list[ChangedLines]:
        """Return the lines of the series, by cell."""
        return self._read(ChangedLines)

    def findings(self) -> list[Finding]:
        """Return all findings of the run."""
        return self._read(Finding)

    def results(self) -> list[Result]:
        """Return the results of the tests."""
        return self._read(Result)

    def within(self) -> list[Within]:
        """Return the results of the tests within a foreign module; empty for a run of a version of the rig without these."""
        return self._read(Within)

    def provenance(self) -> Provenance:
        """Return the provenance of the run; UsageError if the folder is not a run's."""
        file = self.folder / PROVENANCE
        try:
            return stored.decode(stored.content(file), Provenance)
        except OSError as error:
            raise UsageError(f"{self.folder} is not a run: {file.name} cannot be read ({error.strerror}).") from error
        except msgspec.DecodeError as error:
            raise UsageError(f"{file} is damaged: {error}.") from error

    def describe(self, provenance: Provenance) -> None:
        """Store the provenance of the run, in place of the old one."""
        files.write(self.folder / PROVENANCE, msgspec.json.format(msgspec.json.encode(provenance)))

    def change(self, **fields: Any) -> None:
        """Change `fields` of the stored provenance."""
        self.describe(msgspec.structs.replace(self.provenance(), **fields))

    def left_out(self) -> list[str]:
        """Return the places of lines that cannot be read, such as ``samples.jsonl:3``, each with the reason.

        The methods that return records leave these lines out. Whoever judges by the records has to say so. A last line
        without an end counts if the run is finished; else it is of the test in whose middle the run was killed.
        """
        finished = bool(self.provenance().finished)
        return [line for record in FILES for line in self._lines(record)[1] if finished or not line.endswith(_TORN)]

    def _read(self, record: type[Record]) -> list[Record]:
        return self._lines(record)[0]

    def _lines(self, record: type[Record]) -> tuple[list[Record], list[str]]:
        """Return the records of a file, and the places of its lines that are none; UsageError if the file cannot be read."""
        file = self.folder / FILES[record]
        if not file.exists():
            return [], []
        try:
            *lines, torn = stored.content(file).split(b"\n")
        except OSError as error:
            raise UsageError(f"{file} cannot be read: {error.strerror}.") from error
        records, left_out = [], [f"{file.name}:{len(lines) + 1}: {_TORN}"] if torn else []
        for number, line in enumerate(lines, 1):
            try:
                records.append(stored.decode(line, record))
            except msgspec.DecodeError as error:
                left_out.append(f"{file.name}:{number}: {error}")
        return records, left_out


def _ends_a_line(file: BinaryIO) -> bool:
    file.seek(-1, os.SEEK_END)
    return file.read() == b"\n"


def _whole(file: BinaryIO) -> int:
    file.seek(0)
    return file.read().rfind(b"\n") + 1
