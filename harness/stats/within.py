# SPDX-License-Identifier: GPL-2.0-only
"""Counts for each test within a foreign module the loads in which it passed, by variant and machine."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable

import msgspec

from harness.model.clock import Clock
from harness.model.records import Result, Within

_WORST = ("skipped", "passed", "failed")
"""outcomes, the one that counts last where a load has several of a test, as of its workers"""
_Cell = tuple[str, str, str]
_Load = tuple[Clock, int, int]


class Tally(msgspec.Struct, frozen=True):
    """The loads of a module in one kernel, by how a test within it went."""

    machine: str
    profile: str
    variant: str
    test: str
    passed: int
    failed: int
    skipped: int
    missing: int
    """number of loads without a result of it: they ended before, or the module did not get there"""

    @property
    def good(self) -> bool:
        """True if it passed in every load."""
        return not (self.failed or self.skipped or self.missing)


def tallies(found: Iterable[Within], results: Iterable[Result]) -> list[Tally]:
    """Return a tally of each test in each kernel, by test; `results` say how often a kernel was to load the module.

    Tests and kernels keep the order in which they come first.
    """
    outcomes: dict[tuple[_Cell, str], dict[_Load, str]] = defaultdict(dict)
    loads: dict[_Cell, set[_Load]] = defaultdict(set)
    tests: dict[str, None] = {}
    for one in found:
        tests[one.test] = None
        of = outcomes[_cell(one), one.test]
        of[_load(one)] = max(one.outcome, of.get(_load(one), _WORST[0]), key=_WORST.index)
    cells = [cell for cell, _ in outcomes]
    modules = {test.partition("/")[0] for test in tests}
    for result in results:
        if result.test in modules:
            loads[_cell(result)].add(_load(result))
    every = dict.fromkeys([*cells, *loads])
    return [_tally(cell, test, outcomes[cell, test], loads[cell]) for test in tests for cell in every]


def _tally(cell: _Cell, test: str, outcomes: dict[_Load, str], loads: set[_Load]) -> Tally:
    counts = Counter(outcomes.get(load, "") for load in loads)
    return Tally(*cell, test, counts["passed"], counts["failed"], counts["skipped"], counts[""])


def _cell(of: Within | Result) -> _Cell:
    return of.machine, of.profile, of.variant


def _load(of: Within | Result) -> _Load:
    return of.clock, of.boot, of.round
