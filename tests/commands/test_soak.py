# SPDX-License-Identifier: GPL-2.0-only
"""A soak's folder and report: what is checked before, what an interruption leaves, what counts as a leak."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from concurrent import futures
from pathlib import Path
from typing import Any

import msgspec
import pytest

from harness.commands import soak
from harness.errors import RigError, UsageError
from harness.model.clock import Clock
from harness.model.known_bugs import KnownBug
from harness.model.matrix import Base, load_base
from harness.model.records import Look
from harness.model.run_folder import Run
from harness.model.selection import Selection
from harness.report import headlines
from harness.runs import conclude, dismissals, lifecycle
from harness.stats import leaks, slopes
from harness.stats.causes import fingerprint
from harness.stats.outcome import ExitCode, exit_code
from harness.suite import plan
from harness.suite.extract import Observed
from harness.suite.meminfo import at_rest
from harness.suite.plan import Plan
from harness.suite.soak_cell import Soak
from harness.vm.console import Console
from tests.stats.test_slopes import PAGE, look
from tests.support import make

FILES = """\
812.40 3011.92
MemTotal:        3067904 kB
MemFree:         3041000 kB
MemAvailable:    3040000 kB
Slab:               5000 kB
SUnreclaim:         4500 kB
KernelStack:        1296 kB
PageTables:           88 kB
slabinfo - version: 2.1
# name            <active_objs> <num_objs> <objsize> <objperslab> <pagesperslab> : tunables
kmalloc-512          100    112    512   16    2 : tunables    0    0    0 : slabdata      7      7      0
dentry               200    210    192   21    1 : tunables    0    0    0 : slabdata     10     10      0
areas 126 270786560 lazy 131072
"""


@pytest.fixture
def known(base: Base) -> Base:
    bug = KnownBug("soak", "leak", r"^slab cache kmalloc-\d+ grows by", "md_blocks")
    return msgspec.structs.replace(base, known_bugs=(bug,))


def growing(rate: float, rounds: int = 40, **other: Any) -> list[Look]:
    """Return looks at a guest of which slab caches and what they are part of grow, and nothing else."""
    found = []
    for number in range(rounds):
        one = look(number, 1 << 20, caches={"kmalloc-512": 512 + round(rate) * number}, **other)
        more = {name: one.values[name] + round(rate) * number for name in ("slab_objects", "SUnreclaim", "MemUsed")}
        found.append(msgspec.structs.replace(one, values={**one.values, **more}))
    return found


def stored(results: Path, base: Base, looks: Sequence[Look], **other: Any) -> Run:
    run = make.stored(results, planned=0, hours=0.4, seed=5, **other)
    plan.save(make.plan(base, hours=0.4, seed=5), run.folder / "plan.json")
    run.add(looks)
    return run


def test_a_leak_is_a_finding_with_its_cache_and_an_exit_code(results: Path, base: Base) -> None:
    run = stored(results, base, growing(30 * PAGE))
    outcome = conclude.conclude(run)
    (finding,) = outcome.findings
    assert (finding.trouble.kind, finding.test, finding.expected) == ("leak", "soak", "")
    assert finding.trouble.title == "slab cache kmalloc-512 grows by 120 KiB a round, 11.7 MiB an hour"
    assert exit_code(outcome) == ExitCode.FINDING
    for file in ("report.html", "report.md"):
        said = (run.folder / file).read_text()
        assert "leak" in said
        assert "kmalloc-512" in said
        assert "not complete" not in said


def test_a_leak_is_dismissed_by_its_fingerprint_in_this_soak_and_in_another(results: Path, base: Base) -> None:
    stock: dict[str, Any] = {"patches": {"stock": ()}}
    run = stored(results, base, growing(30 * PAGE), **stock)
    (finding,) = conclude.conclude(run).findings
    made = dismissals.dismiss(fingerprint(finding), "a cache of the board's driver")
    assert made.title == f"leak: {finding.trouble.title}"
    faster = stored(results, base, growing(50 * PAGE), name="20260103-030405-abcd", **stock)
    for each in (run, faster):
        outcome = conclude.conclude(each)
        assert exit_code(outcome) == ExitCode.GOOD
        assert [found.dismissed[12:] for found in outcome.findings] == ["a cache of the board's driver"]
        assert [r.outcome for r in outcome.results if r.test == leaks.TEST] == ["dismissed"]
        (headline,) = headlines.of_run(outcome)
        said = headlines.why(headline)
        assert "slopes of memory leak" in said
        assert "no leak" not in said
        assert said.endswith("1 cause dismissed")
    other = [msgspec.structs.replace(one, caches={"dentry": 512 + 30 * PAGE * one.round}) for one in growing(30 * PAGE)]
    assert exit_code(conclude.conclude(stored(results, base, other, name="20260104-030405-abcd"))) == ExitCode.FINDING


def test_rounds_that_failed_for_a_dismissed_finding_are_excused_in_every_boot(results: Path, base: Base) -> None:
    run = stored(results, base, growing(0))
    for boot in (0, 1):
        place = {"clock": Clock.WALL, "test": "mix_stress_test", "boot": boot}
        run.add([msgspec.structs.replace(make.finding(test="mix_stress_test"), boot=boot)])
        run.add([make.result("failed", reason="bug: kernel BUG at mm/vmalloc.c:512!", **place)])
    dismissals.dismiss(fingerprint(make.finding()), "ours")
    outcome = conclude.conclude(run)
    assert exit_code(outcome) == ExitCode.GOOD
    assert [r.outcome for r in outcome.results if r.test == "mix_stress_test"] == ["dismissed", "dismissed"]


def test_a_leak_in_a_cache_that_another_boot_has_no_look_at_is_drawn(results: Path, base: Base) -> None:
    (earlier,) = growing(0, 1, boot=0)
    looks = [msgspec.structs.replace(earlier, caches={"dentry": 512}), *growing(30 * PAGE, boot=1)]
    run = stored(results, base, looks)
    assert [f.boot for f in conclude.conclude(run).findings] == [1]
    assert "slab:kmalloc-512" in (run.folder / "report.html").read_text()


def test_a_cell_has_a_result_for_its_memory(base: Base) -> None:
    def outcome(looks: list[Look]) -> tuple[str, str]:
        found = slopes.slopes(looks)
        (result,) = leaks.results(found, leaks.findings(found, base))
        return result.outcome, result.reason

    assert outcome(growing(0)) == ("passed", "")
    assert outcome(growing(30 * PAGE))[0] == "failed"
    assert outcome(growing(0, 5))[0] == "skipped"
    assert outcome(growing(0, 5))[1].startswith("undecided: slab_objects, SUnreclaim")


def test_a_leak_that_is_known_is_expected(results: Path, known: Base) -> None:
    outcome = conclude.conclude(stored(results, known, growing(30 * PAGE), patches={"stock": ()}))
    assert [f.expected for f in outcome.findings] == ["md_blocks"]
    (headline,) = headlines.of_run(outcome)
    assert "no leak" not in headlines.why(headline), "it is one all the same"
    assert exit_code(outcome) == ExitCode.GOOD


@pytest.mark.parametrize(("cache", "expected"), [("kmalloc-4096", True), ("kmalloc-512", True), ("kmalloc-64", False)])
def test_what_percpu_leaks_excuses_no_leak_of_another_size(cache: str, expected: bool) -> None:
    looks = [msgspec.structs.replace(one, caches={cache: 512 + 30 * PAGE * one.round}) for one in growing(30 * PAGE)]
    found = leaks.findings(slopes.slopes(looks), load_base("4.18"))
    assert [bool(finding.expected) for finding in found] == [expected]


def test_a_known_leak_excuses_no_other(results: Path, known: Base) -> None:
    looks = [
        msgspec.structs.replace(one, values={**one.values, "areas": one.values["areas"] + 3 * number})
        for number, one in enumerate(growing(30 * PAGE))
    ]
    outcome = conclude.conclude(stored(results, known, looks))
    assert [(f.trouble.title[:20], bool(f.expected)) for f in outcome.findings] == [
        ("areas grows by 3 a r", False),
        ("slab cache kmalloc-5", True),
    ]
    assert exit_code(outcome) == ExitCode.FINDING


def test_what_another_figure_explains_is_no_second_finding(base: Base) -> None:
    looks = [
        msgspec.structs.replace(one, values={**one.values, "MemUsed": one.values["MemUsed"] + 100 * PAGE * number})
        for number, one in enumerate(growing(30 * PAGE))
    ]
    assert len(leaks.findings(slopes.slopes(growing(30 * PAGE)), base)) == 1
    assert [f.trouble.title.split()[0] for f in leaks.findings(slopes.slopes(looks), base)] == ["MemUsed", "slab"]


def test_growth_of_many_caches_shows_in_their_sum(base: Base) -> None:
    looks = [msgspec.structs.replace(one, caches={"dentry": 1 << 20}) for one in growing(30 * PAGE)]
    (finding,) = leaks.findings(slopes.slopes(looks), base)
    assert finding.trouble.title.startswith("slab_objects grows by 120 KiB a round")


def test_without_a_leak_the_exit_code_is_good(results: Path, base: Base) -> None:
    run = stored(results, base, growing(0))
    assert exit_code(conclude.conclude(run)) == ExitCode.GOOD
    assert "no memory leaks" in (run.folder / "report.html").read_text()


def test_a_soak_that_was_killed_is_reported_from_what_it_left(results: Path, base: Base) -> None:
    run = stored(results, base, growing(30 * PAGE), finished="")
    with (run.folder / "soak.jsonl").open("ab") as file:
        file.write(b'{"machine": "x86_64", "vari')
    outcome = conclude.conclude(run)
    assert outcome.findings
    assert "This soak was ended after 0.40 of 0.4 hours." in (run.folder / "report.html").read_text()


def test_a_soak_without_a_look_has_a_report(results: Path, base: Base) -> None:
    run = stored(results, base, [], finished="")
    assert exit_code(conclude.conclude(run)) == ExitCode.GOOD
    assert "ended after 0.00 of 0.4 hours" in (run.folder / "report.md").read_text()


def test_a_soak_is_not_resumed(results: Path, base: Base) -> None:
    run = stored(results, base, [], finished="")
    run.add([make.result("error")])
    with pytest.raises(UsageError, match="is a soak, which cannot be resumed"):
        lifecycle.resume(run, make.plan(base))
    with pytest.raises(UsageError, match=r"There is nothing to resume in .*: no run was interrupted"):
        lifecycle.interrupted(print)


def test_a_log_that_was_compressed_is_named_as_it_is(results: Path, base: Base) -> None:
    run = stored(results, base, [])
    found = make.finding()
    run.add([found])
    (run.folder / f"{found.log}.gz").write_bytes(b"")
    assert [f.log for f in conclude.conclude(run).findings] == [f"{found.log}.gz"]


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        (Selection(clock="icount", tests="stress"), "no use for --clock"),
        (Selection(boots=3, tests="stress"), "no use for --boots"),
        (Selection(tests="performance"), "None of the tests 'performance' can be part of a soak"),
        (Selection(tests="performance,stress", profile="perf,latency"), "'latency' runs none of the chosen tests"),
        (Selection(tests="nonsense"), "There is no test 'nonsense'"),
    ],
)
def test_what_makes_no_sense_is_refused(wanted: Selection, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        soak.check(wanted)


def test_cells_that_do_not_fit_into_memory_are_refused(base: Base) -> None:
    with pytest.raises(UsageError, match=r"VMs of 1 cells, .* but 10 MiB are free"):
        soak.run(
            make.plan(base, tests=("pcpu_alloc_test",)),
            Selection(tests="stress"),
            "invoke soak",
            1.0,
            parts=soak.Parts(free_memory=lambda: 10),
        )


def begin(run: Run, made: Plan, *_: object) -> None:
    """Begin a run's folder without a kernel."""
    plan.save(made, run.folder / "plan.json")
    told = make.provenance(run=run.folder.name, planned=0, hours=made.hours, seed=made.seed, finished="")
    (run.folder / "run.json").write_bytes(msgspec.json.encode(told))


def soaking(base: Base, cell: Callable[[Soak], None], **other: Any) -> Any:
    parts = soak.Parts(begin=begin, cell=lambda shared, *_: cell(shared), **other)
    return soak.run(make.plan(base, tests=("pcpu_alloc_test",)), Selection(tests="stress"), "invoke soak", 1.0, 5, parts)


def test_an_interruption_ends_it_with_a_report(results: Path, base: Base, capsys: pytest.CaptureFixture[str]) -> None:
    ended = []

    def run(shared: Soak) -> None:
        for one in growing(30 * PAGE, 20):
            shared.record(Observed(looks=(one,)), make.result(test="pcpu_alloc_test"))
        assert shared.cut_short.wait(30)
        ended.append(True)

    def wait(*given: Any) -> Any:
        if not interrupted:
            interrupted.append(True)
            raise KeyboardInterrupt
        return futures.wait(*given)

    interrupted: list[bool] = []
    outcome = soaking(base, run, wait=wait)
    assert ended
    assert len(Run(outcome.run).looks()) == 20
    assert [f.trouble.kind for f in outcome.findings] == ["leak"]
    assert not outcome.provenance.finished
    assert "This soak was ended after" in (outcome.run / "report.md").read_text()
    assert "seed 5; Ctrl-C ends it" in capsys.readouterr().out


def test_a_known_bug_is_printed_once_and_counted(results: Path, base: Base, capsys: pytest.CaptureFixture[str]) -> None:
    def run(shared: Soak) -> None:
        for number, outcome in enumerate(("xfailed", "xfailed", "xfailed", "failed", "failed")):
            result = make.result(test="pcpu_alloc_test", outcome=outcome, reason=f"{outcome} so", round=number)
            shared.record(Observed(), result)
        shared.record(Observed(looks=(growing(0.0, 1)[0],)), make.result(test="pcpu_alloc_test", round=5))

    soaking(base, run)
    said = capsys.readouterr().out
    assert said.count("known bug seen, as expected") == 1
    assert "known bugs seen 3 times" in said
    assert said.count("FAILED") == 2


def test_what_cannot_be_recorded_ends_it(results: Path, base: Base) -> None:
    def run(_: Soak) -> None:
        raise RigError("soak.jsonl cannot be written: No space left on device.")

    with pytest.raises(RigError, match=r"No space left.*`invoke report \S+`"):
        soaking(base, run)


def test_a_soak_to_its_end_is_finished(results: Path, base: Base) -> None:
    outcome = soaking(base, lambda _: None)
    told = json.loads((outcome.run / "run.json").read_text())
    assert told["finished"]
    assert (told["hours"], told["seed"]) == (1.0, 5)


def test_a_guests_files_tell_what_is_at_rest() -> None:
    found = at_rest(FILES)
    assert found is not None
    assert found.uptime == 812.4
    assert found.values == {
        "MemFree": 3041000 << 10,
        "MemAvailable": 3040000 << 10,
        "Slab": 5000 << 10,
        "SUnreclaim": 4500 << 10,
        "PageTables": 88 << 10,
        "KernelStack": 1296 << 10,
        "slab_objects": 100 * 512 + 200 * 192,
        "MemUsed": (3067904 - 3041000) << 10,
        "areas": 126,
        "vmalloc": 270786560,
        "lazy": 131072,
    }
    assert found.caches == {"kmalloc-512": 51200, "dentry": 38400}


@pytest.mark.parametrize("missing", ["812.40", "MemTotal", "KernelStack", "areas 126"])
def test_files_of_which_a_part_is_missing_tell_nothing(missing: str) -> None:
    rest = "".join(line for line in FILES.splitlines(keepends=True) if not line.startswith(missing))
    assert at_rest(rest) is None


def test_a_console_forgets_what_was_read_and_counts_from_one_again(tmp_path: Path) -> None:
    log = tmp_path / "serial.log"
    log.write_text("one\ntwo\nthr")
    console = Console(log)
    assert console.read() == "one\ntwo\n"
    assert console.taken() == b"one\ntwo\n"
    console.forget()
    assert log.read_text() == "thr", "what was not read is not lost"
    assert (console.line, console.size) == (1, 3)
    with log.open("a") as file:
        file.write("ee\n")
    assert console.read() == "three\n"
    assert console.line == 2


@pytest.mark.parametrize("whole", [True, False])
def test_a_cluster_soaks_the_cells_whatever_room_is_here(results: Path, base: Base, whole: bool) -> None:
    def elsewhere(place: str, run: Run, planned: Plan) -> bool:
        assert (place, planned.hours, planned.seed) == ("tls://a:1", 1.0, 5)
        run.add(growing(0.0, 20))
        return whole

    parts = soak.Parts(begin=begin, elsewhere=elsewhere, free_memory=lambda: 10)
    wanted = Selection(tests="stress", cluster="tls://a:1")
    outcome = soak.run(make.plan(base, tests=("pcpu_alloc_test",)), wanted, "invoke soak", 1.0, 5, parts)
    assert bool(outcome.provenance.finished) == whole
    assert len(Run(outcome.run).looks()) == 20


def test_a_cluster_that_is_lost_says_where_the_records_are(results: Path, base: Base) -> None:
    def elsewhere(*_: object) -> bool:
        raise RigError("The scheduler is gone.")

    parts = soak.Parts(begin=begin, elsewhere=elsewhere)
    wanted = Selection(tests="stress", cluster="tls://a:1")
    with pytest.raises(RigError, match=r"^The scheduler is gone\. What was recorded is kept; `invoke report .*` shows it\.$"):
        soak.run(make.plan(base, tests=("pcpu_alloc_test",)), wanted, "invoke soak", 1.0, 5, parts)


def test_options_that_leave_something_on_another_host_are_refused() -> None:
    with pytest.raises(UsageError, match="--on-failure and --cluster exclude each other"):
        soak.check(Selection(tests="stress", cluster="tls://a:1", on_failure="keep"))
