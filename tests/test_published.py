# SPDX-License-Identifier: GPL-2.0-only
"""The publication's figures, and ours beside them."""

from __future__ import annotations

from collections import Counter

import pytest

from harness import matrix, published
from harness.errors import RigError
from harness.matrix import Clock
from harness.published import Beside, Row
from tests import content

HEAD = "machine,like,test,run,stock,patched,change\n"


def rows(*pairs: tuple[float, float], test: str = "le_fit_alloc_test") -> list[Row]:
    return [Row("board", "x86_64", test, number, *pair, 0) for number, pair in enumerate(pairs, 1)]


def set_beside(theirs: list[Row], change: float | None) -> Beside:
    """Return what is made of a change of ours in per cent beside published rows."""
    ratio = None if change is None else 1 - change / 100
    (made,) = published.beside(theirs, [content.comparison(ratio=ratio)])
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
    assert published.read(f"# a remark\n\n{HEAD}board,x86_64,t,1,100,50,50\n") == (Row("board", "x86_64", "t", 1, 100, 50, 50),)


def test_ours_stands_beside_theirs_row_by_row() -> None:
    ours = content.comparison(baseline=content.summary((100.0, 300.0), (400.0,)), measured=content.summary((100.0,)))
    (made,) = published.beside(rows((10, 5), (10, 6)), [ours])
    assert [(pair.stock, pair.patched, pair.change) for pair in made.ours] == [(200.0, 100.0, 50.0), (400.0, None, None)]
    assert made.their_changes == pytest.approx((50, 40))
    assert made.our_changes == (50.0,)
    assert (made.board, made.unit, made.clock) == ("board", "instructions/op", Clock.ICOUNT)
    assert len(made.rows) == 2


def test_rows_that_one_side_alone_has_are_kept() -> None:
    (made,) = published.beside(rows((10, 5), (10, 6), (10, 7)), [content.comparison()])
    assert [ours is not None for _, ours in made.rows] == [True, True, False]


def test_only_what_both_have_is_set_beside() -> None:
    theirs = rows((10, 5))
    for other in ({"test": "random_size_alloc_test"}, {"machine": "riscv64"}, {"variant": ""}, {"against": "another-run"}):
        assert not published.beside(theirs, [content.comparison(**other)])
    assert not published.beside([], [content.comparison()])


@pytest.mark.parametrize(
    ("theirs", "ours", "direction"),
    [
        ([(100, 90), (100, 92)], 12, "same"),
        ([(100, 90), (100, 92)], -12, "other"),
        ([(100, 90), (100, 92)], 0.4, "other"),
        ([(100, 112)], -3, "same"),
        ([(100, 99.2)], 30, "flat"),
        ([(100, 97), (100, 97), (100, 104)], 3, "flat"),
        ([(100, 90)], None, ""),
    ],
    ids=["same", "opposite", "ours flat", "both slower", "theirs flat", "theirs both ways", "none"],
)
def test_the_direction(theirs: list[tuple[float, float]], ours: float | None, direction: str) -> None:
    assert set_beside(rows(*theirs), ours).direction == direction


def test_what_is_undecided_has_no_direction_yet() -> None:
    (made,) = published.beside(rows((100, 90)), [content.comparison(verdict="undecided")])
    assert made.direction == "open"


def test_the_factor_is_between_speed_ups() -> None:
    theirs = rows((100, 25))
    assert set_beside(theirs, 50).factor == pytest.approx(2), "theirs is 4 times as fast, ours twice"
    assert set_beside(theirs, 87.5).factor == pytest.approx(2), "theirs is 4 times as fast, ours 8 times"
    assert set_beside(theirs, 75).factor == pytest.approx(1)
    assert set_beside(theirs, -100).factor == pytest.approx(8), "ours takes twice as long"
    assert set_beside(theirs, None).factor is None
