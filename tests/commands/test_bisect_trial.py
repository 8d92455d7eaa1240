# SPDX-License-Identifier: GPL-2.0-only
"""A prefix that is tried: which kernels are built and tested, and what a run's records say of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from harness.build import kbuild
from harness.commands import prefix_bench
from harness.commands.bisect_trial import Bench, Tools, read
from harness.errors import BuildError, RigError
from harness.model import run_folder
from harness.model.bisection import Begun, Question, Tried
from harness.model.clock import Clock
from harness.model.matrix import Base, Variant, load_machine
from harness.model.records import Finding, Result, Sample
from harness.model.run_folder import Run
from harness.model.selection import Selection, Where
from harness.stats.outcome import Outcome
from harness.suite.plan import Plan
from tests.support import make
from tests.support.patches import series_of

MACHINES = ("aarch64", "x86_64")
FAILED: dict[str, Any] = {"test": "le_fit_alloc_test", "variant": "mine@2"}


def begun(wanted: Selection, metric: str = "failure", **other: Any) -> Begun:
    fields: dict[str, Any] = {
        "date": "2026-01-02T03:04:05+00:00",
        "command": "invoke bisect",
        "wanted": wanted,
        "series": "mine",
        "patches": tuple(f"{number:04}-change.patch" for number in range(1, 4)),
        "subjects": ("one", "two", "three"),
        "machines": MACHINES,
        "tests": ("le_fit_alloc_test",),
        "metric": metric,
        "boots": 3,
        "tries": 0,
        "identity": "0" * 16,
    }
    return Begun(**{**fields, **other})


class FakeRig:
    """Builds kernels that are nothing, and reports the runs that it is given."""

    def __init__(self, base: Base, folder: Path) -> None:
        self.base, self.folder = base, folder
        self.built: list[tuple[str, str]] = []
        self.tested: list[tuple[int, str, tuple[str, ...]]] = []
        self.trees: set[tuple[str, str]] = set()
        self.broken: dict[tuple[str, str], str] = {}
        self.outcomes: list[Sequence[Result]] = []
        self.where = Where()
        self.tools = Tools(self.build, self.test)

    def build(self, wanted: Selection, variants: tuple[Variant, ...]) -> Plan:
        (variant,) = variants
        self.built.append((variant.name, wanted.machine))
        self.trees.add((variant.name, kbuild.tree_of(self.base, variant).name))
        if why := self.broken.get((variant.name, wanted.machine)):
            raise BuildError(why)
        plan = make.plan(self.base, load_machine(wanted.machine))
        cell = msgspec.structs.replace(plan.cells[0].cell, variant=variant)
        return msgspec.structs.replace(plan, cells=(msgspec.structs.replace(plan.cells[0], cell=cell),), notes=("a note",))

    def test(self, plan: Plan, where: Where, command: str, parent: Path) -> Outcome:
        self.where = where
        machines = tuple(built.cell.machine.name for built in plan.cells)
        self.tested.append((plan.settings.boots, command, machines))
        results = (
            self.outcomes.pop(0) if self.outcomes else [make.result(machine=machine, variant="mine@2") for machine in machines]
        )
        run = Run(run_folder.new_folder(parent))
        run.add([make.booted(machine=machine, variant="mine@2") for machine in machines])
        return Outcome(run.folder, (), (), tuple(results), make.provenance(planned=1))


@pytest.fixture
def rig(base: Base, tmp_path: Path) -> FakeRig:
    return FakeRig(base, tmp_path)


@pytest.fixture
def bench(rig: FakeRig, tmp_path: Path) -> Bench:
    wanted = Selection(series=str(series_of(tmp_path / "mine", 3)), tests="le_fit_alloc_test", jobs=3, cluster="tls://a:1")
    return Bench(begun(wanted), prefix_bench.find(wanted, "", "bisect"), tmp_path / "runs", rig.tools)


def test_a_prefix_is_tried_on_all_machines_at_once(rig: FakeRig, bench: Bench) -> None:
    seen = bench.ask(Question(2, 1), MACHINES)
    assert [(one.machine, one.prefix, one.showed) for one in seen] == [("aarch64", 2, "passed"), ("x86_64", 2, "passed")]
    ((boots, command, machines),) = rig.tested
    assert (boots, machines) == (1, MACHINES)
    assert command.startswith("invoke test --machine aarch64,x86_64 --variant mine@2 --tests le_fit_alloc_test --boots 1 --series ")
    assert "cluster" not in command
    assert rig.where == Where(3, "tls://a:1")
    assert all(one.run for one in seen)


def test_a_kernel_is_built_once(rig: FakeRig, bench: Bench) -> None:
    for _ in range(3):
        bench.ask(Question(2, 1), MACHINES)
    assert rig.built == [("mine@2", "aarch64"), ("mine@2", "x86_64")]
    assert len(rig.tested) == 3


def test_all_prefixes_are_built_in_one_work_tree(rig: FakeRig, bench: Bench) -> None:
    for prefix in range(4):
        bench.ask(Question(prefix, 1), ["x86_64"])
    assert rig.trees == {("stock", "stock"), ("mine@1", "mine"), ("mine@2", "mine"), ("mine", "mine")}


def test_one_machine_whose_kernel_does_not_build_stops_no_other(rig: FakeRig, bench: Bench) -> None:
    rig.broken["mine@2", "aarch64"] = "aarch64/mine@2/perf: the kernel does not build: mm/vmalloc.c:1:1: error: no"
    seen = {one.machine: one for one in bench.ask(Question(2, 1), MACHINES)}
    assert (seen["aarch64"].showed, seen["x86_64"].showed) == ("no build", "passed")
    assert "mm/vmalloc.c:1:1: error: no" in seen["aarch64"].what
    assert rig.tested[0][2] == ("x86_64",)


@pytest.mark.parametrize(
    "why",
    ["x86_64/mine@1/perf: the kernel does not build: No space left on device", "The initramfs of x86_64 cannot be made: no."],
)
def test_what_says_nothing_of_the_kernel_is_no_skip(rig: FakeRig, bench: Bench, why: str) -> None:
    rig.broken["mine@1", "x86_64"] = why
    with pytest.raises(BuildError):
        bench.ask(Question(1, 1), ["x86_64"])


def test_a_rig_that_failed_tries_once_more(rig: FakeRig, bench: Bench) -> None:
    rig.outcomes = [[make.result("error", variant="mine@2", reason="a VM was lost")], [make.result(variant="mine@2")]]
    (one,) = bench.ask(Question(2, 1), ["x86_64"])
    assert one.showed == "passed"
    rig.outcomes = [[make.result("error", variant="mine@2", reason="a VM was lost")], []]
    with pytest.raises(RigError, match=r"The rig failed in mine@2 \(.*\): not every test has a result"):
        bench.ask(Question(2, 1), ["x86_64"])
    rig.outcomes = [[make.result("error", variant="mine@2", reason="a VM was lost")]] * 2
    with pytest.raises(RigError, match="a VM was lost"):
        bench.ask(Question(2, 1), ["x86_64"])


def told(
    folder: Path,
    metric: str = "failure",
    results: Sequence[Result] = (),
    findings: Sequence[Finding] = (),
    samples: Sequence[Sample] = (),
    *,
    boots: bool = True,
) -> Tried:
    """Return what `read` makes of a run of mine@2 on x86_64."""
    run = Run(folder / "run")
    run.add(samples)
    run.add([make.booted(variant="mine@2")] if boots else [])
    outcome = Outcome(run.folder, (), tuple(findings), tuple(results), make.provenance())
    return read(begun(Selection(), metric), outcome, "x86_64", Question(2, 1))


def test_a_finding_is_a_failure(tmp_path: Path) -> None:
    one = told(tmp_path, results=[make.result("failed", **FAILED)], findings=[make.finding(**FAILED)])
    assert (one.showed, one.what) == ("failed", "bug in alloc_vmap_area, mm/vmalloc.c:512 in le_fit_alloc_test")
    assert len(one.causes) == 1
    assert one.run == "run"


def test_a_known_bug_and_another_machine_are_none(tmp_path: Path) -> None:
    others = [make.finding(**FAILED, expected="a known bug"), make.finding(**FAILED, machine="aarch64")]
    results = [make.result("xfailed", **FAILED), make.result("failed", **FAILED, machine="aarch64")]
    assert told(tmp_path, results=results, findings=others).showed == "passed"


def test_a_test_that_failed_without_a_finding_is_a_failure(tmp_path: Path) -> None:
    one = told(tmp_path, results=[make.result("failed", **FAILED, reason="it did")])
    assert (one.showed, one.what) == ("failed", "le_fit_alloc_test: it did")


def test_a_kernel_that_never_came_up_did_not_boot(tmp_path: Path) -> None:
    died = make.finding(variant="mine@2", test="boot")
    assert told(tmp_path, findings=[died], boots=False).showed == "no boot"
    assert told(tmp_path / "up", findings=[died]).showed == "failed", "it warned while it booted"


def test_a_test_that_is_skipped_judges_nothing(tmp_path: Path) -> None:
    results = [make.result("passed", test="boot"), make.result("skipped", **FAILED, reason="no fault injection")]
    with pytest.raises(RigError, match=r"le_fit_alloc_test is skipped on x86_64 \(no fault injection\)"):
        told(tmp_path, results=results)


def test_a_cost_has_its_samples_by_boot_without_warm_ups(tmp_path: Path) -> None:
    samples = [
        make.sample(5.0, variant="mine@2", machine="aarch64"),
        make.sample(9000.0, variant="mine@2", warmup=True),
        *(make.sample(1000.0 + boot, variant="mine@2", boot=boot) for boot in (1, 0, 2)),
        make.sample(6.0, variant="mine@2", test="b_fit_alloc_test"),
    ]
    one = told(tmp_path, "cost", [make.result(**FAILED)], samples=samples)
    assert (one.showed, one.values, one.unit) == ("measured", ((1000.0,), (1001.0,), (1002.0,)), "instructions/op")


def test_a_cost_is_none_where_the_test_failed_or_has_no_figure(tmp_path: Path) -> None:
    one = told(tmp_path, "cost", [make.result("failed", **FAILED)], [make.finding(**FAILED)], [make.sample(1.0, variant="mine@2")])
    assert (one.showed, one.values) == ("failed", ())
    one = told(tmp_path / "none", "cost", [make.result(**FAILED)])
    assert (one.showed, one.what) == ("failed", "le_fit_alloc_test has no figure in such kernels")


def test_figures_of_another_clock_are_none(tmp_path: Path) -> None:
    samples = [make.sample(1.0, variant="mine@2", clock=Clock.WALL, unit="ns/op")]
    assert told(tmp_path, "cost", [make.result(**FAILED)], samples=samples).showed == "failed"
