# SPDX-License-Identifier: GPL-2.0-only
"""Bugs made on purpose: what becomes of each, with kernels that nobody built."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import msgspec
import pytest
from filelock import FileLock

from harness import paths
from harness.build import git
from harness.build.kernel_tree import Tree
from harness.commands import mutant_book, mutants
from harness.errors import Mismatch, RigError, UsageError, VmLost
from harness.model import matrix
from harness.model import mutants as mutations
from harness.model.matrix import Base
from harness.model.mutants import Mutant, MutationRun
from harness.model.selection import Selection
from harness.stats.outcome import ExitCode
from harness.suite.extract import Observed
from harness.suite.plan import Plan, Session, Step
from harness.suite.vm_pool import Lab
from tests.support import linux
from tests.support.mutants import TESTS, FakeRig, table


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
