# SPDX-License-Identifier: GPL-2.0-only
"""A night from its first line to its verdict, with records in the place of kernels."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

from harness import paths
from harness.model.run_folder import Run
from harness.model.selection import Selection, Where
from harness.runs import history as archive
from harness.runs.retention import LOG
from harness.stats import compare
from harness.stats.outcome import ExitCode, Outcome
from tests.support.night import LAST_NIGHT, TONIGHT, Night, baseline, concluded, measured


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


def test_a_baseline_whose_folder_is_gone_is_still_the_measure(night: Night) -> None:
    baseline(measured(100.0))
    (paths.RESULTS / LAST_NIGHT).rename(paths.RESULTS.with_name("gone"))
    night.samples = measured(120.0)
    assert night.run() == ExitCode.REGRESSION
