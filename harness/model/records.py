# SPDX-License-Identifier: GPL-2.0-only
"""Records of a run: samples, findings, test results and provenance."""

from __future__ import annotations

import datetime
import re
from typing import Annotated

import msgspec

from harness import paths
from harness.model.clock import Clock
from harness.model.foreign import Foreign
from harness.model.selection import Settings
from harness.model.toolchains import Toolchain
from harness.model.trouble import Trouble

_AS_TUPLE = re.compile(r"""\('.*?', \d+, (['"])(?:Skipped: )?(.*)\1\)""", re.S)
"""a skipped test's reason as older runs have it: behind the place in the suite where tests are skipped"""
_CLASS = re.compile(r"harness(?:\.\w+)+: ")
"""the class of an error of the rig's, as older runs have it before the reason"""


_AROUND = ("boot", "end")
"""names that records from before the first test and after the last have for a test"""

# A number beyond these is none that a rig measured or a guest can mean; a line that has one is damaged.
MOST = (1 << 63) - 1
"""highest whole number of a record: the history's database keeps no higher one"""
Count = Annotated[int, msgspec.Meta(ge=0, le=MOST)]
AtLeastOne = Annotated[int, msgspec.Meta(ge=1, le=MOST)]
Signed = Annotated[int, msgspec.Meta(ge=-MOST, le=MOST)]
Amount = Annotated[float, msgspec.Meta(ge=0, le=float(1 << 64))]


class Place(msgspec.Struct, frozen=True):
    """The cell and the clock that a record belongs to."""

    machine: str
    variant: str
    profile: str
    clock: Clock


class DuringTest(Place, frozen=True):
    """The test and the boot that a record belongs to."""

    test: str
    boot: Count
    """number of the boot among those of the cell under its clock in this run, from 0"""

    @property
    def around(self) -> bool:
        """True if it belongs to the boot of a VM or to its kernel after the last test, and so to no test."""
        return self.test.partition(" ")[0] in _AROUND


class Booted(Place, frozen=True):
    """A boot that proved, before its first test, that it runs the kernel and module that were built for its cell."""

    boot: Count
    build_id: str
    """build-id that the guest's kernel reports"""
    vmlinux_build_id: str
    """build-id of the cell's vmlinux"""
    module_build_id: str
    """build-id that the guest reports for the loaded module, equal to that of the built one; empty if it was not loaded"""
    initramfs: str
    """digest of the initramfs's content, as the guest reports it"""
    release: str
    command_line: str
    """command line of the kernel"""
    qemu: str
    """version of the QEMU that runs it"""


SPACE = "KiB spanned/MiB held"
"""unit of a sample of a test that measures space"""


class Sample(DuringTest, frozen=True):
    """One measured value."""

    repeat: Count
    thread: Count
    value: Amount
    unit: str
    """``instructions/op``, ``ns/op`` or SPACE"""
    operations: AtLeastOne
    """number of operations that the value is the mean of"""
    warmup: bool = False
    """True if no statistic uses it: the first sample after a module load pays for cold caches and page tables"""


class Histogram(DuringTest, frozen=True):
    """Times of the single operations of a test, measured in a pass of their own."""

    unit: str
    """``instructions`` or ``ns``"""
    overhead: Amount
    """cost of reading the clock, which is part of every value"""
    highest: Amount
    """exact value of the longest operation"""
    buckets: Annotated[tuple[tuple[Amount, AtLeastOne], ...], msgspec.Meta(min_length=1)]
    """lower bound, ascending, and count; values in the same bucket agree in their first three digits"""


class CriticalSection(DuringTest, frozen=True):
    """The longest section without preemption in a test's timed loop, as the kernel's preemptoff tracer reports it."""

    microseconds: Amount
    """guest time, which under icount is derived from the number of instructions: see model/clock.py"""
    began: str
    """function that disabled preemption"""
    ended: str
    """function that enabled it again"""
    stack: tuple[str, ...]
    """call trace at the end, innermost first"""
    repeat: Count = 0
    """number of the round in the boot"""


class Memory(DuringTest, frozen=True):
    """State of the guest's memory and vmalloc space before, during or after a test."""

    at: str
    """``before``, ``during`` or ``after``"""
    seconds: Amount
    """guest time since the test began"""
    values: dict[str, Signed]
    """bytes, but ``areas`` is a count; ``fragmented`` is the free space outside of the largest hole, and
    ``slab:NAME`` the size of the objects of a slab cache"""


class Scaled(DuringTest, frozen=True):
    """A test that did less than it was to do, as the vmalloc range of its kernel is small."""

    mebibytes: Count
    """size of the vmalloc range"""
    asked: str
    """its work where there is room"""
    done: str
    """its work here"""


class Look(DuringTest, frozen=True):
    """State of a guest's memory after a test of a soak, once the module is unloaded and the kernel at rest."""

    round: Count
    """number of the round of the cell, from 0"""
    seed: Count
    """seed of the test's pseudo random numbers; 0 for the module's default"""
    share: Amount
    """share of the scale's operations that the test did"""
    uptime: Amount
    """seconds since the guest's boot"""
    values: dict[str, Signed]
    """bytes, but ``areas`` is a count; see meminfo.at_rest()"""
    caches: dict[str, Signed]
    """bytes of the objects of slab caches: the largest caches, and those that grew most since the first look of the boot"""
    hours: Amount = 0.0
    """host time since the soak began"""


class Point(Place, frozen=True):
    """One measured value of a sweep: the cost of an operation at one size of the allocator's state."""

    workload: str
    axis: str
    """name of the number that grows: ``busy`` areas or free ``holes``"""
    size: Count
    boot: Count
    repeat: Count
    value: Amount
    unit: str
    operations: AtLeastOne


class Finding(DuringTest, frozen=True):
    """A problem that a kernel or the test module reported."""

    trouble: Trouble
    """report of a kind of kernlog's, or of one of the rig's own"""
    expected: str
    """reason of the known bug that explains it; empty if there is none"""
    log: str
    """name of the log in the run's folder"""
    evidence: str = ""
    """call traces and registers of the CPUs of a guest that hangs; empty if they were not asked for"""
    left: str = ""
    """object kept for analysis: the VM itself, or the file with its memory"""
    dismissed: str = ""
    """date and reason of its dismissal when the report was made; empty in findings.jsonl"""

    @property
    def unexpected(self) -> bool:
        """True if no known bug explains it, and nobody dismissed it."""
        return not self.expected and not self.dismissed


class Result(DuringTest, frozen=True):
    """Result of one test of one cell."""

    round: Count
    outcome: str
    """passed, failed, xfailed (a known bug was seen), skipped or error (of the rig); in a report also dismissed, which failed for
    dismissed findings alone"""
    seconds: Amount
    """host time"""
    reason: str = ""
    """in one line, without paths of the host that it ran on"""

    def __post_init__(self) -> None:
        """Take the host and the rig's code out of the reason, also where an older run has it on record."""
        legacy = _AS_TUPLE.fullmatch(self.reason)
        words = legacy[2] if legacy else self.reason
        code = _CLASS.match(words)
        msgspec.structs.force_setattr(self, "reason", paths.shown(words[code.end() :] if code else words))


class Within(DuringTest, frozen=True):
    """Result of one test within a foreign module, in one load of it."""

    round: Count
    outcome: str
    """passed, failed or skipped"""


class Provenance(Settings, frozen=True, kw_only=True):
    """Origin of a run's figures: run.json. The settings that older runs do not have on record have their default here."""

    run: str
    started: str
    command: str
    """command that repeats the run"""
    kernel: str
    version: str
    source: str
    source_tree: str
    stock_only: bool
    scale: str
    """name of the scale, followed by ``unsettled`` if lazy frees were not purged before each sample, or by the foreign module with
    its digest and parameters: such runs do not compare with others"""
    planned: Count
    """number of results of a complete run"""
    host: str
    tools: dict[str, str]
    machines: dict[str, str]
    """description by name"""
    cells: dict[str, str]
    """key of the kernel by name of the cell"""
    patches: dict[str, tuple[str, ...]]
    """names of the patches by variant"""
    toolchain: Toolchain = Toolchain.GCC
    """that all its kernels were built with; the history keeps runs of different ones apart"""
    patchsets: dict[str, str] = msgspec.field(default_factory=dict)
    """SHA-256 over the lines with the SHA-256 of each patch, by variant; stock and older runs have none"""
    tests: tuple[str, ...] = ()
    """in the order in which they were asked for; older runs do not have them on record"""
    module: Foreign | None = None
    """the foreign module whose tests they are; None for the rig's own"""
    notes: tuple[str, ...] = ()
    """sentences about the limits of the run"""
    finished: str = ""
    resumed: tuple[str, ...] = ()
    """times at which it was resumed after an interruption"""
    hours: Amount = 0.0
    """planned duration of a soak; 0 for a run that is not a soak"""
    seed: Count = 0
    """seed of a soak, from which its rounds are derived"""
    proven: bool = False
    """True if each boot with a measurement or a passed test proved that it runs the kernel and module built for it"""
    left_out: Count = 0
    """number of records that could not be read when the report was made; 0 in run.json"""
    selfcheck: str = ""
    """result of the last check of the rig's own precision, with host and date"""
    audited: dict[str, str] = msgspec.field(default_factory=dict)
    """date and verdict of the audit of a kernel, by cell"""


def now() -> str:
    """Return the current time in UTC, to the second, in the format of ISO 8601."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
