# SPDX-License-Identifier: GPL-2.0-only
"""The end of a run on a terminal."""

from __future__ import annotations

import io
import re
from pathlib import Path

import msgspec
import pytest
from rich.console import Console

from harness.model.foreign import Foreign
from harness.model.records import SPACE
from harness.report import terminal
from harness.stats import growth
from harness.stats.outcome import Outcome
from tests.support import content, make
from tests.support.screen import on_terminal


def test_the_terminal_repeats_a_finding_by_one_command_and_lists_what_is_dismissed() -> None:
    ours = msgspec.structs.replace(make.finding(kind="kasan"), dismissed="2026-11-27: ours")
    told = on_terminal(terminal.findings(make.provenance(), [make.finding(), make.finding(variant="mine"), ours]))
    assert told.count("FINDING: ") == told.count("[8d79b1a7]") == 2
    assert told.count("again:\n      invoke test --machine x86_64 --variant stock --profile perf \\\n") == told.count("again:") == 1
    assert "dismissed 2026-11-27: ours (stock on x86_64: kasan: " in told
    assert "Causes of findings: 1 dismissed." in on_terminal(terminal.summary(make.provenance(), [], [ours], []))
    assert on_terminal(terminal.findings(make.provenance(), [])) == ""


def test_the_terminal_has_a_line_for_each_machine() -> None:
    run = make.provenance(machines={"aarch64": "", "x86_64": ""})
    outcome = Outcome(Path("/run"), (content.comparison(),), (), (make.result(),), run)
    lines = on_terminal(terminal.machines(outcome, ())).splitlines()
    assert [line.partition(":")[0] for line in lines] == ["aarch64", "x86_64"]
    assert lines[1].strip() == "x86_64: faster: le_fit_alloc_test (-50.0 %); no unexpected finding."


def test_the_terminal_has_headlines_the_matrix_and_an_excerpt() -> None:
    made = content.broken()
    outcome = Outcome(Path("/run"), made.comparisons, made.findings, made.results, made.provenance, steps=made.steps)
    heads = on_terminal(terminal.headlines(outcome))
    assert heads.splitlines()[0].strip() == "my-series@1: SAME - 1 test the same"
    assert f"my-series: {content.BROKEN}" in heads
    assert " ".join(heads.split()).endswith(content.FIRST_BAD)
    told = on_terminal(terminal.patches(outcome))
    assert re.search(r"le_fit_alloc_test +\+0\.00 % same +\+0\.00 % same +\+14\.0 % slower \(R\)", told)
    assert re.search(r"exact_hole_test +ok +FAILED +FAILED as before", told)
    summed = on_terminal(terminal.findings(made.provenance, made.findings))
    assert summed.count(content.BUG) == 1, "what a later patch shows too is not quoted again"
    assert "line 6" in summed
    assert "line 7" not in summed
    coloured = io.StringIO()
    Console(file=coloured, width=200, force_terminal=True, color_system="standard").print(terminal.headlines(outcome))
    assert "\x1b[1;31mBROKEN" in coloured.getvalue()


def test_the_terminals_table_has_unit_spread_count_and_interval() -> None:
    shown = on_terminal(terminal.comparison([content.comparison(), content.comparison(verdict="undecided", more=3)]))
    for words in (
        "x86_64, perf, icount: median instructions/op ±spread, samples / boots 6 / 3",
        "5,120 ±0.2 %",
        "-50.0 %",
        "-50.5 to -49.5",
        "faster",
        "undecided, +3 boots",
        "mine",
    ):
        assert words in shown


def test_the_terminal_has_a_table_for_each_unit() -> None:
    space = content.slower(test="churn_space_test", baseline=content.summary(*[(1187.0,)] * 3, unit=SPACE))
    shown = on_terminal(terminal.comparison([content.comparison(), space]))
    assert shown.index("median instructions/op") < shown.index("faster") < shown.index(f"median {SPACE}") < shown.index("larger")


def test_a_verdict_keeps_to_its_line_on_110_columns() -> None:
    swings = content.comparison(
        test="long_busy_list_alloc_test",
        baseline=content.summary((112345.0,), (612345.0,), (1112345.0,)),
        measured=content.summary((22345.0,), (412345.0,), (1112345.0,)),
        interval=(0.001, 98.7),
        verdict="undecided",
        more=771,
    )
    lines = on_terminal(terminal.comparison([swings, content.comparison()]), width=110).splitlines()
    (line,) = (line for line in lines if "long_busy_list_alloc_test" in line)
    assert line.split("  ")[1:] == ["612,345 ±82 %", "412,345 ±132 %", "-50.0 %", "-99.9 to +9770", "undecided, +771 boots "]


def words_of(shown: str) -> set[str]:
    return set(shown.split())


@pytest.mark.parametrize("width", [80, 100, 120])
def test_no_table_breaks_a_word(width: int) -> None:
    swings = content.comparison(
        test="long_busy_list_alloc_test",
        variant="free-list",
        baseline=content.summary((112345.0,), (612345.0,), (1112345.0,)),
        interval=(0.001, 98.7),
        verdict="undecided",
        more=771,
    )
    shown = on_terminal(terminal.comparison([swings]), width=width)
    assert max(map(len, shown.splitlines())) <= width
    wanted = {"free-list", "612,345", "±82", "2,560", "+9770", "-99.9", "undecided,", "boots", "verdict"}
    assert wanted <= words_of(shown)
    assert "long_busy_list" in shown
    assert "±82 %" in shown
    grown = on_terminal(terminal.growth(growth.fit(content.points(workload="sweep_free_merge", variant="free-list"))), width=width)
    assert max(map(len, grown.splitlines())) <= width
    assert {"free-list", "50,000", "25,000", "exponent", "linear"} <= words_of(grown)
    assert "free_merge" in grown
    bugs = on_terminal(terminal.summary(make.provenance(), (), (make.leak(),), make.known_results()), width=width)
    assert {"md_blocks", "seen:", "fixed"} <= words_of(bugs)


def test_a_table_that_fits_nowhere_loses_nothing() -> None:
    shown = on_terminal(terminal.comparison([content.comparison(variant="a_very_long_name_of_a_series")]), width=30)
    assert "…" not in shown


def test_a_known_bug_is_told_once_on_the_terminal() -> None:
    told = on_terminal(terminal.summary(make.provenance(), (), (make.leak(),), make.known_results()))
    assert told.count("md_blocks are left") == 1
    assert "1 known bug seen" in told


def test_the_terminals_table_of_stock_alone_has_no_other_columns() -> None:
    shown = on_terminal(terminal.comparison([content.comparison(variant="", measured=None, ratio=None, interval=None)]))
    assert "5,120 ±0.2 %" in shown
    assert "change" not in shown


def test_the_terminal_sums_up() -> None:
    worse = [content.slower(), content.slower(2.0), content.comparison(verdict="undecided")]
    results = [make.result(), make.result("xfailed"), make.result("failed"), make.result("error", reason="QEMU did not start")]
    findings = [make.finding(), make.finding(expected="an overflow")]
    shown = on_terminal(terminal.summary(make.provenance(notes=("a note",)), worse, findings, results))
    for words in (
        "note: a note",
        "Causes of findings: 1 unexpected.",
        "RIG FAILED: x86_64/stock/perf le_fit_alloc_test: QEMU did not start",
        "1 passed, 1 known bug seen, 1 failed, 1 rig failure",
        "Regressions: 1 past the threshold of 5 %. Undecided: 1.",
    ):
        assert words in shown
    alone = content.comparison(variant="", measured=None, ratio=None, interval=None)
    assert "Stock only: nothing was compared" in on_terminal(terminal.summary(make.provenance(stock_only=True), [alone], [], []))
    assert "No performance test was timed." in on_terminal(terminal.summary(make.provenance(), [], [], []))
    foreign = make.provenance(module=Foreign("mine", "ab" * 32))
    assert "The module printed no times." in on_terminal(terminal.summary(foreign, [], [], []))
    assert "Regressions: none." in on_terminal(terminal.summary(make.provenance(), [content.comparison()], [], []))


def test_a_guest_does_not_steer_the_terminal() -> None:
    run, evil = (
        make.provenance(command=content.EVIL),
        [make.finding(title=content.EVIL), make.finding(kind="other", title=content.EVIL, expected=content.EVIL)],
    )
    dismissed = msgspec.structs.replace(evil[0], dismissed=content.EVIL)
    shown = on_terminal(
        terminal.findings(run, evil[:1]),
        terminal.findings(run, [dismissed]),
        terminal.summary(run, [], evil[:1], [make.result("error", reason=content.EVIL)]),
        terminal=True,
    )
    assert shown.count("[bold]x[/y]") == 4, "it is not taken for markup either"
    assert "\x1b" not in shown
    assert "\x07" not in shown


def test_a_regression_stands_out_on_the_terminal() -> None:
    file = io.StringIO()
    console = Console(file=file, width=200, force_terminal=True, color_system="standard")
    console.print(terminal.comparison([content.slower(test="bad_test"), content.slower(2, test="slow_test")]))
    bad, slow = (line for line in file.getvalue().splitlines() if "_test" in line)
    assert "\x1b[1;31m" in bad
    assert "\x1b[1;31m" not in slow
