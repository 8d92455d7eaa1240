# SPDX-License-Identifier: GPL-2.0-only
"""Taking up a run that was interrupted."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from harness import paths
from harness.commands import pipeline
from harness.errors import UsageError
from harness.host import files
from harness.model import catalog
from harness.model.clock import Clock
from harness.model.matrix import Base
from harness.model.records import Result
from harness.model.run_folder import Run
from harness.model.selection import Where
from harness.runs import lifecycle
from harness.suite import plan
from harness.suite.plan import Plan
from tests.support import make

OPEN = msgspec.json.encode(make.provenance(finished=""))
NAMES = ("boot under icount", "le_fit_alloc_test", "end under icount")


@pytest.fixture
def made(base: Base) -> Plan:
    return make.plan(base, boots=3, suite=catalog.digest())


@pytest.fixture
def run(made: Plan, results: Path) -> Run:
    """A run of three boots: one is done, in one the rig failed, one was interrupted."""
    run = Run(results / "20260102-030405-abcd")
    (run.folder / "run.json").write_bytes(msgspec.json.encode(make.provenance(finished="", planned=9)))
    plan.save(made, run.folder / "plan.json")
    for boot, outcomes in enumerate((["passed"] * 3, ["passed", "error", "skipped"], ["passed"])):
        run.add([make.booted(boot=boot)])
        run.add([make.sample(boot=boot)])
        run.add([msgspec.structs.replace(make.finding(), boot=boot, clock=Clock.ICOUNT)])
        run.add([make.result(o, test=name, boot=boot) for name, o in zip(NAMES, outcomes, strict=False)])
    return run


def boots(results: list[Result]) -> list[int]:
    return [result.boot for result in results]


def test_boots_that_were_not_finished_are_made_again(run: Run, made: Plan) -> None:
    assert [session.boot for session in lifecycle.undone(run, made)] == [1, 2]
    lifecycle.resume(run, made)
    assert boots(run.results()) == [0, 0, 0]
    assert [booted.boot for booted in run.boots()] == [0], "a boot that is made again has to prove itself again"
    assert [sample.boot for sample in run.samples()] == [0]
    assert [finding.boot for finding in run.findings()] == [0]
    assert len(run.provenance().resumed) == 1


def test_what_is_made_again_is_not_lost(run: Run, made: Plan) -> None:
    lifecycle.resume(run, made)
    aside = Run(run.folder / "interrupted")
    assert boots(aside.results()) == [1, 1, 1, 2]
    assert [finding.boot for finding in aside.findings()] == [1, 2]
    run.add([make.result(test=NAMES[0], boot=1)])
    lifecycle.resume(run, made)
    assert boots(aside.results()) == [1, 1, 1, 2, 1]


def test_a_torn_line_is_dropped(run: Run, made: Plan) -> None:
    with (run.folder / "samples.jsonl").open("ab") as file:
        file.write(b'{"machine":"x86')
    lifecycle.resume(run, made)
    assert [sample.boot for sample in run.samples()] == [0]


def test_the_newest_interrupted_run_is_found(run: Run) -> None:
    done = make.stored(paths.RESULTS, "20260103-000000-aaaa")
    (paths.RESULTS / "latest").symlink_to(done.folder.name)
    assert lifecycle.interrupted(print).folder == run.folder
    finish(run, "passed", "failed", "passed")
    with pytest.raises(UsageError, match="interrupted"):
        lifecycle.interrupted(print)


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: (folder / "run.json").write_bytes(b"\xff"),
        lambda folder: os.mkfifo(folder / "run.json"),
        lambda folder: (folder / "run.json").mkdir(),
        lambda folder: (folder / "run.json").symlink_to("nowhere"),
        lambda folder: [(folder / "run.json").write_bytes(OPEN), (folder / "plan.json").write_bytes(b"[]")],
        lambda folder: [(folder / "run.json").write_bytes(OPEN), (folder / "results.jsonl").mkdir()],
    ],
    ids=["bytes", "pipe", "folder", "link", "plan", "results"],
)
def test_a_run_that_cannot_be_read_is_passed_over_by_name(run: Run, damage: Callable[[Path], object]) -> None:
    newer = paths.RESULTS / "20260109-000000-aaaa"
    newer.mkdir()
    damage(newer)
    said: list[str] = []
    assert lifecycle.interrupted(said.append).folder == run.folder
    (sentence,) = said
    assert sentence.startswith(f"{newer.name} is passed over: ")
    assert "json" in sentence


def test_what_is_no_runs_folder_is_not_looked_into(run: Run) -> None:
    os.mkfifo(paths.RESULTS / "20260109-000000-aaaa")
    (paths.RESULTS / "20260109-000000-bbbb").write_text("")
    (paths.RESULTS / "20260109-000000-cccc").symlink_to("20260109-000000-cccc")
    said: list[str] = []
    assert lifecycle.interrupted(said.append).folder == run.folder
    assert said == []


def test_a_line_that_cannot_be_read_stays_where_it_is(run: Run, made: Plan) -> None:
    with (run.folder / "samples.jsonl").open("ab") as file:
        file.write(b"\xff\n")
    lifecycle.resume(run, made)
    assert [sample.boot for sample in run.samples()] == [0]
    run.change(finished="2026-01-02T03:05:05+00:00")
    (named,) = run.left_out()
    assert named.startswith("samples.jsonl:2: ")


def finish(run: Run, *outcomes: str) -> None:
    """Have the run come to its end, with these results in each of its boots."""
    (run.folder / "run.json").write_bytes(msgspec.json.encode(make.provenance()))
    (run.folder / "results.jsonl").unlink()
    for boot in range(3):
        run.add([make.result(o, test=name, boot=boot) for name, o in zip(NAMES, outcomes, strict=True)])


def test_a_finished_run_is_left_alone(made: Plan, run: Run) -> None:
    finish(run, "passed", "failed", "passed")
    before = {file.name: file.read_bytes() for file in run.folder.iterdir()}
    with pytest.raises(UsageError, match="is finished; there is nothing to resume"):
        lifecycle.resume(run, made)
    assert {file.name: file.read_bytes() for file in run.folder.iterdir()} == before


def test_a_finished_run_is_taken_up_again_for_what_the_rig_failed_in(made: Plan, run: Run) -> None:
    finish(run, "passed", "passed", "passed")
    run.add([make.result("error", test=NAMES[1], boot=1)])
    lines = (run.folder / "results.jsonl").read_text().splitlines(keepends=True)
    (run.folder / "results.jsonl").write_text("".join(line for number, line in enumerate(lines) if number != 4))
    assert lifecycle.interrupted(print).folder == run.folder
    lifecycle.resume(run, made)
    assert boots(run.results()) == [0, 0, 0, 2, 2, 2]
    assert not run.provenance().finished
    assert len(run.provenance().resumed) == 1


def test_a_suite_that_changed_meanwhile_is_refused(run: Run, made: Plan) -> None:
    with pytest.raises(UsageError, match=r"test_module/suite\.toml has changed"):
        lifecycle.resume(run, msgspec.structs.replace(made, suite="other"))
    assert len(run.results()) == 7


def test_a_plan_of_another_version_is_said_so(run: Run) -> None:
    (run.folder / "plan.json").write_text('{"base": {}}')
    with pytest.raises(UsageError, match=r"plan\.json cannot be read"):
        pipeline.resume(run.folder.name, Where(), print)


def test_a_kernel_that_is_gone_is_said_so(run: Run) -> None:
    with pytest.raises(UsageError, match="/k/image is no longer there"):
        pipeline.resume(run.folder.name, Where(), print)


def test_a_run_that_another_rig_writes_is_not_resumed(run: Run, made: Plan, tmp_path: Path) -> None:
    there = tmp_path / "built" / "file"
    there.parent.mkdir()
    there.touch()
    (built,) = made.cells
    kernel = msgspec.structs.replace(built.kernel, folder=there.parent, image=there, module=there)
    ids = {kernel.vmlinux: make.BUILD_ID, there: make.MODULE_BUILD_ID}
    rootfs = msgspec.structs.replace(built.rootfs, image=there)
    whole = msgspec.structs.replace(made, cells=(msgspec.structs.replace(built, kernel=kernel, rootfs=rootfs),))
    plan.save(whole, run.folder / "plan.json")
    with pytest.raises(UsageError, match="built is damaged"):
        pipeline.resume(run.folder.name, Where(), print)
    files.seal(there.parent)
    with pytest.raises(UsageError, match="built anew"):
        pipeline.resume(run.folder.name, Where(), print, build_id=lambda _: "d4" * 20)
    with run.alone(), pytest.raises(UsageError, match="is in use by another rig"):
        pipeline.resume(run.folder.name, Where(), print, build_id=ids.__getitem__)
    assert len(run.results()) == 7
