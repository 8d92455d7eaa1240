# SPDX-License-Identifier: GPL-2.0-only
"""What a suite is to run, as a value that travels between processes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from harness import paths, store, tables
from harness.errors import UsageError
from harness.kbuild import Kernel
from harness.matrix import Base, Cell, Clock
from harness.rootfs import Rootfs

SCALES = ("quick", "default", "published")


class Scale(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How much of everything a run does."""

    repeat: int
    """samples of a performance test"""
    busy: int
    """areas held by long_busy_list_alloc_test"""
    patience: int
    """how many times as long as at scale quick a test may take"""


class SuiteTest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One test of the module."""

    name: str
    kind: str
    """``performance`` or ``stress``"""
    loops: dict[str, int]

    @property
    def stress(self) -> bool:
        """Whether it wants every CPU at once."""
        return self.kind == "stress"


class _Suite(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    scales: dict[str, Scale]
    tests: tuple[SuiteTest, ...]


class BuiltCell(msgspec.Struct, frozen=True):
    """A cell with all that it takes to boot it."""

    cell: Cell
    kernel: Kernel
    rootfs: Rootfs
    accelerator: str
    """that the wall clock's VMs use; counting instructions is always emulation"""


class Plan(msgspec.Struct, frozen=True):
    """Built cells, and what to run in them."""

    base: Base
    cells: tuple[BuiltCell, ...]
    tests: tuple[str, ...]
    clock: Clock
    """of the performance tests; stress always runs under the wall clock"""
    scale: str
    version: str
    """of the source, such as ``4.18.0``"""
    origin: str
    """where the source came from"""
    tree: str
    """the source's identity"""
    stock_only: bool
    """whether the base has no series to compare with"""
    keep: bool = False
    """leave up the VMs that the suite boots"""
    notes: tuple[str, ...] = ()
    """what limits what a run of this plan can say"""

    def clock_of(self, test: SuiteTest) -> Clock:
        """Return the clock under which `test` runs."""
        return Clock.WALL if test.stress else self.clock

    @property
    def clocks(self) -> tuple[Clock, ...]:
        """The clocks that the selected tests need: one VM of each cell for every one."""
        chosen = suite().tests
        return tuple(sorted({self.clock_of(test) for test in chosen if test.name in self.tests}))


def suite() -> _Suite:
    """Return what test_module/suite.toml says."""
    return tables.load(paths.TEST_MODULE / "suite.toml", _Suite)


def choose(wanted: str) -> tuple[str, ...]:
    """Return the names of the tests that `wanted` selects: names, ``performance``, ``stress`` or ``all``.

    Raises UsageError for a name that is none of these.
    """
    known = suite().tests
    groups = {"all": [t.name for t in known]}
    for test in known:
        groups.setdefault(test.kind, []).append(test.name)
        groups[test.name] = [test.name]
    chosen: set[str] = set()
    for word in wanted.split(","):
        if word.strip() not in groups:
            raise UsageError(f"There is no test '{word.strip()}'; {tables.closest(word.strip(), list(groups))}")
        chosen.update(groups[word.strip()])
    return tuple(test.name for test in known if test.name in chosen)


def save(plan: Plan, file: Path) -> None:
    """Store `plan` for another process."""
    store.write(file, msgspec.json.encode(plan, enc_hook=str))


def load(file: Path) -> Plan:
    """Read a stored plan; UsageError if there is none or it is from another version of the rig."""
    try:
        return msgspec.json.decode(file.read_bytes(), type=Plan, dec_hook=_path)
    except OSError as error:
        raise UsageError(f"There is no plan at {file} ({error.strerror}); run `invoke build` first.") from error
    except msgspec.DecodeError as error:
        raise UsageError(f"The plan {file} cannot be read ({error}); run `invoke build` again.") from error


def _path(kind: type[Any], value: Any) -> Any:
    return kind(value)
