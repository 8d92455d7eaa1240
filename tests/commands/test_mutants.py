# SPDX-License-Identifier: GPL-2.0-only
"""Bugs made on purpose: the table of them, and what is made of it, with kernels that nobody built."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from filelock import FileLock
from markdown_it import MarkdownIt

from harness import paths
from harness.build import git, kbuild
from harness.build.jobserver import Jobserver
from harness.build.kernel import Kernel
from harness.build.kernel_tree import Tree
from harness.build.patches import Patched
from harness.build.source import Sources
from harness.commands import mutant_book, mutants
from harness.commands.mutant_bench import Tools
from harness.errors import BuildError, Mismatch, RigError, UsageError, VmLost
from harness.model import matrix
from harness.model import mutants as mutations
from harness.model.changes import KernelContents
from harness.model.known_bugs import KnownBug
from harness.model.matrix import Base, Cell, Variant
from harness.model.mutants import Attempt, Edit, Mutant, MutantTable, MutationRun, Weakness
from harness.model.selection import Selection
from harness.report import mutants as report
from harness.stats.outcome import ExitCode
from harness.suite.execute import Steps
from harness.suite.extract import Observed
from harness.suite.plan import Plan, Session, Step
from harness.suite.vm_pool import Lab
from tests.support import linux, make

TESTS = ("random_size_align_test", "pcpu_alloc_test")
ONE = Mutant("one", "the first line is gone", "line 1\n", "")


def table(*given: Mutant, **other: Any) -> MutantTable:
    fields: dict[str, Any] = {"machine": "x86_64", "profiles": ("perf", "debug"), "scale": "quick"}
    return MutantTable(mutants=given, **{**fields, **other})


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ((ONE, ONE), "'one': another mutant has the same name"),
        ((msgspec.structs.replace(ONE, name="Two words"),), "small letters"),
        ((msgspec.structs.replace(ONE, name="../one"),), "small letters"),
        ((msgspec.structs.replace(ONE, breaks="a\nb"),), "in one line"),
        ((msgspec.structs.replace(ONE, file="include/linux/vmalloc.h"),), "is not a file mm/NAME.c"),
        ((msgspec.structs.replace(ONE, file="mm/../etc.c"),), "is not a file mm/NAME.c"),
        ((msgspec.structs.replace(ONE, new=ONE.old),), "different texts"),
        ((msgspec.structs.replace(ONE, also=(Edit(" \n", "x"),)),), "different texts"),
        ((msgspec.structs.replace(ONE, weakness=3),), "there is no weakness 3"),
    ],
)
def test_an_entry_that_makes_no_sense_is_named(given: tuple[Mutant, ...], said: str) -> None:
    with pytest.raises(UsageError, match="mutants.toml: the mutant .*" + said):
        mutations.check(table(*given, weaknesses=(Weakness(1, "x"),)), "mutants.toml")


@pytest.mark.parametrize(("old", "count"), [("line 101\n", 0), ("line 1", 12)])
def test_a_mutant_that_does_not_apply_once_is_named(old: str, count: int) -> None:
    text = "".join(f"line {number}\n" for number in range(1, 101))
    with pytest.raises(UsageError, match=rf"'one' does not apply: .*{old.strip()}.* mm/vmalloc.c {count} times"):
        mutations.mutate(msgspec.structs.replace(ONE, old=old), lambda _: text)


def test_later_edits_see_what_earlier_ones_did() -> None:
    of = msgspec.structs.replace(ONE, new="a\n", also=(Edit("a\n", "b\n"), Edit("c", "d", "mm/percpu.c")))
    texts = {mutations.FILE: "line 1\nline 2\n", "mm/percpu.c": "c"}
    assert mutations.mutate(of, texts.__getitem__) == {mutations.FILE: "b\nline 2\n", "mm/percpu.c": "d"}


def test_an_unknown_mutant_gets_a_hint() -> None:
    assert mutations.choose(table(ONE), " one ,") == (ONE,)
    with pytest.raises(UsageError, match="no mutant 'on'; did you mean 'one'"):
        mutations.choose(table(ONE), "on")


def test_a_kernel_without_mutants_says_so() -> None:
    with pytest.raises(UsageError, match=r"Linux 6\.1 has no mutants of a series"):
        mutants.load(matrix.load_base("6.1"), "")
    for wanted in ("stock", "fixes", "free-list@2", "./free-list", "../4.18/free-list"):
        with pytest.raises(UsageError, match=rf"Linux 4\.18 has no mutants of {re.escape(wanted)}; .*free-list"):
            mutants.load(matrix.load_base("4.18"), wanted)


def test_mutants_are_those_of_one_series(rig: FakeRig) -> None:
    with pytest.raises(UsageError, match="of one series; give --variant one name"):
        mutants.run(Selection(variant="a,b"), "", "invoke mutants", parts=rig.parts)


def test_a_commit_differs_in_the_given_files_alone(tree: Tree) -> None:
    made = git.with_files(tree.commit, {"mm/vmalloc.c": "new\n"}, "a mutant")
    assert git.blob(made, "mm/vmalloc.c") == b"new"
    assert git.run("diff", "--name-status", tree.commit, made) == "M\tmm/vmalloc.c"
    assert git.blob(tree.commit, "mm/vmalloc.c") != b"new"


# The runner


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


@pytest.fixture
def rig(base: Base, tree: Tree, tmp_path: Path, results: Path) -> FakeRig:
    assert not results.exists()
    return FakeRig(base, tree, tmp_path)


def go(rig: FakeRig, only: str = "", **other: Any) -> MutationRun:
    return mutants.run(Selection(jobs=2, variant="mine"), only, "invoke mutants", parts=rig.parts, **other)


def test_what_survives_in_one_profile_is_tried_in_the_next(rig: FakeRig) -> None:
    rig.bugs = {("a", "perf"): TESTS[1], ("b", "debug"): "end"}
    found = go(rig)
    assert [(m.name, found.verdict(m)) for m in found.mutants] == [("a", "caught"), ("b", "caught"), ("c", "survived")]
    assert sorted(rig.built) == [("a", "perf"), ("b", "debug"), ("b", "perf"), ("c", "debug"), ("c", "perf")]
    assert [(c.profile, c.outcome) for c in found.control] == [("perf", "survived"), ("debug", "survived")]
    assert mutations.by_test(found) == {TESTS[1]: ["a"], "end": ["b"]}
    assert mutants.exit_code(found) == ExitCode.FINDING
    assert mutant_book.last("mine") == found


def test_a_mutant_is_left_at_its_first_finding_unless_all_are_wanted(rig: FakeRig) -> None:
    rig.bugs = {("a", "perf"): " ".join(TESTS)}
    found = go(rig, "a")
    assert [test for name, _, test in rig.ran if name == "a"] == ["boot", TESTS[0]]
    assert found.attempts[0].test == TESTS[0]
    assert found.attempts[0].kind == "bug"
    assert mutants.exit_code(found) == ExitCode.GOOD
    rig.ran.clear()
    found = go(rig, "a", everything=True)
    assert [test for name, _, test in rig.ran if name == "a"] == ["boot", *TESTS, "end"]
    assert found.attempts[0].others == (TESTS[1],)


def test_one_that_does_not_boot_is_caught_by_that(rig: FakeRig) -> None:
    rig.bugs = {("a", "perf"): f"boot {TESTS[0]}"}
    assert go(rig, "a", everything=True).attempts[0].test == "boot"
    assert [test for name, _, test in rig.ran if name == "a"] == ["boot"]


def test_nothing_counts_if_the_series_itself_has_findings(rig: FakeRig) -> None:
    rig.bugs = {("mine", "perf"): TESTS[0]}
    with pytest.raises(RigError, match=f"'mine' itself has a finding in {TESTS[0]}"):
        go(rig)
    assert not rig.built
    kept = mutant_book.last("mine")
    assert kept
    assert not kept.attempts
    assert mutants.exit_code(kept) == ExitCode.RIG_FAILED


def test_one_that_does_not_build_is_an_error_and_not_a_catch(rig: FakeRig) -> None:
    rig.unbuildable, rig.bugs = {"a"}, {("b", "perf"): "end"}
    found = go(rig, "a,b")
    assert [found.verdict(m) for m in found.mutants] == ["error", "caught"]
    assert "it does not build" in found.attempts[0].title + found.attempts[1].title
    assert mutants.exit_code(found) == ExitCode.RIG_FAILED


def test_one_whose_kernel_is_that_of_the_series_is_an_error_and_not_a_survivor(rig: FakeRig) -> None:
    rig.without_effect = {"a"}
    found = go(rig, "a")
    assert found.verdict(found.mutants[0]) == "error"
    assert "'a' changes nothing of a kernel of the profile perf" in found.attempts[0].title
    assert [name for name, *_ in rig.ran if name == "a"] == []


def test_a_vm_that_is_lost_gets_a_second_chance(rig: FakeRig) -> None:
    rig.lost = {"a": 1, "b": 2}
    rig.bugs = {(name, "perf"): "end" for name in "ab"}
    found = go(rig, "a,b")
    assert [found.verdict(m) for m in found.mutants] == ["caught", "error"]


def test_one_that_did_not_run_what_was_built_is_an_error_and_no_survivor(rig: FakeRig) -> None:
    seen = rig.seen

    def boot(_: Lab, plan: Plan, session: Session) -> Observed:
        if session.built.cell.variant.name == "a":
            raise Mismatch("another kernel")
        return seen(plan, session, "boot")

    rig.do(boot=boot)
    rig.bugs = {("b", "perf"): "end"}
    found = go(rig, "a,b")
    assert [found.verdict(m) for m in found.mutants] == ["error", "caught"]
    assert {attempt.mutant: attempt.title for attempt in found.attempts}["a"] == "another kernel"


def test_it_goes_on_with_what_was_not_done(rig: FakeRig) -> None:
    rig.bugs, rig.unbuildable = {("a", "perf"): "end"}, {"b"}
    go(rig, "a,b")
    rig.built.clear()
    rig.unbuildable.clear()
    rig.bugs["b", "perf"] = "end"
    found = go(rig, "a,b,c", resume=True)
    assert sorted(rig.built) == [("b", "perf"), ("c", "debug"), ("c", "perf")]
    assert [found.verdict(m) for m in found.mutants] == ["caught", "caught", "survived"]
    rig.built.clear()
    go(rig, "a")
    assert rig.built == [("a", "perf")]


def test_what_was_done_is_not_lost_where_going_on_is_interrupted(rig: FakeRig) -> None:
    rig.bugs = {("a", "perf"): "end"}
    go(rig, "a,b")
    rig.bugs["mine", "perf"] = TESTS[0]
    with pytest.raises(RigError, match="'mine' itself has a finding"):
        go(rig, "a,b", resume=True)
    del rig.bugs["mine", "perf"]
    go(rig, "b", resume=True)
    rig.built.clear()
    found = go(rig, "a,b", resume=True)
    assert not rig.built
    assert [found.verdict(m) for m in found.mutants] == ["caught", "survived"]
    go(rig, "a,b")
    assert rig.built, "without --resume all is done again"


def test_an_interruption_ends_what_is_under_way_and_blames_no_mutant_for_it(rig: FakeRig) -> None:
    busy, ended = threading.Event(), threading.Event()
    in_time: list[bool] = []

    def run(_: Lab, __: Plan, session: Session, step: Step) -> Observed:
        name = session.built.cell.variant.name
        if name == "a":
            assert busy.wait(20)
            raise KeyboardInterrupt
        if name == "b":
            busy.set()
            in_time.append(ended.wait(5))
            raise VmLost("the VM's folder is gone")
        return Observed()

    rig.do(run=run)
    rig.parts = msgspec.structs.replace(rig.parts, stop=ended.set)
    with pytest.raises(KeyboardInterrupt):
        go(rig, "a,b")
    assert in_time == [True], "its VM is ended, rather than waited for"
    kept = mutant_book.last("mine")
    assert kept
    assert not kept.attempts


def test_another_mutant_of_the_same_name_is_done_again(rig: FakeRig) -> None:
    rig.bugs = {("a", "perf"): "end"}
    go(rig, "a")
    rig.built.clear()
    worse = table(Mutant("a", "worse", "line 50\n", "line\n"))
    rig.parts = msgspec.structs.replace(rig.parts, load=lambda *_: worse)
    go(rig, "a", resume=True)
    assert rig.built == [("a", "perf")]


def test_one_rig_at_a_time(rig: FakeRig) -> None:
    paths.cache().mkdir(exist_ok=True)
    with FileLock(paths.cache() / ".mutants.lock"), pytest.raises(UsageError, match="Another rig is trying mutants"):
        go(rig, "a")
    assert not rig.built
    go(rig, "a")
    assert rig.built


def test_kernels_are_not_kept(rig: FakeRig) -> None:
    (rig.folder / "series").mkdir()
    go(rig, "a")
    assert rig.built
    assert not list(rig.folder.glob("kernel-*"))
    assert (rig.folder / "series").exists()


@pytest.mark.parametrize("option", [{"series": "/x"}, {"keep": True}, {"on_failure": "keep"}, {"boots": 2}])
def test_an_option_that_has_no_meaning_is_refused(rig: FakeRig, option: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=f"--{next(iter(option)).replace('_', '-')} has no meaning for mutants"):
        mutants.run(Selection(**option), "", "invoke mutants")
    assert not rig.built


def test_what_the_user_says_goes_before_the_table(base: Base) -> None:
    said = mutants.completed(Selection(scale="default", tests="all"), base, table())
    assert (said.scale, said.tests) == ("default", "all")
    unsaid = mutants.completed(Selection(), base, table())
    assert (unsaid.scale, unsaid.tests) == ("quick", "stress")


# The report


def measured(*attempts: Attempt) -> MutationRun:
    mine = (
        Mutant("caught-one", "a | b", "x", "y", weakness=1),
        Mutant("open-one", "not done yet", "x", "y"),
        Mutant("lasting-one", "nobody sees it", "x", "y", weakness=1),
    )
    return MutationRun(
        "2026-01-02", "a host", "invoke mutants", "20260102-030405-abcd", "mine", "x86_64", "quick", ("perf",), TESTS, mine, 5,
        weaknesses=(Weakness(1, "gaps"), Weakness(8, "slow", "sweeps")), attempts=attempts,
    )  # fmt: skip


def test_the_page_has_survivors_first() -> None:
    caught = Attempt("caught-one", "perf", "i", "caught", TESTS[1], "bug", "BUG \x1b[31m" + "x" * 200)
    found = measured(caught, Attempt("lasting-one", "perf", "i", "survived", build_seconds=20, test_seconds=4.6))
    page = report.markdown(found)
    assert "Caught 1 of 3 mutants; 1 survived; 1 not done." in page
    assert "3 of 5 mutants of mine on x86_64" in page
    assert page.index("| lasting-one |") < page.index("| open-one |") < page.index("| caught-one |")
    assert "| lasting-one | nobody sees it | NOTHING |  | perf | 25 |" in page
    assert "a \\| b" in page
    assert "\x1b" not in page
    assert "| 1 | gaps | lasting-one | NOTHING |" in page
    assert "| 8 | slow |  | sweeps |" in page
    assert max(map(len, page.splitlines())) < 300


def test_what_a_kernel_said_is_text_in_the_page() -> None:
    title = "a | `b` <img src=x onerror=alert(1)> [x](javascript:alert(1)) for @torvalds"
    caught = Attempt("caught-one", "perf", "i", "caught", TESTS[1], "bug", title)
    page = report.markdown(measured(caught))
    assert "bug: a \\| `b` \\<img src=x onerror=alert(1)> [x\\](javascript:alert(1)) for `@torvalds` |" in page
    html = MarkdownIt("commonmark", {"html": True}).enable("table").render(page)
    assert "<img" not in html
    assert "<a " not in html
    assert html.count("<td") == 6 * 3 + 3 * 1 + 4 * 3, "no cell more than there are columns"


# For real


@pytest.mark.kernel
def test_a_bug_is_caught_and_another_survives_a_test_that_cannot_see_it(tmp_path: Path) -> None:
    linux.needed()
    words = (
        "--variant",
        "free-list",
        "--only",
        "alignment-halved,percpu-blocks-leaked",
        "--profile",
        "perf",
        "--tests",
        "random_size_align_test",
    )
    done = subprocess.run(
        (sys.executable, "-m", "invoke", "mutants", *words),
        cwd=paths.PROJECT,
        env={**os.environ, "RIG_RESULTS": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == ExitCode.FINDING, done.stdout + done.stderr
    found = msgspec.json.decode((tmp_path / "mutants-free-list.json").read_bytes(), type=MutationRun)
    assert {m.name: found.verdict(m) for m in found.mutants} == {"alignment-halved": "caught", "percpu-blocks-leaked": "survived"}
    (caught,) = (attempt for attempt in found.attempts if attempt.outcome == "caught")
    assert caught.title.startswith("misaligned:")
    assert "misaligned:" in (tmp_path / "mutants" / caught.log).read_text()
    assert (tmp_path / "mutants-free-list.md").exists()
