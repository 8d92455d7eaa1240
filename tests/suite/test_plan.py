# SPDX-License-Identifier: GPL-2.0-only
"""The sessions of a plan, storing one, and the options that make one."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from harness.build import rootfs, source
from harness.commands import options, pipeline
from harness.errors import UsageError
from harness.model import catalog
from harness.model.clock import Clock
from harness.model.matrix import Base, Variant
from harness.model.selection import Selection
from harness.runs import lifecycle
from harness.suite import plan, vm_pool
from harness.suite.plan import Plan
from harness.vm import vms
from tests.support import make
from tests.support.counted import changed


@pytest.fixture
def made(base: Base) -> Plan:
    return make.plan(base)


def machines_of(made: Plan, *variants: str, profile: str = "perf") -> Plan:
    """The plan with a cell for each of `variants`."""
    (built,) = made.cells
    cells = (
        msgspec.structs.replace(built, cell=msgspec.structs.replace(built.cell, variant=Variant(v), profile=profile))
        for v in variants
    )
    return msgspec.structs.replace(made, cells=tuple(cells))


def test_variants_take_turns_there_and_back(made: Plan) -> None:
    turns = machines_of(made, "stock", "mine").with_settings(clock=Clock.WALL, boots=4)
    assert [(s.boot, s.built.cell.variant.name) for s in turns.sessions] == [
        *((0, "stock"), (0, "mine"), (1, "mine"), (1, "stock")),
        *((2, "stock"), (2, "mine"), (3, "mine"), (3, "stock")),
    ]
    assert not turns.at_once
    assert turns.with_settings(clock=Clock.ICOUNT).at_once
    assert msgspec.structs.replace(turns, tests=catalog.choose("stress")).at_once


def test_stress_has_a_boot_of_its_own_after_what_is_timed(made: Plan) -> None:
    both = msgspec.structs.replace(made, tests=catalog.choose("performance,mix_stress_test,model_test")).with_settings(boots=2)
    assert [(s.clock, s.boot) for s in both.sessions] == [(Clock.ICOUNT, 0), (Clock.ICOUNT, 1), (Clock.WALL, 0)]
    wall = both.with_settings(clock=Clock.WALL)
    assert [(s.clock, s.boot) for s in wall.sessions] == [(Clock.WALL, 0), (Clock.WALL, 1), (Clock.WALL, 2)]
    assert all(step.test.stress for step in wall.sessions[-1].steps)
    assert len({s.name for s in wall.sessions}) == 3


def test_a_test_that_makes_allocations_fail_is_planned_where_kernels_can(made: Plan) -> None:
    def planned(profile: str) -> list[str]:
        cells = machines_of(made, "stock", profile=profile).cells
        whole = msgspec.structs.replace(made, cells=cells, tests=catalog.choose("fault_*,model_test"))
        return [step.name for session in whole.sessions for step in session.steps]

    assert planned("perf") == ["model_test"]
    assert planned("debug") == ["model_test", "fault_alloc_test", "fault_pcpu_test"]


def test_a_stress_test_that_wants_another_clock_or_size_has_a_vm_of_its_own(made: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    make.suite_with(
        monkeypatch,
        random_size_align_test={"memory": {"perf": 128, "debug": 512}},
        pcpu_alloc_test={"clock": Clock.ICOUNT, "memory": {"perf": 128}},
        fragmentation_test={"memory": {"perf": 128}},
        align_shift_alloc_test={"clock": Clock.ICOUNT},
    )

    small, common = ["random_size_align_test", "fragmentation_test"], ["mix_stress_test"]

    def planned(clock: Clock, *profiles: str) -> list[tuple[str, str, int, int, list[str]]]:
        cells = tuple(machines_of(made, "stock", profile=profile).cells[0] for profile in profiles)
        chosen = catalog.choose(f"le_fit_alloc_test,{','.join((*small, *common, 'pcpu_alloc_test', 'align_shift_alloc_test'))}")
        whole = msgspec.structs.replace(made, cells=cells, tests=chosen).with_settings(clock=clock, boots=2)
        assert len({s.name for s in whole.sessions}) == len(whole.sessions)
        return [
            (s.built.cell.profile, s.clock, s.boot, s.memory, [step.name for step in s.steps])
            for s in whole.sessions
            if s.steps[0].test.stress
        ]

    assert planned(Clock.ICOUNT, "perf") == [
        ("perf", "wall", 0, 0, common),
        ("perf", "wall", 1, 128, small),
        ("perf", "icount", 2, 128, ["pcpu_alloc_test"]),
        ("perf", "icount", 3, 0, ["align_shift_alloc_test"]),
    ]
    assert [session[1:4] for session in planned(Clock.WALL, "perf")] == [
        *(("wall", 2, 0), ("wall", 3, 128), ("icount", 0, 128), ("icount", 1, 0)),
    ]
    assert planned(Clock.ICOUNT, "perf", "debug")[1::2][0] == ("debug", "wall", 0, 0, ["fragmentation_test", "mix_stress_test"])
    assert ("debug", "wall", 1, 512, ["random_size_align_test"]) in planned(Clock.ICOUNT, "perf", "debug")


def test_a_vm_is_as_large_as_its_tests_want(made: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    make.suite_with(monkeypatch, mix_stress_test={"memory": {"perf": 128}})
    whole = msgspec.structs.replace(made, tests=("fragmentation_test", "mix_stress_test"))
    assert [session.size for session in whole.sessions] == [1024, 128]
    boots = [vm_pool.booting(s.built, s.clock, memory=s.memory, pauses=False) for s in whole.sessions]
    assert [boot.memory for boot in boots] == [0, 128]
    assert len({vms.identity(boot) for boot in boots}) == 2, "neither is used in place of the other"


def test_the_published_protocol_is_that_of_the_publication(made: Plan) -> None:
    published = msgspec.structs.replace(made, tests=catalog.choose("performance")).with_settings(scale="published", boots=0)
    assert len(published.sessions) == 5
    for session in published.sessions:
        names = [step.name for step in session.steps]
        tests = len(published.tests)
        assert names == names[:tests] * 4
        assert [step.round for step in session.steps] == [round_ for round_ in range(4) for _ in range(tests)]
    assert (published.size.rounds, published.size.aside) == (3, 3), "what would disturb the three rounds has one of its own"
    assert (published.size.busy, published.size.repeat, published.size.warmup) == (15_000, 1, 0)
    assert {published.loops_of(step.test) for step in published.sessions[0].steps} == {1_000_000}
    tenth = published.with_settings(loops=0.1)
    assert {tenth.loops_of(step.test) for step in tenth.sessions[0].steps} == {100_000}


def test_samples_that_are_not_settled_have_the_other_passes_in_a_round_of_their_own(made: Plan) -> None:
    whole = made.with_settings(unsettled=True)
    assert (made.size.settle, whole.size.settle) == (True, False)
    assert [step.round for step in whole.sessions[0].steps] == [0, 1]


def test_a_profile_with_a_tracer_runs_what_it_is_good_for(made: Plan) -> None:
    stock = machines_of(made, "stock", profile="latency").with_settings(boots=3)
    traced = msgspec.structs.replace(stock, tests=catalog.choose("all"))
    (session,) = traced.sessions
    assert {step.test.kind for step in session.steps} == {"performance"}
    assert catalog.profile_use("perf").tracer == ""


def test_what_does_more_may_take_longer(made: Plan) -> None:
    step = made.sessions[0].steps[0]
    swept = msgspec.structs.replace(made, tests=("sweep_churn",))
    assert made.patience(step) == 1
    assert made.with_settings(loops=0.1).patience(step) == 1
    assert made.with_settings(loops=20).patience(step) == 20
    assert swept.patience(swept.sessions[0].steps[0]) > 1


def test_a_sweep_has_a_step_for_every_size_of_every_axis(made: Plan) -> None:
    swept = msgspec.structs.replace(made, tests=("sweep_churn",))
    (session,) = swept.sessions
    sweep = catalog.suite().sweep
    assert [step.name for step in session.steps] == [f"sweep_churn@{axis}={size}" for axis in sweep.axes for size in sweep.sizes]


def watched(of: Plan, accelerator: str = "tcg") -> Plan:
    """The plan where QEMU has its plugin."""
    cells = (msgspec.structs.replace(built, plugin=Path("/blocks.so"), accelerator=accelerator) for built in of.cells)
    return msgspec.structs.replace(of, cells=tuple(cells))


def told(of: Plan) -> list[tuple[str, str, int, str]]:
    """Return clock, variant and boot of all sessions, and what the plugin is there for."""
    use = {(False, False): "", (True, False): "watched", (True, True): "counts"}
    return [(s.clock, s.built.cell.variant.name, s.boot, use[s.watched, s.counts]) for s in of.sessions]


BOTH = "le_fit_alloc_test,mix_stress_test"


def test_each_cell_has_a_boot_that_counts_behind_those_that_are_timed(made: Plan) -> None:
    of = watched(machines_of(made, "stock", "mine").with_settings(boots=2))
    of = msgspec.structs.replace(of, tests=catalog.choose(BOTH))
    assert told(of) == [
        *(("icount", "stock", 0, ""), ("icount", "mine", 0, ""), ("icount", "mine", 1, ""), ("icount", "stock", 1, "")),
        *(("icount", "stock", 2, "counts"), ("icount", "mine", 2, "counts")),
        *(("wall", "stock", 0, "watched"), ("wall", "mine", 0, "watched")),
    ]
    assert len({session.name for session in of.sessions}) == len(of.sessions)
    (session, _) = [session for session in of.sessions if session.counts]
    assert [step.name for step in session.steps] == ["le_fit_alloc_test"]


def test_counting_is_under_icount_whatever_is_timed(made: Plan) -> None:
    of = msgspec.structs.replace(watched(made), tests=catalog.choose(BOTH)).with_settings(clock=Clock.WALL, boots=2)
    assert told(of) == [
        *(("wall", "stock", 0, ""), ("wall", "stock", 1, ""), ("icount", "stock", 0, "counts"), ("wall", "stock", 2, "watched")),
    ]


def test_stress_under_icount_is_booted_behind_the_boot_that_counts(made: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    make.suite_with(monkeypatch, mix_stress_test={"clock": Clock.ICOUNT})
    of = msgspec.structs.replace(watched(made), tests=catalog.choose(BOTH))
    assert told(of) == [("icount", "stock", 0, ""), ("icount", "stock", 1, "counts"), ("icount", "stock", 2, "watched")]


def test_under_kvm_only_what_is_counted_is_emulated(made: Plan) -> None:
    of = msgspec.structs.replace(watched(made, "kvm"), tests=catalog.choose(BOTH))
    assert told(of) == [("icount", "stock", 0, ""), ("icount", "stock", 1, "counts"), ("wall", "stock", 0, "")]


@pytest.mark.parametrize("accelerator", ["tcg", "tcg,thread=single"])
def test_every_kind_of_emulation_can_be_watched(made: Plan, accelerator: str) -> None:
    of = msgspec.structs.replace(watched(made, accelerator), tests=catalog.choose("mix_stress_test"))
    assert told(of) == [("wall", "stock", 0, "watched")]


def test_plain_or_without_a_plugin_nothing_is_counted(made: Plan) -> None:
    of = msgspec.structs.replace(made, tests=catalog.choose(BOTH))
    without = [("icount", "stock", 0, ""), ("wall", "stock", 0, "")]
    assert told(of) == told(watched(of).with_settings(plain=True)) == without


def test_a_profile_with_a_tracer_or_without_performance_tests_is_not_counted(made: Plan) -> None:
    of = msgspec.structs.replace(made, tests=catalog.choose(BOTH))
    latency, debug = (watched(machines_of(of, "stock", profile=profile)) for profile in ("latency", "debug"))
    assert told(latency) == [("icount", "stock", 0, "")]
    assert told(debug) == [("wall", "stock", 0, "watched")]


def test_a_sweep_is_counted_at_every_size(made: Plan) -> None:
    of = msgspec.structs.replace(watched(made), tests=("sweep_churn",))
    assert told(of) == [("icount", "stock", 0, ""), ("icount", "stock", 1, "counts")]
    timed, counts = of.sessions
    assert counts.steps == timed.steps


def test_a_cells_changed_lines_are_its_own(made: Plan) -> None:
    lines = tuple(
        changed(number, variant=variant, profile=profile)
        for number, variant, profile in ((1, "mine", "perf"), (2, "mine", "debug"))
    )
    of = msgspec.structs.replace(machines_of(made, "mine", "stock"), lines=lines)
    assert [[line.line for line in of.lines_of(built.cell)] for built in of.cells] == [[1], []]


def test_a_plan_travels(made: Plan, tmp_path: Path) -> None:
    plan.save(made, tmp_path / "plan.json")
    assert plan.load(tmp_path / "plan.json") == made


def test_a_plan_that_cannot_be_had_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no plan at .*plan\.json .*`invoke build`"):
        plan.load(tmp_path / "plan.json")
    (tmp_path / "plan.json").write_text('{"old": 1}')
    with pytest.raises(UsageError, match=r"plan\.json cannot be read .*`invoke build`"):
        plan.load(tmp_path / "plan.json")


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        (Selection(clock="walk"), "There is no clock 'walk'; known are icount, wall."),
        (Selection(scale="huge"), "There is no scale 'huge'; known are quick, default, published."),
        (Selection(boots=-1), "--boots has to be 1 or more, not -1."),
        (
            Selection(loops=0.0),
            "--loops has to be a share of the scale's operations above 0 and at most 1e+06, such as 0.1, not 0.0.",
        ),
        (Selection(margin=-1.0), "--margin has to be between 0 and 100 per cent, not -1.0."),
        (Selection(keep=True, clock="wall"), "--keep and --clock wall exclude each other"),
        (Selection(profile="latency", tests="stress"), "The profile 'latency' runs none of the chosen tests"),
        (Selection(jobs=-1), "--jobs has to be 1 or more, not -1."),
        (Selection(threshold=-5.0), "--threshold has to be 0 or more per cent, not -5.0."),
        (Selection(tests="boot"), "There is no test 'boot'"),
        (Selection(machine="x86_64,vax"), "There is no machine 'vax'"),
        (Selection(kernel="4.17"), "There is no kernel '4.17' in kernel_patches/; did you mean '4.18'?"),
        (Selection(profile="pref"), "There is no profile 'pref'"),
        (Selection(variant="nonsense"), "There is no variant 'nonsense'"),
        (Selection(series="/nowhere"), "There is no series at /nowhere"),
        (Selection(threshold=float("nan")), "--threshold has to be 0 or more per cent, not nan."),
    ],
    ids=lambda value: "" if isinstance(value, Selection) else str(value)[:24],
)
def test_a_wrong_option_is_said_before_anything_is_fetched(
    wanted: Selection, said: str, monkeypatch: pytest.MonkeyPatch, kernel_source: Path
) -> None:
    monkeypatch.setattr(source, "resolve", lambda *_: pytest.fail("the source was fetched first"))
    monkeypatch.setattr(rootfs, "build", lambda *_: pytest.fail("the initramfs was built first"))
    with pytest.raises(UsageError) as caught:
        pipeline.build(wanted)
    assert said in str(caught.value)


def test_every_option_has_a_help_and_every_help_an_option() -> None:
    assert set(options.HELP) == set(Selection.__struct_fields__)


@pytest.mark.parametrize("name", ["nowhere", "", "../results", "latest/../nowhere"])
@pytest.mark.usefixtures("results")
def test_an_unknown_run_is_said_so(name: str) -> None:
    with pytest.raises(UsageError, match=r"no run '.*'; .*results"):
        lifecycle.find(name)


def test_tests_run_in_the_modules_order_whatever_order_was_asked_for(base: Base) -> None:
    """A test's figures may depend on those before it; the order of a table is no reason to change them."""
    asked = ("b_fit_alloc_test", "le_fit_alloc_test")
    (session, *_) = make.plan(base, tests=asked).sessions
    assert list(dict.fromkeys(step.name for step in session.steps)) == [*reversed(asked)]
