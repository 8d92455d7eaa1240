# SPDX-License-Identifier: GPL-2.0-only
"""`invoke trace`: what it takes, what it writes, and what it says of it."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest

from harness import paths
from harness.commands import trace
from harness.commands.trace import Parts, Traced, Wish
from harness.errors import UsageError, VmLost
from harness.model.clock import Clock
from harness.model.ftrace import Recording
from harness.model.matrix import Base
from harness.model.selection import Selection
from harness.suite.execute import Steps
from harness.suite.extract import Observed
from harness.suite.ftrace import Available, Chosen
from harness.suite.plan import Plan, Session, Step
from harness.suite.vm_pool import Lab
from tests.support import make, recorded

TEST = "le_fit_alloc_test"
RECORDING = recorded.recording(recorded.buffer(recorded.page(1000, recorded.row(recorded.kmalloc(), 0)), 1, lost=7))


def test_a_wish_is_read_from_the_options(tmp_path: Path) -> None:
    asked = trace.wish(TEST, " kmem:*, alloc_vmap_area,,kmem:* ", "", str(tmp_path / "here"))
    assert asked == Wish(TEST, ("kmem:*", "alloc_vmap_area"), 8, tmp_path / "here")
    assert trace.wish("le_fit_*", "vfree", "60", str(tmp_path)) == Wish(TEST, ("vfree",), 60, tmp_path), "an empty folder is free"


def test_a_trace_has_a_folder_of_its_own_among_the_results() -> None:
    assert trace.wish(TEST, "vfree", "", "").folder.parent == paths.RESULTS / "trace"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("le_fit", "vfree", "", ""), "There is no test 'le_fit'; did you mean"),
        (("performance", "vfree", "", ""), "'performance' is 6 tests, and a trace is of one: name it, such as le_fit_alloc_test"),
        (("fault_alloc_test", "vfree", "", ""), "fault_alloc_test cannot be traced"),
        ((TEST, "", "", ""), "Which events are to be recorded"),
        ((TEST, " , ", "", ""), "Which events are to be recorded"),
        ((TEST, "vfree,a b", "", ""), "--events has 'a b', which is neither"),
        ((TEST, "$(reboot)", "", ""), "--events has '\\$\\(reboot\\)'"),
        ((TEST, "vfree", "0", ""), "--buffer has to be a whole number from 1"),
        ((TEST, "vfree", "much", ""), "--buffer has to be a whole number, not 'much'"),
        ((TEST, "vfree", "61", ""), "--buffer has to be at most 60 MiB a CPU, not 61"),
        ((TEST, "vfree", "", "/proc"), "--output /proc is there already"),
        ((TEST, "vfree", "", "/dev/null"), "--output /dev/null is there already"),
        ((TEST, "vfree", "", "/dev/null/new"), "--output /dev/null/new cannot be made, because /dev/null is a file; name another"),
    ],
)
def test_a_wish_that_cannot_be_is_refused(options: tuple[str, str, str, str], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        trace.wish(*options)


def test_a_folder_that_cannot_be_made_is_refused_before_the_build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.access", lambda place, _: place != tmp_path)
    with pytest.raises(UsageError, match=f"cannot be made, because {tmp_path} cannot be written to; name another folder"):
        trace.wish(TEST, "vfree", "", str(tmp_path / "new/folder"))


WISH = Wish(TEST, ("kmem:*", "alloc_vmap_area"), 8, Path("unused"))


def test_the_kernels_are_those_that_record() -> None:
    chosen = trace.selected(Selection(variant="stock", scale="quick"), WISH)
    assert (chosen.profile, chosen.tests, chosen.variant, chosen.scale) == ("trace", TEST, "stock", "quick")
    assert len(chosen.machine.split(",")) == 1, "one machine, unless the user names more"
    assert trace.selected(Selection(machine="aarch64,x86_64"), WISH).machine == "aarch64,x86_64"


@pytest.mark.parametrize(
    "wanted", [{"tests": "all"}, {"profile": "perf"}, {"boots": 2}, {"keep": True}, {"on_failure": "core"}, {"margin": 3.0}]
)
def test_options_of_a_measurement_are_refused(wanted: dict[str, Any]) -> None:
    option = next(iter(wanted)).replace("_", "-")
    with pytest.raises(UsageError, match=f"--{option} has no meaning for a trace"):
        trace.selected(Selection(**wanted), WISH)


def test_a_machine_that_there_is_not_is_refused() -> None:
    with pytest.raises(UsageError, match="There is no machine 'x86'"):
        trace.selected(Selection(machine="x86"), WISH)


class FakeLab:
    """Has one VM, until it is lost."""

    def __init__(self, *, up: bool = True) -> None:
        self.up, self.closed = up, False

    def current(self, _: Session) -> Any:
        return SimpleNamespace(guest="guest", symbols=Path("System.map")) if self.up else None

    def close(self) -> None:
        self.closed = True


class Bench:
    """The parts of a trace, of which a test decides how they go."""

    def __init__(self, *, up: bool = True, dies: bool = False, skipped: str = "", recording: Recording = RECORDING) -> None:
        self.lab, self.dies, self.recording = FakeLab(up=up), dies, recording
        self.booted, self.observed = Observed(), Observed(skipped=skipped)
        self.said: list[Any] = []

    @property
    def parts(self) -> Parts:
        known = Available(("kmem:kmalloc", "kmem:kfree"), ("alloc_vmap_area",))
        return Parts(
            lab=lambda _: cast("Lab", self.lab),
            steps=Steps(boot=lambda *_: self.booted, run=self.run),
            available=lambda _: known,
            prepare=lambda *words: self.said.append(words),
            collect=self.collect,
        )

    def collect(self, *words: object) -> Recording:
        self.said.append(words)
        return self.recording

    def run(self, lab: Lab, plan: Plan, session: Session, step: Step) -> Observed:
        self.said.append((session.clock, step.test.name, step.traced))
        self.lab.up = not self.dies
        return self.observed


@pytest.fixture
def planned(base: Base) -> Plan:
    made = make.plan(base, tests=(TEST,))
    (built,) = made.cells
    cell = msgspec.structs.replace(built.cell, profile="trace")
    return msgspec.structs.replace(made, cells=(msgspec.structs.replace(built, cell=cell),))


@pytest.fixture
def wish(tmp_path: Path) -> Wish:
    return msgspec.structs.replace(WISH, folder=tmp_path / "traces")


def test_both_files_are_written(planned: Plan, wish: Wish) -> None:
    bench = Bench()
    (traced,) = trace.run(planned, wish, bench.parts)
    stem = f"{planned.cells[0].cell.file_name}-icount-0"
    assert traced == Traced(planned.cells[0].cell.name, Clock.ICOUNT, Observed(), (f"{stem}.dat", f"{stem}.json"), 1, 7)
    assert traced.good
    assert sorted(file.name for file in wish.folder.iterdir()) == [f"{stem}.dat", f"{stem}.json"]
    prepared, done, collected = bench.said
    assert prepared == ("guest", Chosen(("kmem:kmalloc", "kmem:kfree"), ("alloc_vmap_area",)), 8)
    assert done == (Clock.ICOUNT, TEST, True)
    assert collected[0] == "guest"
    whole = json.loads((wish.folder / f"{stem}.json").read_text())
    assert whole["metadata"]["test"] == TEST
    assert whole["metadata"]["clock"].startswith("2 ns of the trace are one guest instruction")
    assert bench.lab.closed


def test_a_mistyped_event_leaves_nothing_behind(planned: Plan, wish: Wish) -> None:
    bench = Bench()
    with pytest.raises(UsageError, match="has no event 'kmem:kmaloc'; did you mean 'kmem:kmalloc'"):
        trace.run(planned, msgspec.structs.replace(wish, events=("kmem:kmaloc",)), bench.parts)
    assert bench.lab.closed
    assert not bench.said, "the test has not begun"
    assert not list(wish.folder.parent.iterdir())


def test_a_trace_that_came_over_damaged_leaves_nothing_behind(planned: Plan, wish: Wish) -> None:
    torn = msgspec.structs.replace(RECORDING, buffers=(recorded.buffer(b"", 1),))
    with pytest.raises(VmLost, match="recorded 1 event on CPU 0, but 0 can be read"):
        trace.run(planned, wish, Bench(recording=torn).parts)
    assert not list(wish.folder.parent.iterdir())


@pytest.mark.parametrize("bench", [Bench(up=False), Bench(dies=True)], ids=["at boot", "in the test"])
def test_a_guest_that_ends_leaves_no_trace(planned: Plan, wish: Wish, bench: Bench) -> None:
    report = Observed(findings=(make.finding(),))
    bench.booted, bench.observed = (Observed(), report) if bench.dies else (report, Observed())
    (traced,) = trace.run(planned, wish, bench.parts)
    assert traced.files == ()
    first, second = trace.sentences(traced, wish.folder)
    assert "bug: kernel BUG at mm/vmalloc.c:512!" in first
    assert second.endswith("nothing was recorded: the guest ended, and its buffers with it.")
    assert not traced.good


def test_what_the_kernel_reported_at_boot_counts_too(planned: Plan, wish: Wish) -> None:
    bench = Bench()
    bench.booted = Observed(findings=(make.finding(),))
    (traced,) = trace.run(planned, wish, bench.parts)
    assert len(traced.files) == 2
    assert not traced.good
    assert "kernel BUG at mm/vmalloc.c:512!" in trace.sentences(traced, wish.folder)[0]


def test_a_test_that_was_skipped_leaves_no_trace(planned: Plan, wish: Wish) -> None:
    (traced,) = trace.run(planned, wish, Bench(skipped="pcpu_get_vm_areas() was not found").parts)
    assert trace.sentences(traced, wish.folder) == [f"{traced.cell}: nothing was recorded: pcpu_get_vm_areas() was not found"]


def told(**other: Any) -> list[str]:
    fields: dict[str, Any] = {"events": 1234, "files": ("a.dat", "a.json")}
    return trace.sentences(
        Traced("x86_64/stock/trace", other.pop("clock", Clock.ICOUNT), Observed(), **{**fields, **other}), Path("/made")
    )


def test_what_was_recorded_is_said() -> None:
    assert told() == [
        "x86_64/stock/trace: 1,234 events.",
        "2 ns of the trace are one guest instruction (clock icount), those of the recording itself included.",
        "trace-cmd, KernelShark: /made/a.dat",
        "Perfetto (ui.perfetto.dev): /made/a.json",
    ]


def test_what_was_lost_is_said_with_what_to_do() -> None:
    assert told(lost=5000)[1] == (
        "x86_64/stock/trace: 5,000 events before these were lost, because the buffer was too small:"
        " --buffer makes it larger, --loops 0.1 the test shorter."
    )


def test_that_nothing_came_is_said() -> None:
    assert told(events=0)[0] == "x86_64/stock/trace: no event, because none of those asked for came in the test."


def test_the_guest_s_time_is_no_instructions() -> None:
    assert told(clock=Clock.WALL)[1].startswith("The times of the trace are the guest's (clock wall)")


def test_a_known_bug_is_named_as_one() -> None:
    seen = Observed(findings=(make.finding(expected="stock has this bug"),))
    recorded, died = (Traced("x86_64/stock/trace", Clock.WALL, seen, files) for files in (("a.dat", "a.json"), ()))
    assert recorded.good
    assert not died.good, "there is nothing to look at"
    named = "x86_64/stock/trace: bug: kernel BUG at mm/vmalloc.c:512! (known bug: stock has this bug)"
    assert [trace.sentences(of, Path())[0] for of in (recorded, died)] == [named, named]


def test_buffers_leave_room_for_the_test(planned: Plan, wish: Wish) -> None:
    bench = Bench()
    built = planned.cells[0]
    small = msgspec.structs.replace(built.cell.machine, qemu=msgspec.structs.replace(built.cell.machine.qemu, memory=128))
    built = msgspec.structs.replace(built, cell=msgspec.structs.replace(built.cell, machine=small))
    planned = msgspec.structs.replace(planned, cells=(built,))
    most = msgspec.structs.replace(wish, buffer=32)
    assert trace.run(planned, most, bench.parts)[0].good
    said = r"has 128 MiB and 1 CPU in le_fit_alloc_test: --buffer has to be at most 32, not 33\."
    with pytest.raises(UsageError, match=said):
        trace.run(planned, msgspec.structs.replace(wish, buffer=33, folder=wish.folder / "other"), bench.parts)
    wall = planned.with_settings(clock=Clock.WALL)
    with pytest.raises(UsageError, match="128 MiB and 4 CPUs in le_fit_alloc_test: --buffer has to be at most 8, not 32"):
        trace.run(wall, most, bench.parts)
