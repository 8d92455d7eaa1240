# SPDX-License-Identifier: GPL-2.0-only
"""Builds, boots and tests every prefix of a series, each held against the one before it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import msgspec

from harness.build import build_warnings, patches, source
from harness.build.source import Sources
from harness.commands import pipeline, prefix_bench
from harness.commands.prefix_bench import Build, SeriesPrefixes
from harness.errors import UsageError
from harness.host.shell import Line
from harness.model.matrix import STOCK
from harness.model.selection import Selection, Where
from harness.report import findings
from harness.report.patch_table import PatchRow
from harness.stats import prefixes
from harness.stats.causes import Cause, causes
from harness.stats.outcome import ExitCode, Outcome
from harness.suite.plan import Plan

_TESTS = "stress"


class Parts(msgspec.Struct, frozen=True):
    """The functions that this calls; tests hand in their own."""

    source: Callable[[Selection, Line], Sources] = source.sources
    build: Build = pipeline.build
    test: Callable[[Plan, Where, str], Outcome] = pipeline.test
    warnings: Callable[..., build_warnings.BuildWarnings] = build_warnings.of_kernel


_PARTS = Parts()


class EachPatch(msgspec.Struct, frozen=True):
    """The results of the prefixes of a series."""

    rows: tuple[PatchRow, ...]
    """by patch, stock first, and machine"""
    outcome: Outcome

    @property
    def exit_code(self) -> int:
        """The exit code: the rig failed, something speaks against a patch, or nothing does."""
        if self.outcome.errors or not self.outcome.complete or self.outcome.provenance.left_out:
            return ExitCode.RIG_FAILED
        return ExitCode.FINDING if any(row.bad for row in self.rows) else ExitCode.GOOD


def run(wanted: Selection, name: str, command: str, say: Line, parts: Parts = _PARTS) -> EachPatch:
    """Build every prefix of the series `name`, or of that of --series, and test those that build, in one run in results/.

    Raises UsageError for a selection that makes no sense, BuildError or RigError if nothing can be built or tested.
    """
    series = prefix_bench.find(wanted, name, "series.each")
    if "," in wanted.profile:
        raise UsageError("`invoke series.each` takes kernels of one profile; give --profile one name.")
    # Which lines of a series run is a question to the whole series, and costs more than all else here.
    wanted = msgspec.structs.replace(wanted, tests=wanted.tests or _TESTS, plain=True)
    machines = prefix_bench.machines(wanted, series)
    tree = parts.source(msgspec.structs.replace(wanted, variant=series.name), say).tree
    touched = ((), *patches.apply(tree, series.variants[-1]).files)
    plans: dict[tuple[int, str], Plan] = {}
    unbuilt: dict[tuple[int, str], str] = {}
    for number, variant in enumerate(series.variants):
        ready, reasons = prefix_bench.built(wanted, variant, machines, parts.build)
        plans |= {(number, machine): plan for machine, plan in ready.items()}
        unbuilt |= {(number, machine): why for machine, why in reasons.items()}
    if not plans:
        raise UsageError(f"No prefix of {series.name} builds: {next(iter(unbuilt.values()))}")
    outcome = parts.test(prefix_bench.together(list(plans.values())), wanted.where, command)
    judged = _Judged(series, outcome)
    rows = []
    for number in range(len(series.variants)):
        for machine in machines:
            row = PatchRow(_named(series, number), machine, unbuilt.get((number, machine), ""))
            if not row.unbuilt:
                row = judged.row(row, number)
                row = _with_warnings(row, _warnings(plans, number, machine, touched[number], parts))
            rows.append(row)
    return EachPatch(tuple(rows), outcome)


def _named(series: SeriesPrefixes, number: int) -> str:
    return f"{number} {series.patches[number - 1].title}" if number else STOCK


def _warnings(
    plans: Mapping[tuple[int, str], Plan], number: int, machine: str, touched: Sequence[str], parts: Parts
) -> build_warnings.NewWarnings | None:
    """Return the warnings that a prefix has and the one before it has not; None if there is none before it."""
    before = plans.get((number - 1, machine))
    if before is None:
        return None
    old, now = (parts.warnings(plan.cells[0].kernel.folder) for plan in (before, plans[number, machine]))
    return build_warnings.new(old, now, touched)


def _with_warnings(row: PatchRow, said: build_warnings.NewWarnings | None) -> PatchRow:
    if said is None:
        return msgspec.structs.replace(row, compared=False)
    return msgspec.structs.replace(row, warnings=said.added, unchecked=said.unchecked)


class _Judged:
    """The results and new causes of a run, by prefix and machine."""

    def __init__(self, series: SeriesPrefixes, outcome: Outcome) -> None:
        self._names = [variant.name for variant in series.variants]
        self._results = outcome.results
        judged = prefixes.series(outcome.provenance, outcome.steps, outcome.findings, outcome.results)
        self._causes: dict[str, Sequence[Cause]] = {one.step.variant: one.causes for each in judged for one in each.judged}
        self._causes[STOCK] = [cause for cause in causes(outcome.unexpected) if cause.variant == STOCK]

    def row(self, of: PatchRow, number: int) -> PatchRow:
        """Return a row with the results of a prefix on its machine."""
        variant = self._names[number]
        mine = [result for result in self._results if (result.machine, result.variant) == (of.machine, variant)]
        boots = [result for result in mine if result.around and result.test.startswith("boot")]
        tests = [result for result in mine if not result.around]
        seen = [cause for cause in self._causes.get(variant, ()) if of.machine in cause.machines]
        return msgspec.structs.replace(
            of,
            booted=bool(boots) and all(result.outcome in ("passed", "xfailed", "dismissed") for result in boots),
            passed=sum(result.outcome in ("passed", "xfailed", "dismissed") for result in tests),
            tests=len(tests),
            skipped=sum(result.outcome == "skipped" for result in tests),
            findings=tuple(f"{findings.what(cause)} in {cause.first.test}" for cause in seen),
        )
