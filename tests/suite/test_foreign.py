# SPDX-License-Identifier: GPL-2.0-only
"""A foreign module in a run: how it is loaded, what is read of it, and what becomes of that."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from harness.kernlog import excerpt, kmemleak
from harness.model.clock import Clock
from harness.model.foreign import PATIENCE, Foreign
from harness.model.known_bugs import KnownBug
from harness.model.matrix import Base
from harness.suite import foreign, guest_script, plan
from harness.suite.extract import Reading
from harness.suite.ktap import Timing
from harness.suite.plan import Plan
from harness.suite.subtests import Case
from tests.suite.test_guest_script import Guest, with_profile
from tests.support import make

MODULE = Foreign("test_vmalloc", "ab" * 32, ("test_loop_count=1000", "run_test_mask=7"))
SUMMARY = "[    2.5] Summary: {} passed: {} failed: {} repeat: 3 loops: 1000 avg: 2000 usec\n"
OVER = "[    2.6] All test took CPU0=5 cycles\n"
GONE = "insmod: ERROR: could not insert module /vmalloc_test.ko: {}"


@pytest.fixture
def made(base: Base) -> Plan:
    return make.plan(base, tests=(MODULE.name,), module=MODULE, boots=2)


def test_each_boot_loads_it_once_and_nothing_else_is_done(made: Plan) -> None:
    assert [(s.clock, s.boot, [step.name for step in s.steps]) for s in made.sessions] == [
        (Clock.ICOUNT, 0, ["test_vmalloc"]),
        (Clock.ICOUNT, 1, ["test_vmalloc"]),
    ]
    assert [len(s.steps) for s in made.with_settings(scale="published", boots=1).sessions] == [3], (
        "as often as the scale has rounds"
    )
    (step,) = made.sessions[0].steps
    assert made.patience(step) == PATIENCE
    assert made.with_settings(scale="published").patience(step) > PATIENCE


def test_qemus_plugin_is_not_used(made: Plan) -> None:
    cells = tuple(msgspec.structs.replace(built, plugin=Path("/blocks.so")) for built in made.cells)
    assert not any(session.watched for session in msgspec.structs.replace(made, cells=cells).sessions)


def test_a_plan_keeps_it(made: Plan, tmp_path: Path) -> None:
    plan.save(made, tmp_path / "plan.json")
    assert plan.load(tmp_path / "plan.json") == made


def command(of: Plan) -> tuple[str, ...]:
    session = of.sessions[0]
    return guest_script.command(of, session, session.steps[0])


def test_it_is_loaded_with_its_own_parameters(made: Plan) -> None:
    assert command(made)[4:] == (
        *("test_vmalloc", "load_foreign:test_vmalloc print_log"),
        *("/vmalloc_test.ko", "test_loop_count=1000", "run_test_mask=7"),
    )
    passes = command(with_profile(made, "debug"))[5]
    assert passes == f"clear_leaks load_foreign:test_vmalloc print_log print_leaks:{kmemleak.MOST}"


def test_a_module_that_stays_is_unloaded(made: Plan, tmp_path: Path) -> None:
    code, calls = Guest(tmp_path).run(*command(made))
    assert code == 0
    assert calls[2:] == [
        "insmod /vmalloc_test.ko test_loop_count=1000 run_test_mask=7",
        "rmmod test_vmalloc",
        "dmesg ",
        guest_script.END,
    ]


def test_a_module_that_ends_in_eagain_is_gone(made: Plan, tmp_path: Path) -> None:
    guest = Guest(tmp_path)
    guest.has("insmod", code=1, says=GONE.format("Resource temporarily unavailable"))
    code, calls = guest.run(*command(made))
    assert code == 0
    assert "rmmod test_vmalloc" not in calls
    assert calls[-1] == guest_script.END


@pytest.mark.parametrize("program", ["insmod", "rmmod"])
def test_a_module_that_does_not_load_or_unload_ends_the_script(made: Plan, tmp_path: Path, program: str) -> None:
    guest = Guest(tmp_path)
    said = GONE.format("Unknown symbol in module, or unknown parameter (see dmesg)")
    guest.has(program, code=1, says=said)
    code, calls, printed = guest.told(*command(made))
    assert code == 1
    assert guest_script.END not in calls
    assert program == "rmmod" or said in printed


def test_lines_are_read_behind_stamps_and_the_modules_name() -> None:
    log = (
        "[    1.0] KTAP version 1\n<6>[    1.1][  T97] my-test: 1..3\nmy-test: ok 1 a\n[    1.2] ok 2 b: c\n[    1.3] not ok 3 d\n"
    )
    assert foreign.parse(log).cases == (Case("a", ok=True), Case("b: c", ok=True), Case("d", ok=False))
    deep = "[    1.0] m: 1..1\n[    1.0] m:     # Subtest: s\n[    1.0] m:     1..1\n[    1.0] m:     ok 1 a\n[    1.0] m: ok 1 s\n"
    assert foreign.parse(deep).cases == (Case("s.a", ok=True),)


def test_a_last_line_without_an_end_does_not_count() -> None:
    assert foreign.parse("1..1\nok 1 a").cases == (Case("", ok=False, reason="0 results for 1 tests that the plan has"),)


def test_a_module_that_says_nothing_fails() -> None:
    said = foreign.parse("[    1.0] random: crng init done\n")
    assert foreign.failed(MODULE, said) == [
        ("", "test_vmalloc: it printed no result, neither in KTAP nor as lib/test_vmalloc.c does")
    ]
    assert not said.skipped


def test_failures_have_the_name_of_their_test() -> None:
    log = SUMMARY.format("fix_size_alloc_test", 3, 0) + SUMMARY.format("pcpu_alloc_test", 1, 2)
    said = foreign.parse(log + OVER)
    assert foreign.failed(MODULE, said) == [("pcpu_alloc_test", "pcpu_alloc_test: 2 of 3 repeats failed")]
    cut = foreign.failed(MODULE, foreign.parse(log))
    assert cut[-1] == ("", "test_vmalloc: it did not say that a worker's tests are over")
    ktap = foreign.parse("1..3\nok 1 a # SKIP no\nnot ok 2 b # -ENOMEM\nnot ok 3 c\n")
    assert foreign.failed(MODULE, ktap) == [("b", "b: -ENOMEM"), ("c", "c: the test failed")]


def test_the_console_shows_where_a_test_failed() -> None:
    before = "".join(f"line {number}\n" for number in range(30))
    for text, test in ((SUMMARY.format("b_test", 0, 3), "b_test"), ("    not ok 2 - b_test\n", "suite.b_test")):
        found = excerpt.failure(f"{before}{text}{before}", 1, test)
        assert found.first == 31 - excerpt.BEFORE
        assert text.strip() in found.text
    assert excerpt.failure(before, 1, "").text.endswith("line 29"), "the module itself has no line"


def test_it_is_skipped_if_all_its_tests_are() -> None:
    assert foreign.parse("1..2\nok 1 a # SKIP no device\nok 2 b # SKIP\n").skipped == "no device"
    assert foreign.parse("1..2\nok 1 a # SKIP no device\nok 2 b\n").skipped == ""


def test_times_become_samples_of_its_tests(made: Plan) -> None:
    log = SUMMARY.format("fix_size_alloc_test", 3, 0) + SUMMARY.format("pcpu_alloc_test", 1, 2) + OVER
    session = made.sessions[1]
    reading = Reading(made, session, session.steps[0])
    (sample,) = reading.foreign_samples(MODULE, foreign.parse(log))
    # 2000 microseconds for 1000 loops, and 2 ns for an instruction
    assert sample == make.sample(1000.0, test="test_vmalloc/fix_size_alloc_test", boot=1)
    wall = make.plan(made.base, tests=(MODULE.name,), module=MODULE, clock=Clock.WALL).sessions[0]
    (sample,) = Reading(made, wall, wall.steps[0]).foreign_samples(MODULE, foreign.parse(log))
    assert (sample.value, sample.unit) == (2000.0, "ns/op")


def test_ktap_may_have_times_as_the_rigs_own_module_has_them(made: Plan) -> None:
    line = "m: # sample test=a repeat={} thread=0 cpu=0 ops=10 ns=5000\n"
    said = foreign.parse(f"m: 1..1\n{line.format(0)}{line.format(1)}m: ok 1 a\n")
    assert said.timings == (Timing("a", 0, 0, 10, 5000), Timing("a", 1, 0, 10, 5000))
    session = made.with_settings(scale="published").sessions[0]
    repeats = [[s.repeat for s in Reading(made, session, step).foreign_samples(MODULE, said)] for step in session.steps]
    assert repeats == [[0, 1], [2, 3], [4, 5]]


def test_a_time_is_no_reason_for_a_failure() -> None:
    """It would give the failure another fingerprint in each run."""
    said = foreign.parse("1..1\n# sample test=a repeat=0 thread=0 cpu=0 ops=10 ns=5\n# out of memory\nnot ok 1 a\n")
    assert said.cases == (Case("a", ok=False, reason="out of memory"),)


def test_each_test_within_it_has_a_result(made: Plan) -> None:
    """What is wrong with its report as a whole is a finding, and no test's."""
    said = foreign.parse("1..5\nok 1 a\nok 2 b # SKIP no\nnot ok 3 c\nnot ok 4 d # TODO\n")
    session = made.with_settings(scale="published").sessions[1]
    loaded = Reading(made, session, session.steps[2]).loaded(MODULE, said)
    assert [(of.test, of.outcome, of.boot, of.round) for of in loaded.within] == [
        ("test_vmalloc/a", "passed", 1, 2),
        ("test_vmalloc/b", "skipped", 1, 2),
        ("test_vmalloc/c", "failed", 1, 2),
        ("test_vmalloc/d", "passed", 1, 2),
    ]
    assert loaded.records() == loaded.within, "they are kept"


def test_kernels_that_check_themselves_are_not_timed(made: Plan) -> None:
    debug = with_profile(made, "debug")
    session = debug.sessions[0]
    said = foreign.parse(SUMMARY.format("a_test", 3, 0) + OVER)
    assert said.timings
    assert Reading(debug, session, session.steps[0]).foreign_samples(MODULE, said) == ()


def test_only_what_the_kernel_itself_reports_can_be_a_known_bug(made: Plan) -> None:
    bugs = (KnownBug("a_test", "bug", "vmalloc", "overflow"), KnownBug(MODULE.name, "test-failed", ".*", "ours"))
    known = msgspec.structs.replace(made, base=msgspec.structs.replace(made.base, known_bugs=bugs))
    cell = made.cells[0].cell
    (bug,) = known.bugs(cell, MODULE.name)
    assert (bug.reason, bug.always) == ("overflow", False)
    assert known.bugs(cell, "boot") == ()
    assert msgspec.structs.replace(known, module=None).bugs(cell, MODULE.name) == bugs[1:]


@pytest.mark.parametrize(
    "line",
    [
        f"# sample test=a repeat=0 thread=0 cpu=0 ops=1 ns={1 << 63}",
        "# sample test=a repeat=0 ops=10 ns=99",
        "# sample test=a repeat=0 thread=0 cpu=0 ops=10 ns=-1",
        "    # sample test=a",
    ],
)
def test_a_time_that_cannot_be_read_is_no_pass(line: str) -> None:
    said = foreign.parse(f"[    1.0] 1..1\n[    1.0] ok 1 a\n[    1.1] {line}\n")
    assert said.timings == ()
    ((test, title),) = foreign.failed(MODULE, said)
    assert (test, title) == ("a", f"a: {foreign._UNREAD}")


@pytest.mark.parametrize("line", ["# sample test=a repeat=0 thread=0 cpu=1 ops=10 ns=99", "# sample: pass:1 fail:0", "# sample"])
def test_what_is_a_time_or_names_none_is_good(line: str) -> None:
    said = foreign.parse(f"1..1\nok 1 a\n{line}\n")
    assert foreign.failed(MODULE, said) == []
    assert len(said.timings) == ("ns=" in line)
