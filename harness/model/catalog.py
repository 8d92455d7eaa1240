# SPDX-License-Identifier: GPL-2.0-only
"""What test_module/suite.toml says: which tests there are, and how much of them is done at each scale."""

from __future__ import annotations

import fnmatch
import functools
from typing import Literal

import msgspec

from harness import paths
from harness.errors import UsageError
from harness.host import files, toml
from harness.model.clock import Clock
from harness.model.matrix import PROFILES

SCALES = ("quick", "default", "published")
SCALE = "default"
"""where none is given"""
Kind = Literal["performance", "stress", "sweep"]
Axis = Literal["busy", "holes"]
_FILE = paths.TEST_MODULE / "suite.toml"


class Scale(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How much of everything a run does."""

    boots: int
    """of every cell for the performance tests: samples of one boot are not independent"""
    rounds: int
    """full runs of the performance tests in each boot"""
    repeat: int
    """samples of a performance test in each round"""
    warmup: int
    """samples before those, which are kept but not counted"""
    busy: int
    """areas held by long_busy_list_alloc_test"""
    settle: bool
    """whether earlier frees are brought to their end before each sample; a running system does not do that"""
    patience: int
    """how many times as long as at scale quick a test may take"""

    @property
    def aside(self) -> int:
        """The round whose loads also have the passes that do not count: one more where these would leave traces in others."""
        return 0 if self.settle else self.rounds


class SuiteTest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One test of the module."""

    name: str
    kind: Kind
    loops: dict[str, int]
    threads: int = 0
    """of a stress test; 0 for one a CPU"""
    clock: Clock = Clock.WALL
    """that a stress test runs under: icount has one CPU, and does the same every time"""
    memory: dict[str, int] = {}
    """MiB that its VM has, by profile; where none is given, the machine's own"""
    faults: bool = False
    """whether it makes allocations fail, for which the kernel's fault injection is prepared"""

    @property
    def stress(self) -> bool:
        """Whether it wants every CPU at once."""
        return self.kind == "stress"


class ProfileUse(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What kernels of a profile are good for."""

    kinds: tuple[Kind, ...] = ("performance", "stress", "sweep")
    """of tests that are run in them"""
    boots: int = 0
    """at most so many; 0 for as many as the scale says"""
    tracer: str = ""
    """of the kernel's, which looks for the longest critical section; its cost makes timings worthless"""
    leaks: bool = False
    """whether kmemleak looks for what each test left behind"""


class Sweep(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a test of the kind sweep is measured against."""

    axes: tuple[Axis, ...]
    sizes: tuple[int, ...]
    patience: int
    """how many times as long as other tests it may take: preparing the largest sizes is most of the work"""


class _Suite(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    scales: dict[str, Scale]
    profiles: dict[str, ProfileUse]
    sweep: Sweep
    tests: tuple[SuiteTest, ...]


def profile_use(profile: str) -> ProfileUse:
    """Return what kernels of `profile` are good for: everything, unless test_module/suite.toml says otherwise."""
    return suite().profiles.get(profile, ProfileUse())


@functools.cache
def suite() -> _Suite:
    """Return what test_module/suite.toml says; UsageError where that makes no sense."""
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
    """Return what tells one version of test_module/suite.toml from another."""
    return files.digest(_FILE)[:16]


def performance() -> list[str]:
    """Return the names of the tests that are compared."""
    return [test.name for test in suite().tests if test.kind == "performance"]


def choose(wanted: str) -> tuple[str, ...]:
    """Return the names of the tests that `wanted` selects, by words between commas; empty selects as ``all`` does.

    A word is a test's name, a pattern of names such as ``sweep_*``, a kind, or ``all``, which is all that are no sweep.
    Raises UsageError for a word that selects nothing.
    """
    known = suite().tests
    groups = {"all": [t.name for t in known if t.kind != "sweep"]}
    for test in known:
        groups.setdefault(test.kind, []).append(test.name)
        groups[test.name] = [test.name]
    chosen: set[str] = set()
    for word in map(str.strip, (wanted or "all").split(",")):
        names = groups.get(word) or fnmatch.filter((t.name for t in known), word)
        if not names:
            raise UsageError(f"There is no test '{word}'; {toml.closest(word, list(groups))}")
        chosen.update(names)
    return tuple(test.name for test in known if test.name in chosen)
