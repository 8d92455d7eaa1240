# SPDX-License-Identifier: GPL-2.0-only
"""How the history is shown: what repeats is drawn flat, what moved is seen, and nothing in a name steers anything."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import RenderableType

from harness.model.clock import Clock
from harness.report import level_steps, trend
from harness.runs.history_store import History
from harness.stats.trend import RunRow, Trend
from tests.support import make
from tests.support.page import Page
from tests.support.screen import on_terminal

EVIL = "\x1b[31m<script>alert(1)</script>[bold]"


@pytest.fixture
def history(tmp_path: Path) -> Iterator[History]:
    with History(tmp_path / "history.sqlite") as opened:
        yield opened


def night(history: History, folder: Path, day: int, stock: float, mine: float, **provenance: object) -> str:
    """Store a run of that day of January in which stock and the series cost this, in two boots."""
    name = f"202601{day:02}-030405-abcd"
    samples = [
        make.sample(value * factor, variant=variant, boot=boot)
        for variant, value in (("stock", stock), ("mine", mine))
        for boot, factor in enumerate((1.0, 1.002))
    ]
    history.store(make.stored(folder, name, samples, **provenance))
    return name


@pytest.fixture
def week(history: History, tmp_path: Path) -> tuple[list[RunRow], list[Trend]]:
    """Seven nights, the first the baseline; the series gets 20 % slower in the fifth."""
    for day in range(1, 8):
        night(history, tmp_path, day, 1000.0, 500.0 if day < 5 else 600.0)
    history.set_baseline("20260101-030405-abcd")
    return history.runs(), history.trend()


def shown(what: RenderableType) -> str:
    return on_terminal(what, terminal=True, width=140)


@pytest.mark.parametrize(
    ("values", "drawn"),
    [
        ([1.0, 2.0, 3.0], "▁▄▇"),
        ([100.0], "▄"),
        ([100.0, 100.0, 100.0], "▄▄▄"),
        ([100.0, 100.1, 99.9], "▄▄▄"),
        ([100.0, 100.0, 105.0], "▁▁▇"),
        ([0.0, 0.0], "▁▁"),
    ],
)
def test_a_sparkline_shows_what_moved_and_no_noise(values: list[float], drawn: str) -> None:
    assert trend.sparkline(values) == drawn


def test_the_terminal_shows_where_it_moved(week: tuple[list[RunRow], list[Trend]]) -> None:
    lines = shown(trend.terminal(week[1])).splitlines()
    assert lines[0].strip() == "x86_64, icount, Linux 4.18, scale quick, instructions/op: median ±spread"
    (stock,) = [line.split() for line in lines if " stock " in line]
    (mine,) = [line.split() for line in lines if " mine " in line]
    assert stock == ["le_fit_alloc_test", "stock", "▄▄▄▄▄▄▄", "1,001", "±0.1", "%", "+0.00", "%", "+0.00", "%"]
    assert mine == ["le_fit_alloc_test", "mine", "▁▁▁▁▇▇▇", "601", "±0.1", "%", "+0.00", "%", "+20.0", "%"]
    assert (
        "A change with a plus is an increase of cost, one with a minus a saving. Changes here are of medians alone"
        in lines[-1] + lines[-2]
    )


def test_other_profiles_are_named(history: History, tmp_path: Path) -> None:
    history.store(make.stored(tmp_path, samples=[make.sample(), make.sample(profile="debug")]))
    seen = shown(trend.terminal(history.trend()))
    assert "stock/debug" in seen
    assert "stock/perf" not in seen


def test_runs_are_listed_with_what_became_of_them(history: History, tmp_path: Path) -> None:
    first = night(history, tmp_path, 1, 1.0, 1.0)
    history.set_baseline(first)
    run = make.stored(tmp_path, "20260102-030405-abcd", planned=5)
    run.add([make.result("error", boot=1), make.result("xfailed", boot=2)])
    run.add([make.finding()])
    history.store(run)
    seen = shown(trend.runs(history.runs()))
    assert re.search(rf"{first} \(baseline\) +4\.18\.0 +quick +icount +1 passed", seen)
    assert re.search(r"1 passed, 1 known bug seen, 1 rig failure, 2 missing, 1 unexpected finding\s", seen)


def test_runs_whose_kernels_are_not_proven_are_marked(history: History, tmp_path: Path) -> None:
    night(history, tmp_path, 1, 1.0, 1.0, proven=False)
    assert trend.UNPROVEN in Page(trend.page(history.runs(), [])).text
    night(history, tmp_path, 2, 1.0, 1.0)
    seen = shown(trend.runs(history.runs()))
    assert re.search(r"20260101-030405-abcd .* 1 passed, kernels not proven\s", seen)
    assert not re.search(r"20260102-030405-abcd .* not proven", seen)
    assert "Kernels are not proven if" in seen


def test_only_the_last_runs_are_listed(history: History, tmp_path: Path) -> None:
    for minute in range(40):
        history.store(make.stored(tmp_path, f"20260101-03{minute:02}05-abcd"))
    seen = shown(trend.runs(history.runs()))
    assert "40 runs, the last 30" in seen
    assert "20260101-030905-abcd" not in seen
    assert "20260101-031005-abcd" in seen


def test_steps_are_told_with_the_runs_around_them(history: History, tmp_path: Path) -> None:
    for day in range(1, 11):
        night(history, tmp_path, day, 1000.0, 500.0 if day < 6 else 600.0)
    seen = shown(level_steps.terminal(history.trend()))
    assert "1 step, newest first." in seen
    lines = [line.split() for line in seen.splitlines()]
    assert ["20260105-030405-abcd", "le_fit_alloc_test", "500", "601", "+20.0", "%"] in lines
    assert any(line[:2] == ["20260106-030405-abcd", "mine,"] and line[-4:] == ["5", "runs", "5", "runs"] for line in lines)
    assert "Here a plus means that it costs more since then." in " ".join(seen.split())
    page = Page(trend.page(history.runs(), history.trend()))
    assert "1 step, newest first." in page.text
    assert (
        page.text.index("20260105-030405-abcd") < page.text.index("20260106-030405-abcd") < page.text.index("20260107-030405-abcd")
    )
    assert "+20.0 %" in page.text


@pytest.mark.parametrize(("level", "lines"), [(500.0, 0), (600.0, 1), (400.0, 1)])
def test_a_step_is_marked_in_its_plot(history: History, tmp_path: Path, level: float, lines: int) -> None:
    for day in range(1, 11):
        night(history, tmp_path, day, 1000.0, 500.0 if day < 6 else level)
    assert trend.page(history.runs(), history.trend()).count("stroke-dasharray: 4,1.6") == lines


@pytest.mark.parametrize(
    ("nights", "said"),
    [(0, ""), (5, "No trend has 6 runs yet; fewer are too few to tell a step from noise."), (6, "No step.")],
)
def test_a_history_without_steps_says_whether_it_could_have_some(history: History, tmp_path: Path, nights: int, said: str) -> None:
    for day in range(1, nights + 1):
        night(history, tmp_path, day, 1000.0, 500.0)
    assert " ".join(shown(level_steps.terminal(history.trend())).split()) == said


def test_trends_that_are_too_short_are_counted(history: History, tmp_path: Path) -> None:
    for day in range(1, 7):
        night(history, tmp_path, day, 1000.0, 500.0)
    history.store(make.stored(tmp_path, "20260107-030405-abcd", [make.sample(variant="new")]))
    seen = shown(level_steps.terminal(history.trend()))
    assert seen.strip() == "No step; 1 of 3 trends have fewer than 6 runs, too few to tell."


def test_no_more_steps_than_a_screen_holds_are_on_the_terminal(history: History, tmp_path: Path) -> None:
    for day in range(1, 11):
        samples = [make.sample(500.0 if day < 6 else 600.0, test=f"test_{number}") for number in range(12)]
        history.store(make.stored(tmp_path, f"202601{day:02}-030405-abcd", samples))
    seen = shown(level_steps.terminal(history.trend()))
    assert "12 steps, newest first. The first 10 are here, all are on the page." in seen
    assert seen.count("+20.0 %") == 10
    assert trend.page(history.runs(), history.trend()).count("+20.0 %") == 12


def test_an_empty_history_says_so() -> None:
    assert "The history has no figures yet." in shown(trend.terminal([]))
    assert "0 runs" in shown(trend.runs([]))
    assert "No run has figures yet." in Page(trend.page([], [])).text


def test_the_page_shows_figures_plots_and_runs(week: tuple[list[RunRow], list[Trend]]) -> None:
    page = Page(trend.page(*week))
    for words in (
        "History of 7 runs",
        "le_fit_alloc_test",
        "601 ±0.1 %",
        "+20.0 %",
        "20260101-030405-abcd (baseline)",
        "2026-01-07",
    ):
        assert words in page.text
    (plot,) = [attributes for tag, attributes in page.elements if tag == "svg"]
    assert "from run to run" in str(plot["aria-label"])
    assert page.text.index("20260107-030405-abcd") < page.text.index("20260106-030405-abcd"), "the newest run comes first"


def test_the_page_needs_no_network_and_no_script(week: tuple[list[RunRow], list[Trend]]) -> None:
    page = trend.page(*week)
    assert "default-src 'none'" in page
    for tag, attributes in Page(page).elements:
        assert tag not in ("script", "link", "img", "iframe")
        for name in ("href", "src", "xlink:href"):
            assert (attributes.get(name) or "#").startswith("#")


def test_plots_have_the_pages_colours(week: tuple[list[RunRow], list[Trend]]) -> None:
    drawn = re.findall(r"<svg.*?</svg>", trend.page(*week), re.DOTALL)[0]
    assert "var(--v0)" in drawn
    assert "var(--v1)" in drawn
    assert not re.search(r"#[0-9a-f]{6}\b(?!\))", re.sub(r'(href="|url\()#\w+', "", drawn)), "a fixed colour is dark on dark"


def test_a_page_made_again_is_the_same(week: tuple[list[RunRow], list[Trend]]) -> None:
    assert trend.page(*week) == trend.page(*week)


def test_clocks_and_amounts_of_work_are_never_drawn_together(history: History, tmp_path: Path) -> None:
    night(history, tmp_path, 1, 100.0, 50.0)
    night(history, tmp_path, 2, 100.0, 50.0, scale="default")
    walled = [make.sample(7.0, clock=Clock.WALL, unit="ns/op")]
    history.store(make.stored(tmp_path, "20260103-030405-abcd", walled))
    page = Page(trend.page(history.runs(), history.trend()))
    assert page.tags.count("svg") == 3
    for title in ("icount, Linux 4.18, scale default", "icount, Linux 4.18, scale quick", "wall, Linux 4.18, scale quick, ns/op"):
        assert title in page.text


def test_a_figure_that_swings_by_far_can_be_drawn(history: History, tmp_path: Path) -> None:
    night(history, tmp_path, 1, 1.0, 50000.0)
    night(history, tmp_path, 2, 0.0, 1.0)
    page = Page(trend.page(history.runs(), history.trend()))
    assert "le_fit_alloc_test" in page.text
    assert "-" in trend.changes(history.trend()[0])[1]


def test_names_steer_neither_page_nor_terminal(history: History, tmp_path: Path) -> None:
    samples = [make.sample(variant=EVIL, test=EVIL)]
    history.store(make.stored(tmp_path, samples=samples, host=EVIL, version=EVIL))
    page = trend.page(history.runs(), history.trend())
    assert "script" not in Page(page).tags
    assert "\x1b" not in page
    seen = shown(trend.terminal(history.trend())) + shown(trend.runs(history.runs()))
    seen += shown(level_steps.terminal(history.trend()))
    assert "\x1b[31m" not in seen
    assert seen.count("[bold]") >= 2, "it is not taken for markup either"
