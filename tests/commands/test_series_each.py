# SPDX-License-Identifier: GPL-2.0-only
"""Every prefix of a series, with kernels that nobody built: what is built, tested, and told of each patch on each machine."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from harness.build.build_warnings import BuildWarnings
from harness.build.compiler_output import Said
from harness.build.kernel_tree import Tree
from harness.build.source import Sources
from harness.commands import series_each
from harness.commands.series_each import EachPatch, Parts
from harness.errors import BuildError, UsageError
from harness.model.clock import Clock
from harness.model.matrix import Base, Variant, load_machine
from harness.model.records import Finding, Result
from harness.model.selection import Selection, Where
from harness.report.patch_table import PatchRow
from harness.stats.outcome import ExitCode, Outcome
from harness.suite.plan import Plan
from tests.support import make
from tests.support.patches import FILE, series_of

MACHINES = ("aarch64", "x86_64")
OF: dict[str, Any] = {"test": "vmap_test", "clock": Clock.WALL}


class FakeRig:
    """Builds kernels that are nothing but a name, and has one run of them all."""

    def __init__(self, base: Base, tree: Tree) -> None:
        self.broken: set[tuple[str, str]] = set()
        """variant and machine of kernels that do not build"""
        self.warns: dict[tuple[str, str], Sequence[str]] = {}
        """words of warnings in mm/vmalloc.c by variant and machine"""
        self.results: list[Result] = []
        """in place of those that pass"""
        self.findings: list[Finding] = []
        self.tests = ""
        self.where = Where()
        self._base, self._tree = base, tree
        self.parts = Parts(lambda *_: Sources(base, tree), self.build, self.test, self.warnings)

    def build(self, wanted: Selection, variants: tuple[Variant, ...]) -> Plan:
        (variant,) = variants
        self.tests = wanted.tests
        if (variant.name, wanted.machine) in self.broken:
            raise BuildError(f"{wanted.machine}/{variant.name}/perf: the kernel does not build: no")
        plan = make.plan(self._base, load_machine(wanted.machine))
        built = plan.cells[0]
        kernel = msgspec.structs.replace(built.kernel, folder=Path(variant.name) / wanted.machine)
        cell = msgspec.structs.replace(built.cell, variant=variant)
        return msgspec.structs.replace(plan, cells=(msgspec.structs.replace(built, cell=cell, kernel=kernel),))

    def warnings(self, folder: Path) -> BuildWarnings:
        said = self.warns.get((folder.parent.name, folder.name), ())
        return BuildWarnings(
            frozenset({"mm/vmalloc"}), tuple(Said(FILE, "1", f"warning: {words}") for words in said), frozenset({FILE})
        )

    def test(self, plan: Plan, where: Where, command: str) -> Outcome:
        self.where = where
        names = [(built.cell.variant.name, built.cell.machine.name) for built in plan.cells]
        passed = [make.result(variant=v, machine=m, **{**OF, "test": t}) for v, m in names for t in ("boot", "vmap_test", "end")]
        changed = {(r.variant, r.machine, r.test): r for r in self.results}
        results = tuple(changed.get((r.variant, r.machine, r.test), r) for r in passed)
        counts = {"stock": (), "mine@1": ("a",), "mine@2": ("a", "b"), "mine": ("a", "b", "c")}
        patches = {name: counts[name] for name in dict.fromkeys(variant for variant, _ in names)}
        told = make.provenance(planned=len(results), patches=patches, machines=dict.fromkeys(MACHINES, ""))
        return Outcome(Path("run"), (), tuple(self.findings), results, told)


@pytest.fixture
def rig(base: Base, tree: Tree) -> FakeRig:
    return FakeRig(base, tree)


@pytest.fixture
def mine(tmp_path: Path) -> Selection:
    return Selection(series=str(series_of(tmp_path / "mine", 3)))


def run(rig: FakeRig, wanted: Selection, name: str = "") -> EachPatch:
    def say(_: str) -> None:
        """Take a line of progress."""

    return series_each.run(wanted, name, "invoke series.each", say, rig.parts)


def rows(done: EachPatch) -> dict[tuple[str, str], PatchRow]:
    return {(row.patch.split()[0], row.machine): row for row in done.rows}


def test_a_good_series_has_a_good_row_for_each_patch_and_machine(rig: FakeRig, mine: Selection) -> None:
    done = run(rig, mine)
    numbers = ["stock", "1", "2", "3"]
    assert [(row.patch.split()[0], row.machine) for row in done.rows] == [(n, m) for n in numbers for m in MACHINES]
    assert done.rows[2].patch == "1 mm: change number 1"
    assert not [row for row in done.rows if row.bad]
    assert all((row.booted, row.passed, row.tests) == (True, 1, 1) for row in done.rows)
    assert done.exit_code == ExitCode.GOOD
    assert rig.tests == "stress"


def test_all_prefixes_are_tested_where_the_selection_says(rig: FakeRig, mine: Selection) -> None:
    run(rig, msgspec.structs.replace(mine, jobs=3, cluster="tls://a:1"))
    assert rig.where == Where(3, "tls://a:1")


def test_a_prefix_that_does_not_build_on_one_machine_stops_nothing_else(rig: FakeRig, mine: Selection) -> None:
    rig.broken.add(("mine@2", "aarch64"))
    done = run(rig, mine)
    assert rows(done)["2", "aarch64"].unbuilt == "aarch64/mine@2/perf: the kernel does not build: no"
    assert not rows(done)["2", "x86_64"].bad
    assert not rows(done)["3", "aarch64"].compared, "there is no kernel before it"
    assert rows(done)["3", "x86_64"].compared
    assert done.exit_code == ExitCode.FINDING


def test_without_any_kernel_there_is_nothing_to_test(rig: FakeRig, mine: Selection) -> None:
    rig.broken |= {(variant, machine) for variant in ("stock", "mine@1", "mine@2", "mine") for machine in MACHINES}
    with pytest.raises(UsageError, match="No prefix of mine builds: aarch64/stock/perf"):
        run(rig, mine)


def test_a_warning_is_that_of_the_patch_that_brings_it(rig: FakeRig, mine: Selection) -> None:
    rig.warns |= {(variant, "x86_64"): ("unused",) for variant in ("mine@2", "mine")}
    rig.warns["stock", "aarch64"] = ("old",)
    done = run(rig, mine)
    assert {key: row.warnings for key, row in rows(done).items() if row.warnings} == {("2", "x86_64"): (f"{FILE}: unused",)}
    assert done.exit_code == ExitCode.FINDING


def test_a_finding_is_that_of_the_patch_that_brings_it(rig: FakeRig, mine: Selection) -> None:
    broken = [(variant, "x86_64") for variant in ("mine@2", "mine")]
    rig.results = [make.result("failed", variant=v, machine=m, **OF) for v, m in broken]
    rig.findings = [make.finding(variant=v, machine=m, test="vmap_test") for v, m in broken]
    done = run(rig, mine)
    found = {key: row.findings for key, row in rows(done).items() if row.findings}
    what = "bug: kernel BUG at mm/vmalloc.c:512! (in alloc_vmap_area, mm/vmalloc.c:512) in vmap_test"
    assert found == {("2", "x86_64"): (what,)}
    assert (rows(done)["3", "x86_64"].passed, rows(done)["3", "x86_64"].tests) == (0, 1)
    assert [key for key, row in rows(done).items() if row.bad] == [("2", "x86_64"), ("3", "x86_64")]
    assert done.exit_code == ExitCode.FINDING


def test_what_stock_shows_is_told_of_stock(rig: FakeRig, mine: Selection) -> None:
    rig.findings = [make.finding(variant="stock", test="vmap_test"), make.finding(variant="stock", expected="known")]
    assert [key for key, row in rows(run(rig, mine)).items() if row.findings] == [("stock", "x86_64")]


def test_a_kernel_that_does_not_boot(rig: FakeRig, mine: Selection) -> None:
    rig.results = [make.result("failed", variant="mine@1", machine="x86_64", **{**OF, "test": "boot"})]
    row = rows(run(rig, mine))["1", "x86_64"]
    assert not row.booted
    assert row.bad


def test_known_bugs_and_what_was_dismissed_pass_and_skips_are_counted(rig: FakeRig, mine: Selection) -> None:
    words = {"stock": "xfailed", "mine@1": "dismissed", "mine@2": "skipped"}
    rig.results = [make.result(word, variant=variant, machine="x86_64", **OF) for variant, word in words.items()]
    done = rows(run(rig, mine))
    counts = {key: (row.passed, row.skipped) for key, row in done.items() if key[1] == "x86_64"}
    assert list(counts.values()) == [(1, 0), (1, 0), (0, 1), (1, 0)]


def test_a_rig_that_failed_is_no_verdict(rig: FakeRig, mine: Selection) -> None:
    rig.results = [make.result("error", variant="mine", machine="x86_64", **OF)]
    assert run(rig, mine).exit_code == ExitCode.RIG_FAILED


def test_a_full_disk_is_no_fault_of_a_patch(rig: FakeRig, mine: Selection) -> None:
    def full(wanted: Selection, variants: tuple[Variant, ...]) -> Plan:
        raise BuildError(f"{wanted.machine}/{variants[0].name}/perf: the kernel does not build: No space left on device")

    rig.parts = msgspec.structs.replace(rig.parts, build=full)
    with pytest.raises(BuildError, match="No space left"):
        run(rig, mine)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"variant": "stock"}, "--variant has no meaning in `invoke series.each`"),
        ({"each_patch": True}, "--each-patch has no meaning in `invoke series.each`"),
        ({"profile": "perf,debug"}, "`invoke series.each` takes kernels of one profile"),
        ({"profile": "latency"}, "The profile 'latency' runs none of the chosen tests"),
        ({"machine": "arm"}, "There is no machine 'arm'"),
    ],
)
def test_a_mistake_is_said_before_anything_is_built(rig: FakeRig, mine: Selection, options: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        run(rig, msgspec.structs.replace(mine, **options))
    assert not rig.tests
