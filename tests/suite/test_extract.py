# SPDX-License-Identifier: GPL-2.0-only
"""Records out of what a guest said."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from harness import paths
from harness.model.catalog import SuiteTest
from harness.model.clock import Clock
from harness.model.coverage import ChangedLines
from harness.model.matrix import Base
from harness.model.records import SPACE, Sample
from harness.model.run_folder import FILES
from harness.suite import guest_script, ktap
from harness.suite.extract import Observed, Reading
from harness.suite.ktap import Latency, MemoryLine, Report, Timing
from harness.suite.plan import Session, Step
from harness.vm.blocks import Block, Dump, Locked
from tests.support import code, make
from tests.support.counted import changed

TRACE = (paths.PROJECT / "tests" / "data" / "traces" / "preemptoff-x86_64.txt").read_text()
LEAKS = "".join(
    f"unreferenced object 0xffff8800{number}bc0 (size 128):\n"
    '  comm "insmod", pid 93, jiffies 4294893447 (age 13.928s)\n'
    "  backtrace:\n"
    "    [<00000000dbc07cd0>] kmem_cache_alloc+0x208/0x270\n"
    "    [<00000000a75d9adf>] provoke_kmemleak+0x58/0xbc [provoke]\n"
    for number in (1234, 5678)
)
READERS = {
    "latency.jsonl": "histograms",
    "sweep.jsonl": "points",
    "soak.jsonl": "looks",
    "counts.jsonl": "counted",
    "locks.jsonl": "locked",
    "lines.jsonl": "changed_lines",
}
"""readers of the files that are not named like their reader"""
TEST = SuiteTest("le_fit_alloc_test", "performance", {"quick": 10})


def reading(base: Base, step: Step, clock: Clock = Clock.ICOUNT, profile: str = "perf", **other: Any) -> Reading:
    made = make.plan(base, **other)
    (built,) = made.cells
    built = msgspec.structs.replace(built, cell=msgspec.structs.replace(built.cell, profile=profile))
    return Reading(made, Session(built, clock, 2, (step,)), step)


def report(*timings: Timing, latencies: tuple[Latency, ...] = (), looks: tuple[MemoryLine, ...] = ()) -> Report:
    return Report(1, (ktap.ResultLine("le_fit_alloc_test", True, False, ""),), timings, latencies, looks)


def test_the_warm_up_is_kept_and_marked(base: Base) -> None:
    timings = [Timing("le_fit_alloc_test", repeat, 0, 10, 2000 + repeat) for repeat in range(3)]
    found = reading(base, Step(TEST)).samples(report(*timings))
    assert [(s.repeat, s.warmup, s.boot) for s in found] == [(0, True, 2), (1, False, 2), (2, False, 2)]
    assert [s.value for s in found] == [100.0, 100.05, 100.1]
    assert {s.unit for s in found} == {"instructions/op"}


def test_space_is_a_sample_with_a_unit_of_its_own(base: Base) -> None:
    spaces = [ktap.Space("churn_space_test", repeat, 2000, held, 1500) for repeat, held in ((0, 1000), (1, 1000), (2, 0))]
    found = reading(base, Step(TEST)).samples(msgspec.structs.replace(report(), spaces=tuple(spaces)))
    assert [(s.test, s.repeat, s.warmup, s.operations) for s in found] == [
        ("churn_space_test", 0, True, 2000),
        ("churn_space_test", 1, False, 2000),
    ], "nothing held is no sample"
    assert {(s.value, s.unit) for s in found} == {(1536.0, SPACE)}


def test_leaks_take_the_place_of_the_word_that_there_are_some(base: Base) -> None:
    word = make.trouble(kind="memory-leak", title="kmemleak: 2 new suspected memory leaks (see /sys/kernel/debug/kmemleak)")
    said = "".join(f"{guest_script.LEAKS} {what}\n{LEAKS}\n{guest_script.LEAKS} end\n" for what in ("first", "again"))
    (told,) = reading(base, Step(TEST), profile="debug").troubles([word], said, 1)
    assert (told.title, told.first, told.last) == ("2 leaked objects (256 bytes in all) from provoke_kmemleak", 417, 450)
    assert reading(base, Step(TEST), profile="debug").troubles([word], "", 1) == [], "the third scan found none"
    assert reading(base, Step(TEST)).troubles([word], said, 1) == [word]


def test_rounds_are_told_apart(base: Base) -> None:
    timing = Timing("le_fit_alloc_test", 0, 0, 10, 2000)
    rounds = [reading(base, Step(TEST, round_), scale="published").samples(report(timing)) for round_ in range(4)]
    assert [(s.repeat, s.warmup) for (s,) in rounds] == [(0, False), (1, False), (2, False), (3, True)]


def test_a_stress_test_has_no_warm_up(base: Base) -> None:
    stress = SuiteTest("mix_stress_test", "stress", {"quick": 10})
    found = reading(base, Step(stress), Clock.WALL).samples(report(Timing("mix_stress_test", 0, 3, 10, 2000)))
    assert [(s.warmup, s.thread, s.value, s.unit) for s in found] == [(False, 3, 200.0, "ns/op")]


def test_latency_is_in_the_clocks_unit(base: Base) -> None:
    said = report(latencies=(Latency("le_fit_alloc_test", 0, 3, 80, 900, ((400, 2), (900, 1))),))
    (counted,) = reading(base, Step(TEST)).histograms(said)
    assert (counted.unit, counted.overhead, counted.highest, counted.buckets) == ("instructions", 40, 450, ((200, 2), (450, 1)))
    (timed,) = reading(base, Step(TEST), Clock.WALL).histograms(said)
    assert (timed.unit, timed.overhead, timed.highest, timed.buckets) == ("ns", 80, 900, ((400, 2), (900, 1)))


def test_a_sweep_gives_points_and_no_samples(base: Base) -> None:
    sweep = SuiteTest("sweep_churn", "sweep", {"quick": 10})
    step = Step(sweep, 0, "holes", 5000)
    said = report(Timing("sweep_churn", 0, 0, 10, 2000))
    assert reading(base, step).samples(said) == ()
    (point,) = reading(base, step).points(said)
    assert (point.workload, point.axis, point.size, point.value) == ("sweep_churn", "holes", 5000, 100)
    assert reading(base, Step(TEST)).points(said) == ()
    assert reading(base, step).points(report(Timing("sweep_churn", 0, 0, 0, 2000))) == (), "nothing was done, nothing divided"


def test_a_tracer_gives_sections_and_no_samples(base: Base) -> None:
    traced = reading(base, Step(TEST), profile="latency")
    said = f"{guest_script.TRACE} begin\n{TRACE}{guest_script.TRACE} end\n"
    (section,) = traced.sections(said)
    assert section.microseconds > 1
    assert section.stack[0].startswith("alloc_vmap_area")
    assert traced.samples(report(Timing("le_fit_alloc_test", 0, 0, 10, 2000))) == ()
    assert traced.sections("") == ()


def test_looks_at_memory_have_what_the_kernels_files_say(base: Base) -> None:
    looks = tuple(
        MemoryLine("le_fit_alloc_test", at, ns, {"areas": 5}) for at, ns in (("before", 0), ("during", 10**9), ("after", 2 * 10**9))
    )
    said = "".join(
        f"{guest_script.MEMORY} {at}\nSUnreclaim: {kb} kB\n{guest_script.MEMORY} end\n" for at, kb in (("before", 4), ("after", 8))
    )
    found = reading(base, Step(TEST)).memory(report(looks=looks), said)
    assert [(m.at, m.seconds, m.values) for m in found] == [
        ("before", 0, {"areas": 5, "SUnreclaim": 4096}),
        ("during", 1, {"areas": 5}),
        ("after", 2, {"areas": 5, "SUnreclaim": 8192}),
    ]


def test_fragmentation_is_what_the_largest_hole_leaves(base: Base) -> None:
    look = MemoryLine("le_fit_alloc_test", "during", 0, {"areas": 5, "free": 100, "largest_hole": 70})
    (found,) = reading(base, Step(TEST)).memory(report(looks=(look,)), "")
    assert found.values == {"areas": 5, "free": 100, "largest_hole": 70, "fragmented": 30}


def test_a_test_that_was_scaled_down_is_told_with_its_boot(base: Base) -> None:
    scaling = ktap.Scaling("first_fit_test", 240, "aligned holes of 32 KiB", "4096 KiB")
    (found,) = reading(base, Step(TEST), Clock.WALL).scaled(Report(1, (), (), scalings=(scaling,)))
    assert found == make.scaled(machine="x86_64", boot=2)
    assert reading(base, Step(TEST)).scaled(report()) == ()


def test_a_guest_that_was_cut_off_gives_what_there_is(base: Base) -> None:
    look = MemoryLine("le_fit_alloc_test", "before", 0, {"areas": 5})
    (found,) = reading(base, Step(TEST)).memory(report(looks=(look,)), f"{guest_script.MEMORY} before\nSUnrec")
    assert found.values == {"areas": 5}


LOOP = Dump(1, "loop", (Block(0xFFFFFFFF81000000, 30, "4"),))
TIMING = Timing("le_fit_alloc_test", 0, 0, 10, 2000)


def watching(base: Base, lines: tuple[ChangedLines, ...] = (changed(5, 6, variant="stock"),)) -> Reading:
    """Return a reading of a VM with QEMU's plugin, whose kernel has lines 5 and 6 of a series."""
    made = make.plan(base, lines=lines)
    return Reading(made, Session(made.cells[0], Clock.WALL, 2, (), watched=True), Step(TEST))


def counting(base: Base, folder: Path, axis: str = "", size: int = 0) -> Reading:
    """Return the reading of a session that counts, whose kernel is a few lines."""
    step = Step(TEST, 0, axis, size)
    made = make.plan(base)
    (built,) = made.cells
    compiled = code.compiled(folder)
    (folder / "debug").mkdir()
    (folder / "debug/module.ko").symlink_to(compiled.module)
    kernel = msgspec.structs.replace(built.kernel, folder=folder, module=folder / "module.ko")
    return Reading(made, Session(msgspec.structs.replace(built, kernel=kernel), Clock.ICOUNT, 2, (step,), watched=True), step)


def test_the_last_loop_is_counted_by_function(base: Base, tmp_path: Path) -> None:
    of = counting(base, tmp_path)
    sections = f"{guest_script.SECTIONS} begin\n.text 0xffffffffa0000000\n{guest_script.SECTIONS} end\n"
    locked = Locked(0xFFFFFFFF81000000, 10, 100, 12, 0xFFFFFFFFA0000000)
    module = Block(0xFFFFFFFFA0000000, 10, "4")
    last = msgspec.structs.replace(LOOP, blocks=(*LOOP.blocks, module), sections=(locked,))
    timings = report(TIMING, msgspec.structs.replace(TIMING, repeat=1))
    (counted,), (section,) = of.counted(timings, [LOOP, last, Dump(3, "test", ())], sections)
    assert [(f.function, f.module, f.instructions) for f in counted.functions] == [
        ("leaf", "", 3),
        ("in_module", "vmalloc_test", 1),
    ]
    assert (counted.test, counted.boot, counted.operations, counted.measured, counted.sum) == ("le_fit_alloc_test", 2, 10, 100, 4)
    assert (section.function, section.ended, section.instructions, section.longest) == ("leaf", "in_module", 10, 12)
    assert of.samples(timings) == (), "what is counted is not compared"


def test_of_a_sweep_the_sections_are_told_with_its_size(base: Base, tmp_path: Path) -> None:
    of = counting(base, tmp_path, "busy", 5000)
    last = msgspec.structs.replace(LOOP, sections=(Locked(0xFFFFFFFF81000000, 10, 100, 12, 0xFFFFFFFF81000000),))
    functions, (section,) = of.counted(report(TIMING), [last], "")
    assert functions == ()
    assert (section.test, section.axis, section.size, section.longest) == ("le_fit_alloc_test", "busy", 5000, 12)
    assert of.points(report(TIMING)) == (), "what is counted is not compared"


@pytest.mark.parametrize(
    "dumps",
    [
        pytest.param([], id="no loop"),
        pytest.param([LOOP, LOOP], id="a loop too many"),
        pytest.param([msgspec.structs.replace(LOOP, lost=1)], id="blocks are lost"),
        pytest.param([msgspec.structs.replace(LOOP, kind="test")], id="a test"),
    ],
)
def test_what_is_not_whole_is_not_counted(base: Base, tmp_path: Path, dumps: list[Dump]) -> None:
    assert counting(base, tmp_path).counted(report(TIMING), dumps, "") == ((), ())


def test_what_is_watched_alone_is_not_counted(base: Base) -> None:
    assert reading(base, Step(TEST)).counted(report(TIMING), [LOOP], "") == ((), ())


def test_lines_are_reached_by_test(base: Base) -> None:
    of = watching(base)
    dumps = [Dump(0, "other", (Block(5, 1, "1"),)), Dump(1, "loop", (Block(6, 1, "1"),)), Dump(2, "test", (Block(6, 9, "1"),))]
    assert {r.test: (r.boot, r.lines, r.told) for r in of.reached(dumps)} == {
        "boot": (2, {"mm/vmalloc.c": (5,)}, True),
        "le_fit_alloc_test": (2, {"mm/vmalloc.c": (6,)}, True),
    }


def test_what_qemu_does_not_tell_is_not_known(base: Base) -> None:
    """A guest that hung in the test left what ran before it; a plugin without room knows of a part."""
    before, part = Dump(0, "other", (Block(5, 1, "1"),)), Dump(1, "test", (Block(6, 1, "1"),), lost=3)
    assert {r.test: (r.lines, r.told) for r in watching(base).reached([before])} == {
        "boot": ({"mm/vmalloc.c": (5,)}, True),
        "le_fit_alloc_test": ({}, False),
    }
    assert [(r.lines, r.told) for r in watching(base).reached([part])] == [({"mm/vmalloc.c": (6,)}, False)]
    assert reading(base, Step(TEST), lines=(changed(5, variant="stock"),)).reached([]) == (), "without the plugin"
    assert watching(base, lines=()).reached([before]) == (), "nothing to reach"


@pytest.mark.parametrize("file", sorted(FILES.values()))
def test_every_kind_of_record_has_a_reader(file: str, tmp_path: Path) -> None:
    name = READERS.get(file, file.removesuffix(".jsonl"))
    run = make.stored(tmp_path)
    (run.folder / file).write_text("{}\n")
    assert getattr(run, name)() == []
    (named,) = run.left_out()
    assert named.startswith(f"{file}:1: ")


def test_an_outcome_travels(base: Base) -> None:
    outcome = Observed(samples=(make.sample(),), findings=(make.finding(),), skipped="why")
    assert msgspec.convert(msgspec.to_builtins(outcome), Observed) == outcome
    assert isinstance(outcome.records()[0], Sample)
