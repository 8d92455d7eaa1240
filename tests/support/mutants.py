# SPDX-License-Identifier: GPL-2.0-only
"""A table of mutants, and a rig that tries them without a kernel."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from harness import paths
from harness.build import git, kbuild
from harness.build.jobserver import Jobserver
from harness.build.kernel import Kernel
from harness.build.kernel_tree import Tree
from harness.build.patches import Patched
from harness.build.source import Sources
from harness.commands import mutants
from harness.commands.mutant_bench import Tools
from harness.errors import BuildError, VmLost
from harness.model import mutants as mutations
from harness.model.changes import KernelContents
from harness.model.known_bugs import KnownBug
from harness.model.matrix import Base, Cell, Variant
from harness.model.mutants import Mutant, MutantTable
from harness.model.selection import Selection
from harness.suite.execute import Steps
from harness.suite.extract import Observed
from harness.suite.plan import Plan, Session
from tests.support import make

TESTS = ("random_size_align_test", "pcpu_alloc_test")
ONE = Mutant("one", "the first line is gone", "line 1\n", "")


def table(*given: Mutant, **other: Any) -> MutantTable:
    fields: dict[str, Any] = {"machine": "x86_64", "profiles": ("perf", "debug"), "scale": "quick"}
    return MutantTable(mutants=given, **{**fields, **other})


class FakeRig:
    """Builds nothing; `bugs` tells which mutants show something, by profile and test."""

    def __init__(self, base: Base, tree: Tree, folder: Path) -> None:
        self.base = msgspec.structs.replace(base, known_bugs=(KnownBug(TESTS[0], "bug", ".*", "known of stock"),))
        self.tree, self.folder = tree, folder
        self.bugs: dict[tuple[str, str], str] = {}
        self.unbuildable: set[str] = set()
        self.without_effect: set[str] = set()
        self.lost: dict[str, int] = {}
        self.built: list[tuple[str, str]] = []
        self.ran: list[tuple[str, str, str]] = []
        mine = [Mutant(name, f"{name} is wrong", f"line {10 + number}\n", "") for number, name in enumerate(("a", "b", "c"))]
        self.steps = Steps(
            lambda _, plan, session: self.seen(plan, session, "boot"),
            lambda _, plan, session, step: self.seen(plan, session, step.name),
            lambda _, plan, session: self.seen(plan, session, "end"),
        )
        self.parts = mutants.Parts(
            load=lambda *_: table(*mine),
            check=lambda _: None,
            variant=lambda _, name: Variant(name),
            source=lambda *_: Sources(base, tree),
            build=self.build,
            tools=Tools(self.kernel, self.steps),
            workers=lambda *_: 2,
        )

    def do(self, **steps: Any) -> None:
        """Do something else in the VMs."""
        self.parts = msgspec.structs.replace(self.parts, tools=Tools(self.kernel, msgspec.structs.replace(self.steps, **steps)))

    def build(self, wanted: Selection, variants: tuple[Variant, ...]) -> Plan:
        assert (wanted.tests, wanted.scale, wanted.kernel) == ("stress", "quick", "4.18")
        made = make.plan(self.base, tests=TESTS, suite="suite")
        cell = Cell(made.cells[0].cell.machine, variants[0], wanted.profile)
        kernel = msgspec.structs.replace(made.cells[0].kernel, module=self.folder / "series" / "m.ko", folder=self.folder)
        self.told(self.folder, "the series")
        return msgspec.structs.replace(made, cells=(msgspec.structs.replace(made.cells[0], cell=cell, kernel=kernel),))

    def kernel(
        self, base: Base, cell: Cell, patched: Patched, jobs: Jobserver, say: Callable[[str], None], fitting: Path | None
    ) -> Kernel:
        del jobs
        say("building")
        assert fitting
        assert fitting == self.folder / "series" / "m.ko"
        name = cell.variant.name
        assert kbuild.tree_of(base, cell.variant).is_relative_to(paths.cache() / "mutants")
        assert git.blob(patched.commit, mutations.FILE) != git.blob(self.tree.commit, mutations.FILE)
        self.built.append((name, cell.profile))
        if name in self.unbuildable:
            raise BuildError(f"{name}: it does not build")
        kernel = self.folder / f"kernel-{name}"
        kernel.mkdir(exist_ok=True)
        self.told(kernel, "the series" if name in self.without_effect else name)
        return Kernel(kernel, kernel / "image", kernel / "config", fitting, name, "4.18.0", make.BUILD_ID, make.MODULE_BUILD_ID)

    @staticmethod
    def told(folder: Path, loaded: str) -> None:
        (folder / "functions.json").write_bytes(msgspec.json.encode(KernelContents(loaded, (), ())))

    def seen(self, plan: Plan, session: Session, test: str) -> Observed:
        cell = session.built.cell
        self.ran.append((cell.variant.name, cell.profile, test))
        if self.lost.get(cell.variant.name, 0):
            self.lost[cell.variant.name] -= 1
            raise VmLost("QEMU did not start")
        shown = self.bugs.get((cell.variant.name, cell.profile), "").split()
        known = any(bug.test == test for bug in plan.base.known_bugs)
        return Observed(findings=(make.finding(test=test, expected="known" if known else ""),) if test in shown else ())
