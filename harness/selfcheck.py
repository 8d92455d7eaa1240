# SPDX-License-Identifier: GPL-2.0-only
"""The rig measures itself: twins of stock have to be the same, and kernels made slower on purpose slower."""

from __future__ import annotations

import shutil
import statistics
from pathlib import Path

import msgspec

from harness import injection, kbuild, matrix, paths, pipeline, records, runs, store, vm
from harness.errors import RigError
from harness.matrix import STOCK, Clock, Variant
from harness.outcome import Outcome
from harness.plan import Plan
from harness.precision import Precision, Trial, trials
from harness.records import Run
from harness.selection import Selection

CHANGES = (0.5, 1.0, 2.0, 5.0)
"""per cent of the yardstick test's cost that kernels are made slower by"""
YARDSTICK = "le_fit_alloc_test"
_MARGINS = {Clock.ICOUNT: 0.25, Clock.WALL: 5.0}
"""per cent: under icount less than the smallest change, which else would be the same by definition"""
_TWIN = "twin"


def run(wanted: Selection, clocks: tuple[Clock, ...], experiments: int, command: str) -> Precision:
    """Do the self check on the selected machines, and keep what it found in results/selfcheck.json.

    Each of `experiments` has as many boots of each kernel as the scale says. Raises RigError when
    a test did not run to its end.
    """
    name = records.new_folder().name
    wanted = msgspec.structs.replace(wanted, tests="performance", variant="", series="", profile="perf")
    twins = Variant(STOCK, salt=f"{name}-a"), Variant(_TWIN, salt=f"{name}-b")
    slower = {
        change: Variant(f"plus-{change:g}", paths.cache() / "selfcheck" / name / f"plus-{change:g}.patch") for change in CHANGES
    }
    shutil.rmtree(folder(), ignore_errors=True)
    pair = None
    try:
        pair = pipeline.build(wanted, twins)
        identical = _identical(pair)
        cost = _cost(pair, wanted, command)
        _write_patches(pair, slower, cost)
        others = pipeline.build(wanted, tuple(slower.values()))
        cells = (*pair.cells, *others.cells)
        found: list[Trial] = []
        boots = wanted.boots or pair.size.boots
        injected = {_TWIN: 0.0, **{variant.name: change for change, variant in slower.items()}}
        for clock in clocks:
            made = msgspec.structs.replace(pair, cells=cells, clock=clock, boots=boots * experiments)
            outcome = _measure(made, wanted, clock, command)
            found += trials(Run(outcome.run).samples(), injected, made.tests, _MARGINS, boots)
    finally:
        vm.stop_own()
        _clean((*twins, *slower.values()), pair)
    precision = Precision(
        date=records.now(),
        host=outcome.provenance.host,
        boots=boots,
        margins=_MARGINS,
        yardstick=YARDSTICK,
        identical=identical,
        trials=tuple(found),
    )
    store.write(runs.selfcheck_file(), msgspec.json.format(msgspec.json.encode(precision)))
    return precision


def folder() -> Path:
    """Return where the runs of the last self check are, apart from those that say something of a series."""
    return paths.RESULTS / "selfcheck"


def _cost(pair: Plan, wanted: Selection, command: str) -> float:
    """Return what an allocation of the yardstick test takes in stock, in instructions, on the machine where it is least."""
    stock = tuple(built for built in pair.cells if built.cell.variant.name == STOCK)
    made = msgspec.structs.replace(pair, cells=stock, tests=(YARDSTICK,), clock=Clock.ICOUNT, boots=1)
    outcome = _measure(made, wanted, Clock.ICOUNT, command)
    samples = Run(outcome.run).samples()
    machines = {sample.machine for sample in samples}
    return min(statistics.median(s.value for s in samples if s.machine == machine) for machine in machines)


def _write_patches(pair: Plan, slower: dict[float, Variant], cost: float) -> None:
    tree = kbuild.tree_of(pair.base, pair.cells[0].cell.variant)
    source = (tree / injection.FILE).read_text()
    for change, variant in slower.items():
        if variant.series is not None:
            store.write(variant.series, injection.patch(source, int(cost * change / 100)))


def _measure(made: Plan, wanted: Selection, clock: Clock, command: str) -> Outcome:
    wanted = msgspec.structs.replace(wanted, clock=clock.value, margin=_MARGINS[clock])
    outcome = pipeline.test(made, wanted, command, folder())
    if outcome.errors or outcome.unexpected or not outcome.complete:
        raise RigError(f"The self check needs kernels without findings; {outcome.run} tells what went wrong.")
    return outcome


def _identical(pair: Plan) -> dict[str, bool]:
    """Return by machine whether all its kernels are the same, byte for byte."""
    digests: dict[str, set[str]] = {}
    for built in pair.cells:
        digests.setdefault(built.cell.machine.name, set()).add(store.file_sha256(built.kernel.image))
    return {machine: len(found) == 1 for machine, found in digests.items()}


def _clean(variants: tuple[Variant, ...], pair: Plan | None) -> None:
    """Remove what nobody will build upon: all the work trees, and the kernels that were to be built from scratch."""
    for variant in variants:
        for base in matrix.base_names():
            tree = kbuild.tree_of(matrix.load_base(base), variant)
            shutil.rmtree(tree, ignore_errors=True)
            for lock in tree.parent.glob(f".{tree.name}*.lock"):
                lock.unlink()
    for built in pair.cells if pair else ():
        shutil.rmtree(built.kernel.folder, ignore_errors=True)
