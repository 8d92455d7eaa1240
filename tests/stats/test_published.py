# SPDX-License-Identifier: GPL-2.0-only
"""The publication's figures, and ours beside them."""

from __future__ import annotations

import tomllib
from collections import Counter
from typing import Any

import pytest

from harness import paths
from harness.errors import RigError
from harness.model import matrix
from harness.model.clock import Clock
from harness.stats import published
from harness.stats.published import Beside, PublishedRow
from tests.support import content

HEAD = "machine,like,test,run,stock,patched,change\n"


def rows(*pairs: tuple[float, float], test: str = "le_fit_alloc_test") -> list[PublishedRow]:
    return [PublishedRow("board", "x86_64", test, number, *pair, 0) for number, pair in enumerate(pairs, 1)]


def set_beside(theirs: list[PublishedRow], *changes: float, scale: str = "default", **other: Any) -> Beside:
    """Return what is made of changes of ours in per cent, one a boot, beside published rows."""
    stock = content.summary(*((100.0,) for _ in changes)) if changes else None
    measured = content.summary(*((100.0 + change,) for change in changes)) if changes else None
    (made,) = published.beside(theirs, [content.comparison(baseline=stock, measured=measured, **other)], scale)
    return made


def test_all_of_the_publication_is_there() -> None:
    loaded = published.load()
    assert set(Counter((row.machine, row.test) for row in loaded).values()) == {5}
    assert len(loaded) == 40
    assert {(row.machine, row.like) for row in loaded} == {("i5-3320M", "x86_64"), ("HiKey960", "aarch64")}
    assert {row.like for row in loaded} <= set(matrix.machine_names())
    (first,) = (row for row in loaded if (row.machine, row.test, row.run) == ("HiKey960", "long_busy_list_alloc_test", 2))
    assert (first.stock, first.patched, first.change) == (778283461, 34551548, 95)


def test_the_published_changes_follow_from_the_published_figures() -> None:
    apart = [abs((1 - row.patched / row.stock) * 100 - row.change) for row in published.load()]
    assert max(apart) < 1.0, "the publication cuts off digits, no more"


@pytest.mark.parametrize(
    "text", [HEAD + "board,x86_64,t,one,1,2,3\n", HEAD + "board,x86_64,t\n", "machine,wrong\na,b\n"], ids=("word", "short", "head")
)
def test_what_is_no_row_is_named(text: str) -> None:
    with pytest.raises(RigError, match="published figures cannot be read"):
        published.read(text)


def test_remarks_are_no_rows() -> None:
    assert published.read(f"# a remark\n\n{HEAD}board,x86_64,t,1,100,50,50\n") == (
        PublishedRow("board", "x86_64", "t", 1, 100, 50, 50),
    )


def test_ours_stands_beside_theirs_row_by_row() -> None:
    ours = content.comparison(baseline=content.summary((100.0, 300.0), (400.0,)), measured=content.summary((100.0,)))
    (made,) = published.beside(rows((10, 5), (10, 6)), [ours], "default")
    assert [(pair.stock, pair.patched, pair.change) for pair in made.ours] == [(200.0, 100.0, -50.0), (400.0, None, None)]
    assert made.their_changes == pytest.approx((-50, -40))
    assert made.our_changes == (-50.0,)
    assert (made.board, made.unit, made.clock) == ("board", "instructions/op", Clock.ICOUNT)
    assert len(made.rows) == 2


def test_rows_that_one_side_alone_has_are_kept() -> None:
    (made,) = published.beside(rows(*[(10, 5)] * 4), [content.comparison()], "default")
    assert [ours is not None for _, ours in made.rows] == [True, True, True, False]


def test_a_row_is_the_mean_of_a_boot_as_it_is_in_the_publication() -> None:
    """Stock swings in each boot: the median of a boot's median is 100, the mean of each is 400."""
    stock = content.summary(*[(100.0, 100.0, 1000.0)] * 3)
    ours = content.comparison(baseline=stock, measured=content.summary(*[(100.0,) * 3] * 3), ratio=1.0, verdict="same")
    (made,) = published.beside(rows((100, 25)), [ours], "published")
    assert made.our_changes == pytest.approx((-75, -75, -75))
    assert made.change == pytest.approx(-75)
    assert made.factor == pytest.approx(1)
    assert made.direction == "same"


@pytest.mark.parametrize(
    "other",
    [{"test": "random_size_alloc_test"}, {"machine": "riscv64"}, {"variant": ""}, {"against": "a-run"}, {"profile": "debug"}],
    ids=lambda other: "".join(other),
)
def test_only_what_can_be_compared_is_set_beside(other: dict[str, Any]) -> None:
    theirs = rows((10, 5))
    assert published.beside(theirs, [content.comparison()], "default")
    assert not published.beside(theirs, [content.comparison(**other)], "default")
    assert not published.beside([], [content.comparison()], "default")


@pytest.mark.parametrize(
    ("theirs", "ours", "direction"),
    [
        ([(100, 90), (100, 92)], (-12, -14, -9), "same"),
        ([(100, 90), (100, 92)], (-12, -14, 0.9), "same"),
        ([(100, 90), (100, 92)], (12, 14, 9), "other"),
        ([(100, 90), (100, 92)], (-0.4, -0.5, -3), "other"),
        ([(100, 112)], (3, 3, 3), "same"),
        ([(100, 99.2)], (-30, -30, -30), "flat"),
        ([(100, 97), (100, 97), (100, 104)], (-3, -3, -3), "flat"),
        ([(100, 90)], (-30, -40, 1.1), "open"),
        ([(100, 90)], (-30, -40), "open"),
        ([(100, 90)], (), ""),
    ],
    ids=[
        "same",
        "and about zero",
        "opposite",
        "ours flat",
        "both slower",
        "theirs flat",
        "theirs both ways",
        "both ways",
        "few",
        "",
    ],
)
def test_the_direction(theirs: list[tuple[float, float]], ours: tuple[float, ...], direction: str) -> None:
    assert set_beside(rows(*theirs), *ours).direction == direction


def test_the_verdict_of_the_comparison_is_not_the_direction() -> None:
    """Many boots of a stock that swings are undecided by their medians, while each row goes one way."""
    assert set_beside(rows((100, 10)), -70, -80, -90, verdict="undecided", ratio=0.9).direction == "same"


def test_the_factor_is_between_speed_ups() -> None:
    theirs = rows((100, 25))
    assert set_beside(theirs, 0, -50, -60).factor == pytest.approx(2), "theirs is 4 times as fast, ours twice"
    assert set_beside(theirs, -87.5).factor == pytest.approx(2), "theirs is 4 times as fast, ours 8 times"
    assert set_beside(theirs, -75).factor == pytest.approx(1)
    assert set_beside(theirs, 100).factor == pytest.approx(8), "ours takes twice as long"
    assert set_beside(theirs).factor is None


def test_a_shorter_busy_list_is_another_size() -> None:
    busy = "long_busy_list_alloc_test"
    small = set_beside(rows((100, 25), test=busy), -60, -60, -60, scale="quick", test=busy)
    assert (small.direction, small.factor, small.change) == ("size", None, -60)
    assert set_beside(rows((100, 25), test=busy), -60, -60, -60, scale="default", test=busy).direction == "same"
    assert set_beside(rows((100, 25)), -60, -60, -60, scale="quick").direction == "same", "no other test is of the busy list"


def test_the_scales_that_are_smaller_are_known() -> None:
    suite = tomllib.loads((paths.PROJECT / "test_module/suite.toml").read_text())
    areas = int(published.BUSY.split()[0].replace(",", ""))
    assert {name for name, scale in suite["scales"].items() if scale["busy"] != areas} == set(published.SMALLER)


def test_what_the_package_reads_is_packaged() -> None:
    told = tomllib.loads((paths.PROJECT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]
    packaged = {
        file for package, globs in told.items() for g in globs for file in paths.PROJECT.joinpath(*package.split(".")).glob(g)
    }
    data = {file for file in (paths.PROJECT / "harness").rglob("*.*") if file.suffix not in (".py", ".pyc")}
    assert paths.PROJECT / "harness/stats/published.csv" in data
    assert data == packaged
