# SPDX-License-Identifier: GPL-2.0-only
"""The drawings of a report: what they show, in the page's colours, the same each time."""

from __future__ import annotations

import itertools
import re
import warnings
from collections.abc import Callable
from xml.etree import ElementTree

import pytest

from harness.model.clock import Clock
from harness.model.records import Point
from harness.report import svg
from harness.report.plots import canvas, distributions, latency, memory, publication, sections
from harness.report.plots import growth as growths
from harness.report.plots import soak as soak_plot
from harness.report.plots.canvas import Palette
from harness.stats import growth, published
from tests.support import content

PALETTE = Palette(("stock", "mine", "other"))
XLINK = "{http://www.w3.org/1999/xlink}href"


def drawn(plot: str | None) -> ElementTree.Element:
    """Return a drawing as a browser would read it, which knows the prefix xlink in a page of HTML."""
    assert plot is not None
    return ElementTree.fromstring(plot.replace("<svg ", '<svg xmlns:xlink="http://www.w3.org/1999/xlink" ', 1))


def words(plot: str | None) -> list[str]:
    return ["".join(text.itertext()) for text in drawn(plot).iter("text")]


def dots(plot: str | None, colour: str) -> list[tuple[float, float]]:
    """Return where the dots of a colour stand, in pixels from the left and the top."""
    found = []
    for group in drawn(plot).iter("g"):
        uses = [use for use in group.findall("use") if f"fill: {colour}" in use.get("style", "") and group.get("clip-path")]
        found += [(float(use.get("x", "")), float(use.get("y", ""))) for use in uses]
    return found


def grown(*points: Point) -> str | None:
    return growths.plot(growth.fit(points), PALETTE, "g", "h")


def distribution() -> str | None:
    return distributions.plot([content.comparison()], PALETTE, "d", "h")


def curve(name: str = "l") -> str | None:
    curves = {"a_test": {"stock": [(50.0, 5100.0), (99.0, 5200.0), (99.95, 90210.0)], "mine": [(50.0, 2000.0), (99.95, 2100.0)]}}
    return latency.plot(curves, "instructions", PALETTE, name, "h")


def bars(clock: Clock = Clock.ICOUNT, *microseconds: float) -> str | None:
    return sections.plot([content.section(clock=clock, microseconds=m) for m in microseconds or (2000.0,)], PALETTE, "s", "h")


def over_time(*seconds: int, **other: int) -> str | None:
    looks = [content.look("during", t, values={"areas": t, "lazy": 7, "slab:x": t, **other}) for t in seconds]
    return memory.plot(looks, PALETTE, "m", "h")


def beside() -> str | None:
    return publication.plot(published.beside(published.load(), [content.comparison()], "quick"), PALETTE, "p")


ALL: dict[str, Callable[[], str | None]] = {
    "distributions": distribution,
    "latency": curve,
    "sections": bars,
    "growth": lambda: grown(*content.points()),
    "memory": lambda: over_time(0, 1, 2),
    "publication": beside,
}


@pytest.mark.parametrize("made", ALL.values(), ids=list(ALL))
def test_a_drawing_fits_into_a_page(made: Callable[[], str | None]) -> None:
    plot = made()
    assert plot is not None
    tree = drawn(plot)
    assert tree.tag == "svg"
    assert tree.get("role") == "img"
    assert tree.get("aria-label")
    assert "#0102" not in plot, "every colour is the page's"
    assert "currentColor" in plot
    assert not re.search(r"(?:fill|stroke): #", plot)
    assert "DejaVu" not in plot
    assert "<style" not in plot
    assert "http" not in plot
    ids = {element.get("id") for element in tree.iter() if element.get("id")}
    assert {use.get(XLINK, "")[1:] for use in tree.iter("use")} <= ids
    assert set(re.findall(r"url\(#([^)]*)\)", plot)) <= ids
    assert made() == plot, "it is the same each time"


def test_two_drawings_in_a_page_share_no_ids() -> None:
    ids = [{e.get("id") for e in drawn(curve(name)).iter() if e.get("id")} for name in ("one", "two")]
    assert ids[0]
    assert not ids[0] & ids[1]


def test_every_sample_is_a_dot() -> None:
    item = content.comparison(baseline=content.summary((1.0, 2.0, 3.0), (1.0,), (5.0, 4.0)))
    plot = distributions.plot([item], PALETTE, "d", "h")
    stock = dots(plot, "var(--v0)")
    assert len(stock) == 6
    assert len(dots(plot, "var(--v1)")) == 6
    across = [x for x, _ in stock]
    assert across == sorted(across), "boots stand side by side, in their order"
    assert {"stock", "mine", "le_fit_alloc_test"} <= set(words(plot))


def test_stock_is_drawn_once_beside_all_its_variants() -> None:
    plot = distributions.plot([content.comparison(), content.comparison(variant="other")], PALETTE, "d", "h")
    assert len(dots(plot, "var(--v0)")) == 6
    assert len(dots(plot, "var(--v2)")) == 6


def test_an_axis_of_samples_that_hardly_differ_does_not_blow_them_up() -> None:
    low, high = canvas.bounds([1000.0, 1000.1])
    assert (low, high) == pytest.approx((990, 1010), abs=0.1)
    assert canvas.bounds([0.0, 100.0]) == (-8.0, 108.0)


def test_samples_of_many_sizes_are_drawn_logarithmically() -> None:
    spread = content.summary((100.0, 1000.0, 10000.0))
    ys = [y for _, y in dots(distributions.plot([content.comparison(baseline=spread)], PALETTE, "d", "h"), "var(--v0)")]
    assert ys[0] - ys[1] == pytest.approx(ys[1] - ys[2], abs=0.3)


def test_both_kinds_of_axis_hold_all_values() -> None:
    with svg.drawing():
        _, (narrow, wide) = svg.facets(["a", "b"], columns=2)
        canvas.fitting(narrow.yaxis, [100.0, 200.0])
        canvas.fitting(wide.xaxis, [1.0, 700.0])
    assert (narrow.get_yscale(), wide.get_xscale(), wide.get_yscale()) == ("linear", "log", "linear")
    assert narrow.get_ylim() == (92.0, 208.0)
    assert wide.get_xlim() == pytest.approx((1 / 1.2, 840))


@pytest.mark.parametrize("samples", [(0.0,), (5.0,), (-1.0, 1.0), (1e-9, 1e12)])
def test_odd_samples_are_drawn(samples: tuple[float, ...]) -> None:
    assert distributions.plot([content.comparison(baseline=content.summary(samples))], PALETTE, "d", "h")


def test_a_latency_curve_ends_with_the_longest() -> None:
    assert {"50", "90", "99", "99.9", "percentile", "instructions", "stock", "mine"} <= set(words(curve()))
    ((x, y),) = dots(curve(), "var(--v0)")
    ((_, other),) = dots(curve(), "var(--v1)")
    assert y < other, "90,210 stands above 2,100"
    assert x > 250


def test_a_curve_of_thousands_of_buckets_is_thinned_but_keeps_its_end() -> None:
    long = [(100 * (1 - 1 / (2 + n)), 1000.0 + n) for n in range(20000)]
    plot = latency.plot({"a": {"stock": long}}, "ns", PALETTE, "l", "h")
    assert plot is not None
    assert len(plot) < 20_000
    assert len(dots(plot, "var(--v0)")) == 1


def test_sections_have_the_line_of_a_millisecond() -> None:
    assert "1 ms = 500k instructions" in words(bars())
    assert "1M" in words(bars()), "2 ms of the guest's clock are a million instructions"
    wall = words(bars(Clock.WALL))
    assert "1 ms" in wall
    assert "2k" in wall, "2 ms, in microseconds"
    assert "us of the longest stretch with preemption off, log scale" in wall
    assert not any("instructions" in word for word in wall)


def test_only_the_longest_section_of_a_test_is_a_bar() -> None:
    assert "1M" in words(bars(Clock.ICOUNT, 3.0, 2000.0, 4.0))
    assert "2k" not in words(bars(Clock.ICOUNT, 3.0, 2000.0, 4.0))


@pytest.mark.parametrize("microseconds", [0.0, 0.001, 1e9])
def test_odd_sections_are_drawn(microseconds: float) -> None:
    assert bars(Clock.ICOUNT, microseconds)


def test_a_legend_of_growth_has_the_exponent() -> None:
    seen = words(grown(*content.points(), *content.points(variant="mine", workload="none")))
    assert {"stock 1.00 (1.00 to 1.00)", "mine 1.00 (1.00 to 1.00)", "long", "none", "busy areas", "1k", "50k"} <= set(seen)


def test_growth_is_drawn_on_two_logarithmic_axes() -> None:
    places = sorted(set(dots(grown(*(content.point(n, n) for n in (100, 1000, 10000))), "var(--v0)")))
    across, down = zip(*places, strict=True)
    assert across[1] - across[0] == pytest.approx(across[2] - across[1], abs=0.3)
    assert down[1] - down[0] == pytest.approx(down[2] - down[1], abs=0.3)


def test_sizes_and_costs_of_nothing_are_left_out() -> None:
    assert grown(content.point(0, 5.0)) is None
    plot = grown(content.point(0, 5.0), content.point(100, 0.0), content.point(1000, 5.0))
    assert "1k" in words(plot)
    assert "100" not in words(plot)


def test_memory_is_drawn_for_tests_that_were_looked_at_while_they_ran() -> None:
    assert memory.plot([content.look("before", 0), content.look("after", 9)], PALETTE, "m", "h") is None
    seen = words(over_time(0, 1, 2))
    assert "areas" in seen
    assert "long_busy_list_alloc_test" in seen
    assert "lazy" not in seen, "what does not change is not drawn"
    assert "slab:x" not in seen
    assert "instructions" in seen, "seconds under icount are instructions in disguise"


def test_a_second_round_begins_a_second_line() -> None:
    once = [content.look(at, t, values={"areas": 5 * t}) for t, at in enumerate(("before", "during", "after"))]
    single, twice, thrice = (memory.plot(once * times, PALETTE, "m", "h") for times in (1, 2, 3))
    lines = [sum("var(--v0)" in path.get("style", "") for path in drawn(plot).iter("path")) for plot in (single, twice, thrice)]
    assert lines[1] == lines[0] + 1
    assert lines[2] == lines[1], "no more than two"


def test_what_is_large_and_moves_little_is_drawn_from_its_lowest_on() -> None:
    looks = [content.look("during", t, values={"largest_hole": (1 << 45) - (t << 30)}) for t in range(4)]
    seen = words(memory.plot(looks, PALETTE, "m", "h"))
    assert {"largest hole", "32 TiB", "+1 GiB", "+2 GiB"} <= set(seen)


@pytest.mark.parametrize("span", [1 << 12, 3 << 20, 5 << 30])
@pytest.mark.parametrize("base", [0, 7 << 20, 32 << 40])
def test_no_size_on_an_axis_is_negative_and_its_steps_are_round(base: int, span: int) -> None:
    looks = [content.look("during", t, values={"free": base + span * t // 3}) for t in range(4)]
    sizes = [word for word in words(memory.plot(looks, PALETTE, "m", "h")) if re.search(r"B$", word)]
    assert len(sizes) > 1
    assert not [size for size in sizes if size.startswith(("-", "\N{MINUS SIGN}"))]
    steps = [float(size.lstrip("+").split()[0]) for size in sizes[1:]]
    assert all(step == int(step) for step in steps)


@pytest.mark.parametrize(("y", "said"), [(-4096.0, ""), (0.0, "1 MiB"), (4096.0, "+4 KiB")])
def test_a_soaks_axis_says_nothing_below_its_lowest(y: float, said: str) -> None:
    assert soak_plot._tick("SUnreclaim", y, float(1 << 20)) == said


def test_the_publication_has_all_rows_of_both() -> None:
    plot = beside()
    assert len(dots(plot, "currentColor")) == 5
    assert len(dots(plot, "var(--v1)")) == 3
    assert "x86_64 (icount) and i5-3320M" in words(plot)


def test_a_test_of_another_size_is_marked() -> None:
    both = [content.comparison(), content.comparison(test="long_busy_list_alloc_test")]
    for scale, marks in (("quick", 1), ("published", 0)):
        plot = publication.plot(published.beside(published.load(), both, scale), PALETTE, "p")
        assert words(plot).count("(other size)") == marks


def test_nothing_to_draw_gives_no_drawing() -> None:
    empty = content.comparison(baseline=None, measured=None)
    assert distributions.plot([empty], PALETTE, "d", "h") is None
    assert latency.plot({"a": {"stock": []}}, "ns", PALETTE, "l", "h") is None
    assert sections.plot([], PALETTE, "s", "h") is None
    assert growths.plot([], PALETTE, "g", "h") is None
    assert publication.plot([], PALETTE, "p") is None


@pytest.mark.parametrize("said", ["<b>&amp;", "$x_1$", "a\x1b[31m\x07", "名前", "\\frac{", "x" * 300, "%s {0}", "-->", ""])
def test_a_name_is_drawn_as_it_is_said(said: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        seen = words(grown(*content.points(workload=said)))
    assert svg.label(said) in ["", *seen]
    assert len(svg.label(said)) <= 40


def test_variants_beyond_the_colours_are_drawn_too() -> None:
    many = Palette(tuple(f"v{n}" for n in range(15)))
    points = [point for n in range(15) for point in content.points(variant=f"v{n}")]
    assert growths.plot(growth.fit(points), many, "g", "h")
    assert Palette(()).number("unknown") == 0


@pytest.mark.parametrize(
    "names", [("free-list", "fixes"), ("my-series@1", "my-series@2", "my-series", "free-list"), ("x" * 70 + "@1",)]
)
def test_names_below_a_plot_do_not_overlap(names: tuple[str, ...]) -> None:
    """Up to four variants beside stock: neighbours on one line have room, and each name is told apart from the others."""
    items = [content.comparison(variant=name) for name in names]
    made = distributions.plot(items, Palette(("stock", *names)), "d", "h")
    lines: dict[str, list[tuple[float, str]]] = {}
    for text in drawn(made).iter("text"):
        if "middle" in text.get("style", ""):
            lines.setdefault(text.get("y", ""), []).append((float(text.get("x", "")), text.text or ""))
    assert sum(map(len, lines.values())) == len(names) + 1
    for line in lines.values():
        for (left, one), (right, other) in itertools.pairwise(sorted(line)):
            assert right - left >= 6.2 * (len(one) + len(other)) / 2, (one, other)
    shown = [name for line in lines.values() for _, name in line]
    assert len(set(shown)) == len(shown)


def test_a_long_name_is_cut_in_its_middle() -> None:
    assert svg.middle("my-series@2", 11) == "my-series@2"
    assert svg.middle("a-much-longer-series-name@2", 16) == "a-much-..-name@2"
    assert len(svg.middle("x" * 99, 16)) == 16
    assert svg.middle("a\x1bb", 5) == "ab"
    assert len(svg.middle("x" * 99, 1)) <= 5


def test_changes_on_an_axis_have_their_sign() -> None:
    axes = svg.facets([""], columns=1)[1][0]
    axes.set_xlim(-60, 60)
    canvas.linear(axes.xaxis, sign="+")
    tick = axes.xaxis.get_major_formatter()
    assert [tick(at) for at in (-40, 0, 40)] == ["-40", "0", "+40"]
    canvas.linear(axes.xaxis)
    assert axes.xaxis.get_major_formatter()(40) == "40"
