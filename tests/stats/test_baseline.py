# SPDX-License-Identifier: GPL-2.0-only
"""What a run is held against, and what is said where that cannot be the baseline."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from harness.model.clock import Clock
from harness.model.matrix import STOCK
from harness.model.records import Sample
from harness.model.toolchains import Toolchain
from harness.stats import baseline as gate
from harness.stats import compare
from harness.stats.baseline import Baseline, Gate
from harness.stats.outcome import Outcome
from harness.stats.trend import RunRow
from tests.support import make

TESTS = ["le_fit_alloc_test", "b_fit_alloc_test"]
BEFORE = "20260101-030405-abcd"


def measured(value: float, **other: object) -> list[Sample]:
    """Return what five boots measured: hardly any spread."""
    return [make.sample(value * (1 + boot / 1e5), boot=boot, **other) for boot in range(5)]


def row(**other: object) -> RunRow:
    """Return an earlier run of the same kind."""
    run = make.provenance(run=BEFORE, **other)
    return RunRow(
        name=run.run,
        started=run.started,
        kernel=run.kernel,
        version=run.version,
        scale=run.scale,
        loops=run.loops,
        host=run.host,
        tools=run.tools,
        clocks=(Clock.ICOUNT,),
        planned=1,
        outcomes={"passed": 1},
        unexpected=0,
        baseline=True,
        proven=run.proven,
        toolchain=run.toolchain,
    )


def held(samples: Sequence[Sample], before: Sequence[Sample] | None, **baseline: object) -> Gate:
    """Hold a run with these samples against a baseline with the samples `before`, if there are any."""
    provenance = make.provenance()
    found = compare.compare(samples, TESTS, provenance.margins, provenance.threshold)
    outcome = Outcome(Path("run"), tuple(found), (), (), provenance)
    return gate.gate(outcome, TESTS, samples, None if before is None else Baseline(row(**baseline), before))


def compared(of: Gate) -> list[tuple[str, str, str, str]]:
    return [(c.variant, c.test, c.against, c.verdict) for c in of.comparisons]


BOTH = [*measured(100.0), *measured(150.0, variant="mine")]


def test_without_a_baseline_it_is_stock() -> None:
    found = held(BOTH, None)
    assert (found.against, found.reason) == (STOCK, "no run was made the baseline (`invoke baseline RUN` does)")
    assert [c.variant for c in found.regressions] == ["mine"]


def test_with_a_baseline_it_is_that_and_not_stock() -> None:
    found = held(BOTH, BOTH)
    assert (found.against, found.reason, found.regressions) == (BEFORE, "it is the baseline", ())
    assert {against for _, _, against, _ in compared(found)} == {BEFORE}


@pytest.mark.parametrize(
    ("other", "told"),
    [
        ({"scale": "published"}, "scale published there, quick here"),
        ({"loops": 0.5}, "share of the scale's operations 0.5 there, 1 here"),
        ({"toolchain": Toolchain.LLVM}, "toolchain llvm there, gcc here"),
        ({"kernel": "6.1", "scale": "default"}, "kernel 6.1 there, 4.18 here, scale default there, quick here"),
    ],
)
def test_a_baseline_of_another_kind_is_no_measure(other: dict[str, object], told: str) -> None:
    found = held(BOTH, BOTH, **other)
    assert (found.against, found.reason) == (STOCK, f"the baseline {BEFORE} is another kind of run: {told}")
    assert [c.variant for c in found.regressions] == ["mine"]


def test_runs_of_the_same_work_are_alike_whatever_they_are_read_from() -> None:
    assert gate.unlike(row(), make.provenance(host="another", tools={})) == []
    assert gate.unlike(make.provenance(loops=0.1), make.provenance()) == ["share of the scale's operations 0.1 there, 1 here"]


def test_a_baseline_of_other_cells_is_no_measure() -> None:
    found = held(BOTH, measured(50.0, machine="aarch64"))
    assert (found.against, found.reason) == (STOCK, f"the baseline {BEFORE} has no test of these cells")


def test_the_baseline_is_not_held_against_itself() -> None:
    provenance = make.provenance(run=BEFORE)
    outcome = Outcome(Path("run"), (), (), (), provenance)
    found = gate.gate(outcome, TESTS, BOTH, Baseline(row(), BOTH))
    assert (found.against, found.reason) == (STOCK, f"{BEFORE} is the baseline itself")


@pytest.mark.parametrize(
    "new",
    [{"variant": "new"}, {"variant": "mine", "test": "b_fit_alloc_test"}, {"variant": "mine", "machine": "aarch64"}],
    ids=["variant", "test", "machine"],
)
def test_what_the_baseline_lacks_is_held_against_stock(new: dict[str, object]) -> None:
    with_stock = [*measured(100.0, **{**new, "variant": STOCK}), *measured(130.0, **new)]
    found = held([*BOTH, *(s for s in with_stock if s not in BOTH)], BOTH)
    (worse,) = found.regressions
    assert found.against == BEFORE
    assert {"variant": worse.variant, "test": worse.test, "machine": worse.machine}.items() >= new.items()
    assert worse.against == STOCK
    (note,) = [note for note in found.notes if "against stock" in note]
    assert f"/{worse.variant}/perf/icount {worse.test}: not in the baseline, held against stock" in note


def test_what_is_nowhere_else_is_named() -> None:
    found = held([*BOTH, *measured(1.0, machine="aarch64", variant="mine")], [*BOTH, *measured(1.0, variant="gone")])
    assert found.notes == (
        "x86_64/gone/perf/icount le_fit_alloc_test: in the baseline, not in this run",
        "aarch64/mine/perf/icount le_fit_alloc_test: not in the baseline, held against nothing",
    )
    assert found.regressions == ()


def test_warm_up_and_other_tests_are_held_against_nothing() -> None:
    more = [make.sample(5.0, variant="new", warmup=True), make.sample(5.0, variant="new", test="sweep_churn")]
    found = held([*BOTH, *more], BOTH)
    assert found.notes == ()
    assert "new" not in {variant for variant, *_ in compared(found)}


def test_what_could_explain_a_difference_is_told() -> None:
    tools = {"gcc": "gcc 12.1", "another": "1"}
    assert held(BOTH, BOTH, host="another", tools=tools).notes == ("gcc: gcc 12.1 there, gcc 12.2 here",)


def test_a_baseline_whose_kernels_are_not_proven_is_marked() -> None:
    (note,) = held(BOTH, BOTH, proven=False).notes
    assert note.startswith("the baseline's boots did not prove which kernels they ran")


def test_the_host_matters_where_time_is_measured() -> None:
    walled = [*measured(100.0, clock=Clock.WALL), *measured(100.0, clock=Clock.WALL, variant="mine")]
    assert held(walled, walled, host="another").notes == ("host: another there, Linux x86_64, 4 CPUs here",)
