# SPDX-License-Identifier: GPL-2.0-only
"""The forest plot: what it shows of whom, where, and in words."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Any
from xml.etree import ElementTree

import pytest

from harness.report.plots import forest
from harness.stats import geomean
from harness.stats.compare import Comparison
from tests.support import content

MACHINES = ("x86_64", "aarch64")
XMLNS = 'xmlns:xlink="http://www.w3.org/1999/xlink"'


def compared(**changes: float) -> list[Comparison]:
    """Return a comparison of each test on both machines, by its change in per cent."""
    return [
        content.comparison(test=test, machine=machine, ratio=1 + change / 100, interval=(1 + change / 110, 1 + change / 90))
        for machine in MACHINES
        for test, change in changes.items()
    ]


def plot(items: Sequence[Comparison]) -> ElementTree.Element:
    made = forest.plot(items, geomean.means(items), MACHINES, "f")
    assert made is not None
    return ElementTree.fromstring(made.replace("<svg ", f"<svg {XMLNS} ", 1))


def words(drawn: ElementTree.Element) -> list[str]:
    return ["".join(text.itertext()) for text in drawn.iter("text")]


def ticks(drawn: ElementTree.Element) -> list[tuple[float, str]]:
    """Return the middles of the axis' labels, with their words."""
    labels = [text for text in drawn.iter("text") if "middle" in (text.get("style") or "")]
    return sorted((float(text.get("x") or "0"), "".join(text.itertext())) for text in labels)


def test_each_test_is_named_once_with_a_row_for_each_machine() -> None:
    said = words(plot(compared(a_test=33, b_test=-65)))
    assert [said.count(name) for name in ("a_test", "b_test", "geometric mean of 2 tests", "x86_64", "aarch64")] == [1] * 5
    assert [said.count(change) for change in ("+33.0 %", "-65.0 %", "-31.8 %")] == [2] * 3


def test_it_is_told_to_who_cannot_see_it() -> None:
    label = plot(compared(a_test=33, b_test=-65)).get("aria-label") or ""
    assert label.startswith("Change of the cost of mine against stock with 95 % intervals. a_test: x86_64 +33.0 % (+30.0 to +36.7)")
    assert "geometric mean of 2 tests: x86_64 -31.8 %" in label


def test_machines_have_the_same_look_in_all_panels() -> None:
    only = [one for one in compared(a_test=33) if one.machine == "aarch64"]
    drawn = forest.plot(only, [], MACHINES, "f") or ""
    assert "var(--v7)" in drawn
    assert "var(--v6)" not in drawn, "the colour of the first machine"


@pytest.mark.parametrize("changes", [(0.0, 0.001), (0.4, -0.2), (5, 0.1), (33, -65), (900, -90), (1e7, -99.999)])
def test_the_axis_says_where_nothing_changed_and_its_labels_stand_apart(changes: tuple[float, float]) -> None:
    made = ticks(plot(compared(a_test=changes[0], b_test=changes[1])))
    labels = [label for _, label in made]
    assert labels.count("same") == 1
    assert 2 <= len(labels) <= 7
    for (left, one), (right, other) in pairwise(made):
        assert right - left > 7 * (len(one) + len(other)) / 2, (one, other)
    same = labels.index("same")
    assert all(label.startswith("-") for label in labels[:same])
    assert all(label.startswith("+") for label in labels[same + 1 :])


def test_an_interval_without_end_is_cut_with_an_arrow_and_squeezes_nothing() -> None:
    wide = content.comparison(test="a_test", ratio=1.02, interval=(1e-9, 1e9))
    labels = [label for _, label in ticks(plot([wide, content.comparison(test="b_test", ratio=0.97, interval=(0.96, 0.98))]))]
    assert all(abs(float(label.removesuffix(" %"))) < 20 for label in labels if label != "same")


def test_a_single_boot_has_a_hollow_marker() -> None:
    made = forest.plot([content.comparison(interval=None, p=None)], [], MACHINES, "f") or ""
    assert re.search(r"fill: none", made)
    assert "(-)" in made


def test_what_was_not_compared_is_left_out() -> None:
    nothing: dict[str, Any] = {"ratio": None, "interval": None}
    assert forest.plot([content.comparison(**nothing)], [], MACHINES, "f") is None
    assert forest.plot([], [], MACHINES, "f") is None
    assert words(plot([content.comparison(), content.comparison(test="gone_test", **nothing)])).count("gone_test") == 0


def test_it_is_the_same_each_time() -> None:
    items = compared(a_test=33, b_test=-65)
    assert forest.plot(items, [], MACHINES, "f") == forest.plot(items, [], MACHINES, "f")
