# SPDX-License-Identifier: GPL-2.0-only
"""Reads test_module/suite.toml: the tests, and the amount of work at each scale."""

from __future__ import annotations

import fnmatch
import functools
import re
from typing import Literal

import msgspec

from harness import paths
from harness.errors import UsageError
from harness.host import files, toml
from harness.model.clock import Clock
from harness.model.matrix import PROFILES

SCALES = ("quick", "default", "published")
SCALE = "default"
"""scale of a run for which none is chosen"""
TestKind = Literal["performance", "stress", "sweep"]
Axis = Literal["busy", "holes"]
_FILE = paths.TEST_MODULE / "suite.toml"
_ROW = re.compile(r"^\| \d+ \| `(\w+)` \| \w+ \| (.+) \|$", re.M)
"""a row of the table of tests in the module's README: name and operation"""


class Scale(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Amount of work that a run does."""

    boots: int
    """boots of every cell for the performance tests: samples from the same boot are not independent"""
    rounds: int
    """full runs of the performance tests in each boot"""
    repeat: int
    """samples of a performance test in each round"""
    warmup: int
    """samples before those; they are kept, but no statistic uses them"""
    busy: int
    """areas held by long_busy_list_alloc_test"""
    settle: bool
    """True if pending lazy frees are purged before each sample; a running system does not do that"""
    patience: int
    """factor by which a test may take longer than at scale quick"""

    @property
    def aside(self) -> int:
        """The round whose module loads also do the uncounted passes; an extra round if these could affect the samples."""
        return 0 if self.settle else self.rounds


class SuiteTest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One test of the module."""

    name: str
    kind: TestKind
    loops: dict[str, int]
    threads: int = 0
    """threads of a stress test; 0 for one per CPU"""
    clock: Clock = Clock.WALL
    """clock that a stress test runs under; under icount there is one CPU, and every run does the same"""
    memory: dict[str, int] = {}
    """MiB of memory of its VM, by profile; a profile that is absent has the machine's own"""
    faults: bool = False
    """True if it makes allocations fail; the rig then sets up the kernel's fault injection, which not every profile has"""

    @property
    def stress(self) -> bool:
        """True for a stress test, which keeps every CPU busy."""
        return self.kind == "stress"


class ProfileUse(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Use of the kernels of a profile: the tests that run in them, and the checks on each test."""

    kinds: tuple[TestKind, ...] = ("performance", "stress", "sweep")
    """kinds of test that run in them"""
    boots: int = 0
    """maximum number of boots; 0 for the scale's number"""
    tracer: str = ""
    """name of the kernel's tracer that records the longest critical section; it costs too much time for timings to count"""
    leaks: bool = False
    """True if kmemleak scans for leaks after each test"""
    faults: bool = False
    """True if its kernels have fault injection: tests that make allocations fail run in no others"""

    nightly: bool = True
    """False if a night builds its kernels only where it is told to"""

    def runs(self, test: SuiteTest) -> bool:
        """Return whether `test` can run in kernels of the profile."""
        return test.kind in self.kinds and (self.faults or not test.faults)


class Sweep(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Axes and sizes that the tests of the kind sweep go through."""

    axes: tuple[Axis, ...]
    sizes: tuple[int, ...]
    patience: int
    """factor by which it may take longer than other tests: most of its time goes into preparing the largest sizes"""


class _Suite(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    scales: dict[str, Scale]
    profiles: dict[str, ProfileUse]
    sweep: Sweep
    tests: tuple[SuiteTest, ...]


def profile_use(profile: str) -> ProfileUse:
    """Return the use of the kernels of `profile`: all tests, unless test_module/suite.toml says otherwise."""
    return suite().profiles.get(profile, ProfileUse())


@functools.cache
def suite() -> _Suite:
    """Return the content of test_module/suite.toml; UsageError if it is not valid."""
    read = toml.load(_FILE, _Suite)
    for test in read.tests:
        if (test.threads or test.memory or test.faults or test.clock is not Clock.WALL) and not test.stress:
            raise UsageError(f"{_FILE}: {test.name} is no stress test: threads, clock, memory and faults are for these alone.")
        if unknown := sorted(test.memory.keys() - set(PROFILES)):
            raise UsageError(
                f"{_FILE}: {test.name}: there is no profile '{unknown[0]}'; {toml.closest(unknown[0], list(PROFILES))}"
            )
    return read


def digest() -> str:
    """Return a digest of test_module/suite.toml that identifies its version."""
    return files.digest(_FILE)[:16]


def operations() -> dict[str, str]:
    """Return what one operation of each test is, as the table in test_module/README.md has it, in its Markdown."""
    return dict(_ROW.findall((paths.TEST_MODULE / "README.md").read_text()))


def performance() -> list[str]:
    """Return the names of the performance tests."""
    return [test.name for test in suite().tests if test.kind == "performance"]


def choose(wanted: str) -> tuple[str, ...]:
    """Return the names of the tests that `wanted` selects, in its order: words separated by commas; empty means ``all``.

    A word is the name of a test, a pattern of names such as ``sweep_*``, a kind, or ``all``, which excludes sweeps. The
    tests of one word come in the order of the module, in which all are run.
    Raises UsageError for a word that selects nothing.
    """
    known = suite().tests
    groups = {"all": [t.name for t in known if t.kind != "sweep"]}
    for test in known:
        groups.setdefault(test.kind, []).append(test.name)
        groups[test.name] = [test.name]
    chosen: dict[str, None] = {}
    for word in map(str.strip, (wanted or "all").split(",")):
        names = groups.get(word) or fnmatch.filter((t.name for t in known), word)
        if not names:
            raise UsageError(f"There is no test '{word}'; {toml.closest(word, list(groups))}")
        chosen.update(dict.fromkeys(names))
    return tuple(chosen)
