# SPDX-License-Identifier: GPL-2.0-only
"""The plan of a suite: cells and tests to run, as a value that travels between processes."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from harness.build.built import BuiltCell
from harness.errors import UsageError
from harness.host import files, stored
from harness.model import catalog, foreign
from harness.model.catalog import ProfileUse, Scale, SuiteTest
from harness.model.clock import Clock
from harness.model.coverage import ChangedLine, ChangedLines
from harness.model.foreign import Foreign
from harness.model.known_bugs import KnownBug
from harness.model.matrix import Base, Cell
from harness.model.selection import Settings
from harness.model.toolchains import Toolchain
from harness.model.trouble import OWN


class Step(msgspec.Struct, frozen=True):
    """One load of the module."""

    test: SuiteTest
    round: int = 0
    axis: str = ""
    """size that a sweep makes grow: ``busy`` or ``holes``"""
    size: int = 0
    seed: int = 0
    """of the module's pseudo random numbers; 0 for the module's default"""
    share: float = 1.0
    """share of its usual operations"""
    clears: bool = True
    """True if kmemleak is cleared before the step, so that it forgets earlier leaks"""
    scans: bool = True
    """True if kmemleak scans after the step, for leaks since then"""
    traced: bool = False
    """True if the kernel has been told what to record, and the module switches that on for the test"""

    @property
    def name(self) -> str:
        """Its name in results, such as ``sweep_churn@busy=5000``."""
        return f"{self.test.name}@{self.axis}={self.size}" if self.axis else self.test.name


class Session(msgspec.Struct, frozen=True):
    """The life of one VM: booted, used for some tests, ended."""

    built: BuiltCell
    clock: Clock
    boot: int
    """number of the boot of the cell under this clock, from 0"""
    steps: tuple[Step, ...]
    """in their order"""
    memory: int = 0
    """MiB that its VM has; 0 for the machine's own"""
    watched: bool = False
    """True if QEMU's plugin tells which blocks of the kernel run"""

    @property
    def counts(self) -> bool:
        """True if it is there to count instructions by function, and no sample of it is compared."""
        return self.watched and self.timed

    @property
    def timed(self) -> bool:
        """True if it has tests that are timed, which want a VM that has just booted."""
        return not all(step.test.stress for step in self.steps)

    @property
    def size(self) -> int:
        """MiB that its VM has."""
        return self.memory or self.built.cell.machine.qemu.memory

    @property
    def name(self) -> str:
        """The name of its files: MACHINE-VARIANT-PROFILE-CLOCK-BOOT."""
        return f"{self.built.cell.file_name}-{self.clock}-{self.boot}"

    @property
    def results(self) -> int:
        """Number of results that it has when it is done: of its boot, its steps and its end."""
        return len(self.steps) + 2


class Plan(msgspec.Struct, frozen=True):
    """Built cells, and what to run in them."""

    base: Base
    cells: tuple[BuiltCell, ...]
    tests: tuple[str, ...]
    settings: Settings
    version: str
    """of the source, such as ``4.18.0``"""
    origin: str
    """origin of the source"""
    tree: str
    """the source's identity"""
    stock_only: bool
    """True if the base has no series to compare with"""
    suite: str = ""
    """digest of what test_module/suite.toml said"""
    notes: tuple[str, ...] = ()
    """limits of a run of this plan, for its report"""
    hours: float = 0.0
    """of a soak; 0 for a run that is none"""
    seed: int = 0
    """of a soak: its rounds follow from it"""
    lines: tuple[ChangedLines, ...] = ()
    """lines of the series, by cell"""
    module: Foreign | None = None
    """the foreign module whose loads are its tests; None for the rig's own"""

    @property
    def toolchain(self) -> Toolchain:
        """The toolchain that all its kernels are built with."""
        return self.cells[0].cell.toolchain

    def with_settings(self, **changed: Any) -> Plan:
        """Return this plan with other settings."""
        return msgspec.structs.replace(self, settings=msgspec.structs.replace(self.settings, **changed))

    def loops_of(self, test: SuiteTest) -> int:
        """Return how many operations a sample of `test` has."""
        return max(1, round(test.loops[self.settings.scale] * self.settings.loops))

    @property
    def size(self) -> Scale:
        """The scale, with its numbers of boots and repeats."""
        size = catalog.suite().scales[self.settings.scale]
        return msgspec.structs.replace(size, settle=False) if self.settings.unsettled else size

    def patience(self, step: Step) -> float:
        """Return the factor by which `step` may take longer than at scale quick."""
        if self.module:
            return max(self.size.patience, foreign.PATIENCE)
        return self.size.patience * max(1.0, self.settings.loops) * (catalog.suite().sweep.patience if step.axis else 1)

    @property
    def at_once(self) -> bool:
        """True if VMs may run side by side. Where time is measured, each would disturb the others."""
        return self.settings.clock is Clock.ICOUNT or all(test.stress for test in self._chosen())

    @property
    def sessions(self) -> tuple[Session, ...]:
        """All VMs in their order.

        Variants take turns, forward and then backward (ABBA), so that a host that gets slower or
        faster meanwhile favours none of them, or with an odd number of boots hardly any.
        """
        timed = []
        for boot in range(self.settings.boots or self.size.boots):
            for built in self.cells if boot % 2 == 0 else reversed(self.cells):
                steps = self._timed(catalog.profile_use(built.cell.profile), boot)
                if steps:
                    timed.append(Session(built, self.settings.clock, boot, steps))
        boots = dict.fromkeys(Clock, 0) | {self.settings.clock: len({s.boot for s in timed})}
        counting = [session for built in self.cells if (session := self._counting(built, boots[Clock.ICOUNT]))]
        boots[Clock.ICOUNT] += bool(counting)
        alike = [self._stress(built, boots) for built in self.cells]
        return (*timed, *counting, *(session for turn in itertools.zip_longest(*alike) for session in turn if session))

    def _counting(self, built: BuiltCell, boot: int) -> Session | None:
        """Return the VM that counts a cell's instructions by function; None where that is not wanted or not possible."""
        use = catalog.profile_use(built.cell.profile)
        tests = [test for test in self._chosen() if not test.stress and test.kind in use.kinds]
        if self.module or not tests or use.tracer or not self._watched(built, Clock.ICOUNT):
            return None
        steps = (*(Step(test) for test in tests if test.kind == "performance"), *_sizes(tests))
        return Session(built, Clock.ICOUNT, boot, steps, watched=True)

    def _watched(self, built: BuiltCell, clock: Clock) -> bool:
        return built.plugin is not None and built.emulated(clock) and not self.settings.plain

    def lines_of(self, cell: Cell) -> tuple[ChangedLine, ...]:
        """Return the lines of a cell's series that its kernel has code of."""
        name = (cell.machine.name, cell.variant.name, cell.profile)
        return next((of.lines for of in self.lines if (of.machine, of.variant, of.profile) == name), ())

    def _stress(self, built: BuiltCell, before: Mapping[Clock, int]) -> list[Session]:
        """Return a VM for each clock and size that the stress tests of a cell want; `before` are earlier boots by clock."""
        profile = built.cell.profile
        use = catalog.profile_use(profile)
        groups: dict[tuple[Clock, int], list[Step]] = {}
        for test in self._chosen():
            if test.stress and use.runs(test):
                groups.setdefault((test.clock, test.memory.get(profile, 0)), []).append(Step(test))
        boots = {clock: itertools.count(number) for clock, number in before.items()}
        # Those that want nothing special first.
        ordered = sorted(groups.items(), key=lambda group: group[0] != (Clock.WALL, 0))
        return [
            Session(built, clock, next(boots[clock]), tuple(steps), memory, self._watched(built, clock))
            for (clock, memory), steps in ordered
        ]

    def _timed(self, use: ProfileUse, boot: int) -> tuple[Step, ...]:
        """Return the timed steps of boot number `boot` of a cell."""
        if use.boots and boot >= use.boots:
            return ()
        if self.module:
            return tuple(Step(test, round_) for round_ in range(self.size.rounds) for test in self._chosen())
        tests = [test for test in self._chosen() if use.runs(test)]
        count = max(self.size.rounds, self.size.aside + 1)
        rounds = [Step(test, round_) for round_ in range(count) for test in tests if test.kind == "performance"]
        return (*rounds, *_sizes(tests))

    def bugs(self, cell: Cell, test: str) -> tuple[KnownBug, ...]:
        """Return the bugs that stock is known to show in `test` of a cell.

        A foreign module may show any that the kernel itself reports, and does not have to; what fails in it is no known bug.
        """
        if not self.module:
            return self.base.bugs(cell.machine.name, cell.profile, test)
        reported = [bug for bug in self.base.bugs(cell.machine.name, cell.profile) if bug.kind not in OWN]
        return tuple(msgspec.structs.replace(bug, always=False) for bug in reported) if test == self.module.name else ()

    def _chosen(self) -> list[SuiteTest]:
        if self.module:
            return [SuiteTest(self.module.name, "performance", {})]
        return [test for test in catalog.suite().tests if test.name in self.tests]


def _sizes(tests: Sequence[SuiteTest]) -> Iterator[Step]:
    """Yield a step for each size of the sweeps among `tests`."""
    sweep = catalog.suite().sweep
    for test, axis, size in itertools.product([test for test in tests if test.kind == "sweep"], sweep.axes, sweep.sizes):
        yield Step(test, 0, axis, size)


def save(plan: Plan, file: Path) -> None:
    """Store `plan` for another process."""
    files.write(file, msgspec.json.encode(plan, enc_hook=str))


def load(file: Path) -> Plan:
    """Read a stored plan; UsageError if there is none or it is from another version of the rig."""
    try:
        return stored.decode(stored.content(file), Plan, dec_hook=_path)
    except OSError as error:
        raise UsageError(f"There is no plan at {file} ({error.strerror}); run `invoke build` first.") from error
    except msgspec.DecodeError as error:
        raise UsageError(f"The plan {file} cannot be read ({error}); run `invoke build` again.") from error


class _OfABase(msgspec.Struct, frozen=True):
    """The field of a plan that all versions of the rig have."""

    base: Base


def base_of(file: Path) -> Base:
    """Return the base of a stored plan, also of one from an older version of the rig; UsageError if there is none."""
    try:
        return msgspec.json.decode(file.read_bytes(), type=_OfABase).base
    except (OSError, msgspec.DecodeError) as error:
        raise UsageError(f"{file} cannot be read ({error}); without it nobody knows which bugs of stock are known.") from error


def _path(kind: type[Any], value: Any) -> Any:
    return kind(value)
