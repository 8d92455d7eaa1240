# SPDX-License-Identifier: GPL-2.0-only
"""A night with records in the place of kernels, and the nights before it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console

from harness import paths
from harness.commands import nightly
from harness.commands.nightly import Parts
from harness.model.cache import Entry
from harness.model.matrix import Base
from harness.model.records import Sample
from harness.model.run_folder import Run
from harness.model.selection import Selection, Where
from harness.runs import history as archive
from harness.runs.retention import LOG, Limits
from harness.stats.outcome import Outcome
from harness.suite.plan import Plan
from tests.support import make

LAST_NIGHT, TONIGHT = "20260102-030405-abcd", "20260103-030405-ef01"


def measured(value: float, **other: object) -> list[Sample]:
    """Return what five boots measured: hardly any spread."""
    return [make.sample(value * (1 + boot / 1e5), boot=boot, repeat=repeat, **other) for boot in range(5) for repeat in range(3)]


def concluded(run: Run) -> Outcome:
    """Return a run's outcome, compared with nothing."""
    return Outcome(run.folder, (), tuple(run.findings()), tuple(run.results()), run.provenance())


class Night:
    """What a night does instead of building and booting: it leaves a run with these samples."""

    def __init__(self, base: Base) -> None:
        self.base = base
        self.samples: Sequence[Sample] = measured(100.0)
        self.unexpected = False
        self.provenance: dict[str, object] = {}
        self.seen: list[object] = []
        self.keep: Callable[[Run], object] = archive.keep
        self.outcome: Callable[[Run], Outcome] = concluded
        self.kept: list[int] = []
        self.parts = Parts(
            self.build, self.test, self.show, lambda outcome: f"# Report of {outcome.run.name}", print, prune=self.prune
        )

    def build(self, wanted: Selection) -> Plan:
        self.seen.append(wanted)
        print("build x86_64/stock/perf: built")
        return make.plan(self.base, boots=5, tests=("le_fit_alloc_test", "mix_stress_test", "sweep_churn"))

    def test(self, made: Plan, where: Where, command: str) -> Outcome:
        self.seen += [made, where, command]
        print("warning", file=sys.stderr)
        run = make.stored(paths.RESULTS, TONIGHT, self.samples, **self.provenance)
        if self.unexpected:
            run.add([make.finding()])
        self.keep(run)
        return self.outcome(run)

    def prune(self, limit: int) -> list[Entry]:
        self.kept.append(limit)
        return [Entry("kernel", Path(f"/cache/kernels/{number}"), 3 << 20, 0.0) for number in range(2)]

    def show(self, outcome: Outcome) -> None:
        Console(force_terminal=True).print(f"[red]table[/red] of {outcome.run.name}")

    def run(self, **limits: int) -> int:
        return nightly.run(Selection(keep=True, jobs=3, cluster="tls://a:1"), "invoke nightly", self.parts, Limits(**limits))

    @property
    def log(self) -> str:
        return (paths.RESULTS / TONIGHT / LOG).read_text()


def earlier(name: str, samples: Sequence[Sample] = (), **provenance: object) -> Run:
    """Return a run that another night left."""
    run = make.stored(paths.RESULTS, name, samples, **provenance)
    (run.folder / LOG).write_text("the night's log\n")
    return run


def baseline(samples: Sequence[Sample], **provenance: object) -> None:
    earlier(LAST_NIGHT, samples, **provenance)
    archive.accept(LAST_NIGHT)
