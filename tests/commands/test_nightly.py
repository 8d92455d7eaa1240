# SPDX-License-Identifier: GPL-2.0-only
"""A night from its first line to its summary, with records in the place of kernels."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn

import filelock
import msgspec
import pytest
from rich.console import Console

from harness import paths
from harness.commands import nightly
from harness.commands.nightly import Parts
from harness.errors import BuildError, RigError, UsageError
from harness.model.audit import Audit, Compared, Difference
from harness.model.cache import Entry
from harness.model.matrix import Base
from harness.model.records import Sample
from harness.model.run_folder import Run
from harness.model.selection import Selection, Where
from harness.runs import history as archive
from harness.runs.history_store import History
from harness.runs.retention import LOG, Limits
from harness.stats import compare
from harness.stats.outcome import ExitCode, Outcome
from harness.suite.plan import Plan
from tests.support import make

LAST_NIGHT, TONIGHT = "20260102-030405-abcd", "20260103-030405-ef01"


def measured(value: float, **other: object) -> list[Sample]:
    """Return what five boots measured: hardly any spread."""
    return [make.sample(value * (1 + boot / 1e5), boot=boot, repeat=repeat, **other) for boot in range(5) for repeat in range(3)]


def concluded(run: Run) -> Outcome:
    """Return a run's outcome, compared with nothing."""
    return Outcome(run.folder, (), tuple(run.findings()), tuple(run.results()), run.provenance())


class Night:
    """What a night does instead of building and booting: it leaves a run with these samples."""

    def __init__(self, base: Base) -> None:
        self.base = base
        self.samples: Sequence[Sample] = measured(100.0)
        self.unexpected = False
        self.provenance: dict[str, object] = {}
        self.seen: list[object] = []
        self.keep: Callable[[Run], object] = archive.keep
        self.outcome: Callable[[Run], Outcome] = concluded
        self.kept: list[int] = []
        self.parts = Parts(
            self.build, self.test, self.show, lambda outcome: f"# Report of {outcome.run.name}", print, prune=self.prune
        )

    def build(self, wanted: Selection) -> Plan:
        self.seen.append(wanted)
        print("build x86_64/stock/perf: built")
        return make.plan(self.base, boots=5, tests=("le_fit_alloc_test", "mix_stress_test", "sweep_churn"))

    def test(self, made: Plan, where: Where, command: str) -> Outcome:
        self.seen += [made, where, command]
        print("warning", file=sys.stderr)
        run = make.stored(paths.RESULTS, TONIGHT, self.samples, **self.provenance)
        if self.unexpected:
            run.add([make.finding()])
        self.keep(run)
        return self.outcome(run)

    def prune(self, limit: int) -> list[Entry]:
        self.kept.append(limit)
        return [Entry("kernel", Path(f"/cache/kernels/{number}"), 3 << 20, 0.0) for number in range(2)]

    def show(self, outcome: Outcome) -> None:
        Console(force_terminal=True).print(f"[red]table[/red] of {outcome.run.name}")

    def run(self, **limits: int) -> int:
        return nightly.run(Selection(keep=True, jobs=3, cluster="tls://a:1"), "invoke nightly", self.parts, Limits(**limits))

    @property
    def log(self) -> str:
        return (paths.RESULTS / TONIGHT / LOG).read_text()


@pytest.fixture
def night(results: Path, monkeypatch: pytest.MonkeyPatch, base: Base) -> Night:
    monkeypatch.delenv(nightly.SUMMARY, raising=False)
    return Night(base)


@pytest.fixture
def summary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file that GitHub shows with a job; an earlier step has written to it."""
    file = tmp_path / "summary.md"
    file.write_text("earlier\n")
    monkeypatch.setenv(nightly.SUMMARY, str(file))
    return file


def earlier(name: str, samples: Sequence[Sample] = (), **provenance: object) -> Run:
    """Return a run that another night left."""
    run = make.stored(paths.RESULTS, name, samples, **provenance)
    (run.folder / LOG).write_text("the night's log\n")
    return run


def baseline(samples: Sequence[Sample], **provenance: object) -> None:
    earlier(LAST_NIGHT, samples, **provenance)
    archive.accept(LAST_NIGHT)


def test_a_good_night(night: Night, capsys: pytest.CaptureFixture[str]) -> None:
    baseline(measured(100.0))
    assert night.run() == ExitCode.GOOD
    selected = night.seen[0]
    assert isinstance(selected, Selection)
    assert not selected.keep, "nothing is left up"
    assert night.seen[2:] == [Where(3, "tls://a:1"), "invoke nightly"]
    with archive.opened() as history:
        assert history.samples(TONIGHT) == night.samples
    said = capsys.readouterr().out
    assert f"Held against {LAST_NIGHT}: it is the baseline.\n" in said
    assert "No regressions; tests: 1 same.\n" in said


def test_the_log_has_all_that_was_said_with_times(night: Night, capfd: pytest.CaptureFixture[str]) -> None:
    night.run()
    out, errors = capfd.readouterr()
    lines = night.log.splitlines()
    told = [re.sub(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00 ", "", line) for line in lines]
    assert all(len(line) < len(logged) for line, logged in zip(told, lines, strict=True)), "every line has its time"
    assert told[:3] == ["build x86_64/stock/perf: built", "warning", f"table of {TONIGHT}"]
    assert set(told) == {re.sub(r"\x1b\[[\d;]*m", "", line) for line in (out + errors).splitlines()}
    assert "\x1b" not in night.log
    assert not (paths.RESULTS / LOG).exists()


def test_slower_than_the_baseline_is_a_regression(night: Night, summary: Path) -> None:
    baseline(measured(100.0))
    night.samples = measured(120.0)
    assert night.run() == ExitCode.REGRESSION
    told = f"REGRESSION: x86_64/stock/perf icount le_fit_alloc_test: +20.0 % against {LAST_NIGHT}"
    assert told in night.log
    page = summary.read_text()
    assert page.startswith(
        f"earlier\n## Nightly run {TONIGHT}: a regression (exit code 3)\n\nmine: UNPROVEN - no performance test was timed\n\n"
        f"Held against {LAST_NIGHT}: it is the baseline.\n"
    )
    assert told in page
    assert page.endswith(f"# Report of {TONIGHT}\n")


def test_within_the_threshold_is_none(night: Night) -> None:
    baseline(measured(100.0))
    night.samples = measured(104.0)
    assert night.run() == ExitCode.GOOD
    assert "tests: 1 slower." in night.log


def test_slower_than_stock_is_no_regression_where_there_is_a_baseline(night: Night) -> None:
    both = [*measured(100.0), *measured(150.0, variant="mine")]
    baseline(both)
    night.samples = both
    night.outcome = held_against_stock
    assert night.run() == ExitCode.GOOD


def test_what_the_baseline_lacks_is_held_against_stock(night: Night, summary: Path) -> None:
    baseline([*measured(100.0), *measured(50.0, variant="mine")])
    night.samples = [*measured(100.0), *measured(50.0, variant="mine"), *measured(150.0, variant="new")]
    night.outcome = held_against_stock
    assert night.run() == ExitCode.REGRESSION
    for line in (
        f"Held against {LAST_NIGHT}: it is the baseline.",
        "Note: x86_64/new/perf/icount le_fit_alloc_test: not in the baseline, held against stock.",
        "REGRESSION: x86_64/new/perf icount le_fit_alloc_test: +50.0 % against stock",
        "1 regression; tests: 2 same, 1 slower.",
    ):
        assert line in night.log
        assert line in summary.read_text()


def held_against_stock(run: Run) -> Outcome:
    provenance = run.provenance()
    found = compare.compare(run.samples(), ["le_fit_alloc_test"], provenance.margins, provenance.threshold)
    return msgspec.structs.replace(concluded(run), comparisons=tuple(found))


def test_without_a_baseline_stock_is_the_measure(night: Night) -> None:
    night.samples = [*measured(100.0), *measured(150.0, variant="mine")]
    night.outcome = held_against_stock
    assert night.run() == ExitCode.REGRESSION
    assert "Held against stock: no run was made the baseline (`invoke baseline RUN` does)." in night.log
    assert "REGRESSION: x86_64/mine/perf icount le_fit_alloc_test: +50.0 % against stock" in night.log


def test_what_could_explain_a_difference_is_told(night: Night) -> None:
    baseline(measured(100.0), tools={"gcc": "gcc 12.1"})
    night.samples = [*measured(100.0), *measured(1.0, test="mix_stress_test"), *measured(1.0, test="sweep_churn")]
    assert night.run() == ExitCode.GOOD
    notes = re.findall(r" Note: (.*)", night.log)
    assert notes == ["gcc: gcc 12.1 there, gcc 12.2 here."], "what is no performance test is held against nothing"


def test_the_worst_wins(night: Night) -> None:
    baseline(measured(100.0))
    night.samples = measured(120.0)
    night.unexpected = True
    assert night.run() == ExitCode.FINDING
    night.provenance = {"planned": 99}
    assert night.run() == ExitCode.RIG_FAILED
    assert "the rig failed, or the run is not complete (exit code 1)" in night.log


OLD = [f"202512{day}-030405-abcd" for day in (28, 29, 30)]


def folders() -> list[str]:
    return sorted(path.name for path in paths.RESULTS.iterdir() if path.is_dir())


def test_old_nights_go_but_for_the_baseline_and_stay_in_the_history(night: Night) -> None:
    baseline(measured(100.0))
    for name in OLD:
        earlier(name, measured(100.0))
    night.run(runs=2)
    assert folders() == [LAST_NIGHT, TONIGHT]
    assert re.search(r"3 old nights removed, .* KiB; the history keeps samples and findings$", night.log, re.M)
    with archive.opened() as history:
        assert history.samples(OLD[0]) == measured(100.0)


def test_what_somebody_ran_by_hand_stays_and_makes_no_night_go(night: Night) -> None:
    for name in OLD:
        make.stored(paths.RESULTS, name, measured(100.0))
    earlier(LAST_NIGHT)
    night.run(runs=2)
    assert folders() == [*OLD, LAST_NIGHT, TONIGHT]
    assert "old night" not in night.log


def test_what_the_history_has_not_stays(night: Night) -> None:
    """Its folder is the only place where its records are, also when it is from another version of the rig."""
    (earlier(OLD[0]).folder / "samples.jsonl").write_text('{"of": "another version"}\n')
    (earlier(OLD[1]).folder / "run.json").write_text("{}")
    earlier(OLD[2])
    night.run(runs=1)
    assert folders() == [*OLD[:2], TONIGHT]
    assert "1 old night removed" in night.log
    assert night.log.count("not in the history: ") == 2


def test_the_verdict_is_said_before_anything_is_removed(night: Night, summary: Path) -> None:
    def refused(_: Limits) -> NoReturn:
        raise RigError("The old run cannot be removed: Operation not permitted.")

    night.parts = msgspec.structs.replace(night.parts, make_room=refused)
    assert night.run(runs=1) == ExitCode.GOOD
    heading = f"Nightly run {TONIGHT}: nothing unexpected, no regression (exit code 0)"
    told = re.sub(r"^\S+ ", "", night.log, flags=re.M).splitlines()
    assert told[-3:] == [
        heading,
        "Note: old nights were not removed: The old run cannot be removed: Operation not permitted.",
        "2 folders of the cache removed, 6 MiB, not used for the longest time",
    ]
    assert summary.read_text().startswith(f"earlier\n## {heading}\n")


def test_the_cache_is_held_to_its_size(night: Night) -> None:
    night.run(cache=7 << 30)
    night.run()
    assert night.kept == [7 << 30, 30 << 30]

    def refused(_: int) -> NoReturn:
        raise RigError("/cache/kernels/1 cannot be removed: Operation not permitted; remove it by hand.")

    night.parts = msgspec.structs.replace(night.parts, prune=refused)
    assert night.run() == ExitCode.GOOD
    assert "Note: the cache was not made smaller: /cache/kernels/1 cannot be removed" in night.log


def test_a_baseline_whose_folder_is_gone_is_still_the_measure(night: Night) -> None:
    baseline(measured(100.0))
    (paths.RESULTS / LAST_NIGHT).rename(paths.RESULTS.with_name("gone"))
    night.samples = measured(120.0)
    assert night.run() == ExitCode.REGRESSION


def test_a_run_that_cannot_be_read_is_told_of_and_no_reason_to_fail(night: Night) -> None:
    (make.stored(paths.RESULTS, LAST_NIGHT).folder / "results.jsonl").write_text("nonsense\n")
    assert night.run() == ExitCode.GOOD
    assert re.search(r"not in the history: .*is damaged: results\.jsonl:1: ", night.log)


def test_a_kernel_that_does_not_build_is_in_log_and_summary(night: Night, summary: Path) -> None:
    def fails(_: Selection) -> Plan:
        print("build: compiling")
        raise BuildError("mm/vmalloc.c does not compile; see build.log.")

    night.parts = msgspec.structs.replace(night.parts, build=fails)
    with pytest.raises(BuildError):
        night.run()
    log = paths.RESULTS / "latest" / LOG
    assert (log.parent / "summary.json").is_file()
    logged = log.read_text()
    assert "build: compiling\n" in logged
    assert logged.endswith("kernel-patch-rig: mm/vmalloc.c does not compile; see build.log.\n")
    page = summary.read_text()
    assert page.startswith("earlier\n## Nightly run: the rig failed, or the run is not complete (exit code 1)\n\n")
    assert page.endswith("\n\nmm/vmalloc.c does not compile; see build.log.\n")
    print("later")
    assert "later" not in log.read_text()


def test_what_the_host_lacks_is_told_in_a_sentence(night: Night, summary: Path) -> None:
    def ends(_: Plan, wanted: Selection, command: str) -> Outcome:
        raise RuntimeError("can't start new thread")

    night.parts = msgspec.structs.replace(night.parts, test=ends)
    with pytest.raises(RuntimeError):
        night.run()
    assert "ulimit -u" in summary.read_text()


@pytest.mark.parametrize("error", [KeyboardInterrupt, ZeroDivisionError])
def test_what_nobody_expected_is_logged_with_its_trace(night: Night, summary: Path, error: type[BaseException]) -> None:
    def ends(_: Plan, wanted: Selection, command: str) -> Outcome:
        raise error

    night.parts = msgspec.structs.replace(night.parts, test=ends)
    with pytest.raises(error):
        night.run()
    logged = (paths.RESULTS / LOG).read_text()
    assert "Traceback" in logged
    assert error.__name__ in logged
    assert f"It ended with {error.__name__}." in summary.read_text()


def test_a_report_is_not_lost_when_the_history_fails_after_it(night: Night, summary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise RigError("history.sqlite cannot be used: database or disk is full.")

    monkeypatch.setattr(History, "store", full)
    with pytest.raises(RigError):
        night.run()
    page = summary.read_text()
    assert "exit code 1)\n\nhistory.sqlite cannot be used: database or disk is full.\n\n# Report of" in page
    assert "disk is full" in night.log


def test_a_night_is_stored_once(night: Night, monkeypatch: pytest.MonkeyPatch) -> None:
    stored = []
    store = History.store

    def counted(history: History, run: Run) -> None:
        stored.append(run.folder.name)
        store(history, run)

    monkeypatch.setattr(History, "store", counted)
    night.run()
    assert stored == [TONIGHT]


def test_a_night_that_was_not_stored_is_taken_up(night: Night) -> None:
    night.keep = lambda _: "The history was busy."
    assert night.run() == ExitCode.GOOD
    with archive.opened() as history:
        assert history.samples(TONIGHT) == night.samples


def test_a_history_that_cannot_be_used_ends_the_night_before_it_begins(night: Night) -> None:
    paths.RESULTS.mkdir()
    (paths.RESULTS / "history.sqlite").write_text("not a database, but long enough to have been one once upon a time " * 20)
    with pytest.raises(RigError, match=r"history\.sqlite is damaged"):
        night.run()
    assert not night.seen


def audit(difference: Difference | None = None) -> Audit:
    """Return what the audit of stock found."""
    compared = (Compared("image", "/cache/kernels/1/image", difference, remove=("/cache/kernels/1",)), Compared("vmlinux", "/v"))
    return Audit("x86_64/stock/perf", "1" * 16, "2", "2026-01-03T04:05:06+00:00", "here", 200.0, compared)


def audited(night: Night, found: Audit | Exception) -> None:
    """Have the night make an audit that finds this, after its tests."""

    def made(_: Plan, wanted: Selection) -> Audit:
        assert wanted.jobs == 3
        assert (paths.RESULTS / TONIGHT / LOG).exists()
        night.seen.append("audited")
        if isinstance(found, Exception):
            raise found
        return found

    night.parts = msgspec.structs.replace(night.parts, audit=made)


def test_a_night_audits_a_cell_after_its_tests(night: Night, summary: Path) -> None:
    audited(night, audit())
    assert night.run() == ExitCode.GOOD
    assert night.seen[-1] == "audited"
    assert "Audit of x86_64/stock/perf: same.\n" in night.log
    assert "\n\nAudit of x86_64/stock/perf: same.\n\n# Report of" in summary.read_text()


def test_what_an_audit_finds_fails_the_rig(night: Night, summary: Path) -> None:
    baseline(measured(100.0))
    night.samples = measured(120.0)
    audited(night, audit(Difference(16, "byte 0x10", "00", "01")))
    assert night.run() == ExitCode.RIG_FAILED
    page = summary.read_text()
    assert "the rig failed, or the run is not complete (exit code 1)" in page
    for said in (page, night.log):
        assert "REGRESSION: x86_64/stock/perf" in said
        assert "AUDIT of x86_64/stock/perf: differs in image." in said
        assert "image: byte 0x10: 00 in the cache, 01 built again; vmlinux is the same: the cached image was not made" in said
        assert (
            "Do not trust what was tested with /cache/kernels/1: remove /cache/kernels/1; build, audit, and run the tests again."
            in said
        )


@pytest.mark.parametrize("error", [BuildError("It does not build."), OSError(28, "No space left on device")])
def test_an_audit_that_cannot_be_made_fails_the_rig_and_loses_nothing(night: Night, summary: Path, error: Exception) -> None:
    audited(night, error)
    assert night.run() == ExitCode.RIG_FAILED
    assert f"AUDIT: it could not be made: {error}" in night.log
    page = summary.read_text()
    assert f"AUDIT: it could not be made: {error}" in page
    assert "No regressions" in page
    assert page.endswith(f"# Report of {TONIGHT}\n")


def test_two_nights_at_once_are_one_too_many(night: Night) -> None:
    paths.RESULTS.mkdir()
    with filelock.FileLock(paths.RESULTS / ".nightly.lock"), pytest.raises(UsageError, match="A nightly run is under way"):
        night.run()
    assert not night.seen
    assert night.run() == ExitCode.GOOD


class Up:
    """A VM that somebody left up."""

    state = type("State", (), {"cell": "aarch64/stock/perf"})

    def __init__(self, seen: list[object]) -> None:
        self._seen = seen

    def stop(self) -> None:
        self._seen.append("stopped")


def test_no_vm_from_before_is_used(night: Night) -> None:
    def running() -> Iterator[Any]:
        yield Up(night.seen)

    night.parts = msgspec.structs.replace(
        night.parts,
        running=running,
        sweep=lambda: night.seen.append("swept"),
        stop_own=lambda: night.seen.append("own stopped"),
    )
    night.run()
    assert night.seen[:2] == ["swept", "stopped"]
    assert isinstance(night.seen[2], Selection)
    assert night.seen[-1] == "own stopped"
    assert "taking down aarch64/stock/perf, which was left up" in night.log


def test_a_mistyped_option_takes_nothing_down(night: Night) -> None:
    night.parts = msgspec.structs.replace(night.parts, running=lambda: [Up(night.seen)])
    with pytest.raises(UsageError, match="There is no machine 'x86'"):
        nightly.run(Selection(machine="x86"), "invoke nightly", night.parts)
    assert not night.seen


@pytest.mark.parametrize(
    ("wanted", "series", "variants"),
    [
        (Selection(), ["gap-tree"], ""),
        (Selection(), ["gap-tree", "other"], "stock,gap-tree,other"),
        (Selection(variant="stock"), ["free-list", "other"], "stock"),
        (Selection(series="mine"), ["free-list", "other"], ""),
        (Selection(kernel="6.1"), [], ""),
    ],
)
def test_every_series_is_tested(wanted: Selection, series: list[str], variants: str) -> None:
    assert nightly.everything(wanted, lambda _: series).variant == variants


def test_series_of_a_neighbour_are_not_tested_on_a_source_of_another_release(kernel_source: Path) -> None:
    makefile = kernel_source / "Makefile"
    assert nightly.everything(Selection(source=str(kernel_source)), lambda _: ["one", "two"]).variant == "stock,one,two"
    makefile.write_text(makefile.read_text().replace("PATCHLEVEL = 18", "PATCHLEVEL = 19"))
    assert nightly.everything(Selection(source=str(kernel_source)), lambda _: ["one", "two"]).variant == ""


def test_a_night_builds_every_profile_but_those_that_are_only_looked_into() -> None:
    assert nightly.everything(Selection()).profile == "perf,debug,latency"
    assert nightly.everything(Selection(profile="trace")).profile == "trace", "unless it is told to"


def test_a_summary_stays_within_what_github_takes(tmp_path: Path) -> None:
    file = tmp_path / "summary.md"
    nightly.summarise("ü" * (1 << 20), str(file))
    assert file.stat().st_size <= 1 << 20
    assert file.read_text().endswith("the report has all of it.)\n")


def test_no_summary_is_written_where_none_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    nightly.summarise("page", "")
    assert not list(tmp_path.iterdir())
    with pytest.raises(RigError, match=r"none/summary\.md, .*GITHUB_STEP_SUMMARY.* No such file"):
        nightly.summarise("page", str(tmp_path / "none/summary.md"))


def test_what_others_wrote_is_text_in_the_summary(night: Night, summary: Path) -> None:
    def failing(_: Selection) -> Plan:
        raise RigError("0001-<img src=x onerror=alert(1)>.patch by @torvalds does not apply")

    night.parts = msgspec.structs.replace(night.parts, build=failing)
    with pytest.raises(RigError):
        night.run()
    assert "\n0001-\\<img src=x onerror=alert(1)>.patch by `@torvalds` does not apply\n" in summary.read_text()
