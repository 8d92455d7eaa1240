# SPDX-License-Identifier: GPL-2.0-only
"""The rig's check of itself, with kernels that nobody built: what it builds, measures, keeps and removes."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from harness import paths
from harness.build import kbuild
from harness.build.built import BuiltCell
from harness.build.kernel import Kernel
from harness.commands import injection, selfcheck
from harness.errors import RigError, UsageError
from harness.model import records, run_folder
from harness.model.clock import Clock
from harness.model.matrix import Base, Variant
from harness.model.run_folder import Run
from harness.model.selection import Selection, Where
from harness.runs import trust
from harness.stats.outcome import Outcome
from harness.suite.plan import Plan
from tests.commands.test_injection import SOURCE
from tests.support import make

COST = 4000.0
"""instructions of an allocation"""


class FakeRig:
    """Builds empty kernels and measures what they were made to cost."""

    def __init__(self, base: Base, folder: Path) -> None:
        self.base, self.folder = base, folder
        self.patches: dict[str, str] = {}
        self.broken_under: Clock | None = None
        self.tested: list[tuple[Clock, int, tuple[str, ...]]] = []
        self.parts = selfcheck.Parts(self.build, self.test)

    def build(self, wanted: Selection, variants: tuple[Variant, ...] = ()) -> Plan:
        assert wanted.tests == "performance"
        plan = make.plan(self.base)
        return msgspec.structs.replace(plan, cells=tuple(self._built(plan.cells[0], v) for v in variants))

    def _built(self, like: BuiltCell, variant: Variant) -> BuiltCell:
        tree = kbuild.tree_of(self.base, variant)
        (tree / "mm").mkdir(parents=True)
        (tree / injection.FILE).write_text(SOURCE)
        kernel = self.folder / f"kernel-{variant.name}"
        kernel.mkdir()
        (kernel / "image").write_text("the same" if variant.series is None else variant.name)
        if variant.series:
            self.patches[variant.name] = variant.series.read_text()
        made = Kernel(
            kernel, kernel / "image", kernel / "config", kernel / "m.ko", "0", "4.18.0", make.BUILD_ID, make.MODULE_BUILD_ID
        )
        return msgspec.structs.replace(like, cell=msgspec.structs.replace(like.cell, variant=variant), kernel=made)

    def test(self, made: Plan, where: Where, command: str, parent: Path) -> Outcome:
        assert where == Where(2, "tls://a:1")
        settings = made.settings
        names = tuple(built.cell.variant.name for built in made.cells)
        self.tested.append((settings.clock, settings.boots, names))
        run = Run(run_folder.new_folder(parent))
        noise = 1e-5 if settings.clock is Clock.ICOUNT else 0.01
        run.add(self._samples(made, names, noise))
        results = (make.result("error" if self.broken_under is settings.clock else "passed"),)
        return Outcome(run.folder, (), (), results, make.provenance(planned=1))

    def _samples(self, made: Plan, names: Sequence[str], noise: float) -> list[records.Sample]:
        rng = random.Random(len(names))
        costs = {name: COST * (1 + float(name.removeprefix("plus-")) / 100 if name.startswith("plus-") else 1) for name in names}
        return [
            make.sample(cost * (1 + rng.gauss(0, noise)), variant=name, clock=made.settings.clock, boot=boot)
            for name, cost in costs.items()
            for boot in range(made.settings.boots)
        ]


@pytest.fixture
def rig(base: Base, tmp_path: Path, results: Path) -> FakeRig:
    assert not results.exists()
    return FakeRig(base, tmp_path)


def test_it_measures_twins_and_slower_kernels_under_each_clock(rig: FakeRig) -> None:
    found = selfcheck.run(Selection(boots=5, jobs=2, cluster="tls://a:1"), tuple(Clock), 2, "invoke selfcheck", rig.parts)
    names = ("stock", "twin", "plus-0.5", "plus-1", "plus-2", "plus-5")
    assert rig.tested == [(Clock.ICOUNT, 1, ("stock",)), (Clock.ICOUNT, 10, names), (Clock.WALL, 10, names)]
    added = {name: int(text.partition(".rept ")[2].partition("\\n")[0]) for name, text in rig.patches.items()}
    assert added == {"plus-0.5": 20, "plus-1": 40, "plus-2": 80, "plus-5": 200}
    assert found.identical == {"x86_64": True}
    assert found.smallest(Clock.ICOUNT) == pytest.approx(0.5, rel=1e-3)
    assert [t.verdicts for t in found.trials if not t.injected] == [("same", "same")] * 2
    assert trust.last_selfcheck() == found


def test_only_results_are_left(rig: FakeRig, base: Base) -> None:
    selfcheck.run(Selection(boots=5, jobs=2, cluster="tls://a:1"), (Clock.ICOUNT,), 1, "invoke selfcheck", rig.parts)
    assert not (paths.cache() / "selfcheck").exists()
    assert sorted(file.name for file in paths.RESULTS.iterdir()) == ["selfcheck", "selfcheck.json"]


def test_a_rig_that_fails_finds_out_nothing(rig: FakeRig, base: Base) -> None:
    rig.broken_under = Clock.ICOUNT
    with pytest.raises(RigError, match="without findings"):
        selfcheck.run(Selection(boots=5, jobs=2, cluster="tls://a:1"), (Clock.ICOUNT,), 1, "invoke selfcheck", rig.parts)
    assert trust.last_selfcheck() is None
    assert not (paths.cache() / "selfcheck").exists()


def test_a_damaged_record_is_as_good_as_none(rig: FakeRig) -> None:
    paths.RESULTS.mkdir()
    trust.selfcheck_file().write_text('{"date": 1')
    assert trust.last_selfcheck() is None


def test_a_clock_that_cannot_be_measured_keeps_what_the_other_told(rig: FakeRig) -> None:
    rig.broken_under = Clock.WALL
    with pytest.raises(RigError):
        selfcheck.run(Selection(boots=5, jobs=2, cluster="tls://a:1"), tuple(Clock), 1, "invoke selfcheck", rig.parts)
    kept = trust.last_selfcheck()
    assert kept
    assert {trial.clock for trial in kept.trials} == {Clock.ICOUNT}


@pytest.mark.parametrize("option", [{"tests": "stress"}, {"series": "/x"}, {"keep": True}, {"boots": 2}, {"margin": 1.0}])
def test_an_option_that_has_no_meaning_is_refused(rig: FakeRig, option: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=f"--{next(iter(option))} has"):
        selfcheck.run(Selection(**option), (Clock.ICOUNT,), 1, "invoke selfcheck", rig.parts)
    assert not rig.tested


def test_what_is_kept_apart_has_a_tree_of_its_own(base: Base) -> None:
    assert kbuild.tree_of(base, Variant("stock")) == paths.cache() / "trees" / base.name / "stock"
    assert kbuild.tree_of(base, Variant("stock", apart="selfcheck/a")).is_relative_to(paths.cache() / "selfcheck" / "a")
