# SPDX-License-Identifier: GPL-2.0-only
"""What a run leaves: samples, findings and test results, stored as they come and read back."""

from __future__ import annotations

import datetime

import msgspec

from harness.model.clock import Clock
from harness.model.trouble import Trouble


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
    """of the guest's clock, which under icount is a count of instructions in disguise: see model/clock.py"""
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
    """answer of a guest that hangs: call traces and registers of its CPUs; empty where there was no need"""
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
