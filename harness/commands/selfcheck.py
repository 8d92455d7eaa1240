# SPDX-License-Identifier: GPL-2.0-only
"""Measures the rig itself: twins of stock have to be the same, and kernels made slower on purpose have to be slower."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import msgspec

from harness import paths
from harness.build import kbuild
from harness.commands import injection, pipeline
from harness.errors import RigError, UsageError
from harness.host import files
from harness.model import records
from harness.model.clock import Clock
from harness.model.matrix import STOCK, Variant
from harness.model.run_folder import Run
from harness.model.selection import Selection, Where
from harness.runs import lifecycle, trust
from harness.stats import compare, estimate
from harness.stats.outcome import Outcome
from harness.stats.sensitivity import Sensitivity, Trial, trials
from harness.suite.plan import Plan

CHANGES = (0.5, 1.0, 2.0, 5.0)
"""per cent of the yardstick test's cost that kernels are made slower by, on the machine where it is least"""
YARDSTICK = "le_fit_alloc_test"
_MARGINS = {Clock.ICOUNT: 0.25, Clock.WALL: 5.0}
"""per cent; under icount below the smallest change, since a change within the margin is never called slower"""
_TWIN = "twin"
_APART = "selfcheck"


class Kernels(msgspec.Struct, frozen=True):
    """The kernels that are measured, with the changes that were added to them."""

    plan: Plan
    injected: dict[tuple[str, str], float]
    """machine and variant with the per cent that were added"""
    identical: dict[str, bool]


class Parts(msgspec.Struct, frozen=True):
    """The functions that a self check builds and measures with; tests hand in their own."""

    build: Callable[[Selection, tuple[Variant, ...]], Plan] = pipeline.build
    test: Callable[[Plan, Where, str, Path], Outcome] = pipeline.test


_PARTS = Parts()


def run(wanted: Selection, clocks: tuple[Clock, ...], experiments: int, command: str, parts: Parts = _PARTS) -> Sensitivity:
    """Do the self check on the selected machines, and keep the result in results/selfcheck.json.

    Each of `experiments` has as many boots of each kernel as the scale says. Raises UsageError for
    options that have no meaning here, RigError when a test did not run to its end.
    """
    wanted = _only_what_counts(wanted)
    with files.locked(paths.cache() / _APART):
        _clean()
        try:
            kernels = _build(wanted, command, parts)
            boots = wanted.boots or kernels.plan.size.boots
            tried: tuple[Trial, ...] = ()
            for clock in clocks:
                whole = kernels.plan.with_settings(clock=clock, boots=boots * experiments)
                samples = _measure(whole, wanted.where, command, parts).samples()
                tried += trials(samples, kernels.injected, whole.tests, _MARGINS, boots)
                result = Sensitivity(
                    records.now(), lifecycle.host(), boots, experiments, _MARGINS, YARDSTICK, kernels.identical, tried
                )
                files.write(trust.selfcheck_file(), msgspec.json.format(msgspec.json.encode(result)))
        finally:
            _clean()
    return result


def folder() -> Path:
    """Return the folder of the runs of self checks, apart from those of a series."""
    return paths.RESULTS / "selfcheck"


def _only_what_counts(wanted: Selection) -> Selection:
    plain = Selection()
    for name in ("tests", "variant", "each_patch", "series", "profile", "margin", "keep"):
        if getattr(wanted, name) != getattr(plain, name):
            raise UsageError(f"--{name.replace('_', '-')} has no meaning in a self check, which chooses for itself.")
    if wanted.boots and wanted.boots < estimate.FEWEST:
        raise UsageError(f"--boots has to be at least {estimate.FEWEST}, or nothing can be decided.")
    return msgspec.structs.replace(wanted, tests="performance")


def _build(wanted: Selection, command: str, parts: Parts) -> Kernels:
    """Build twins of stock from scratch, and kernels that are slower by parts of the cost measured in stock."""
    pair = parts.build(wanted, tuple(Variant(name, apart=f"{_APART}/{name}", scratch=True) for name in (STOCK, _TWIN)))
    identical = _identical(pair)
    stock = tuple(built for built in pair.cells if built.cell.variant.name == STOCK)
    once = msgspec.structs.replace(pair, cells=stock, tests=(YARDSTICK,)).with_settings(clock=Clock.ICOUNT, boots=1)
    measured = compare.compare(_measure(once, wanted.where, command, parts).samples(), [YARDSTICK], _MARGINS, 0.0)
    costs = {c.machine: c.baseline.median for c in measured if c.baseline}
    added = {f"plus-{change:g}": int(min(costs.values()) * change / 100) for change in CHANGES}
    source = (kbuild.tree_of(pair.base, stock[0].cell.variant) / injection.FILE).read_text()
    slower = []
    for name, instructions in added.items():
        file = paths.cache() / _APART / "patches" / f"{name}.patch"
        files.write(file, injection.patch(source, instructions))
        slower.append(Variant(name, file, apart=f"{_APART}/{name}"))
    others = parts.build(wanted, tuple(slower))
    injected = {
        (machine, name): 100 * number / cost for machine, cost in costs.items() for name, number in {**added, _TWIN: 0}.items()
    }
    return Kernels(msgspec.structs.replace(pair, cells=(*pair.cells, *others.cells)), injected, identical)


def _measure(made: Plan, where: Where, command: str, parts: Parts) -> Run:
    outcome = parts.test(made.with_settings(margins=_MARGINS), where, command, folder())
    if outcome.errors or outcome.unexpected or not outcome.complete:
        raise RigError(f"The self check needs kernels without findings; the report in {outcome.run} has what went wrong.")
    return Run(outcome.run)


def _identical(pair: Plan) -> dict[str, bool]:
    """Return by machine whether all its kernels are the same, byte for byte."""
    digests: dict[str, set[str]] = {}
    for built in pair.cells:
        digests.setdefault(built.cell.machine.name, set()).add(files.file_sha256(built.kernel.image))
    return {machine: len(different) == 1 for machine, different in digests.items()}


def _clean() -> None:
    """Remove all that was built for a self check, also for one that was killed."""
    shutil.rmtree(paths.cache() / _APART, ignore_errors=True)
