# SPDX-License-Identifier: GPL-2.0-only
"""Slopes of memory: growth is found and measured; noise, drift, steps, saw-teeth and warm-ups are not taken for it."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import pytest

from harness.stats import slopes
from harness.stats.slopes import BLOCKS, FEWEST, STEPS, Slope
from tests.support.looks import PACE, PAGE, look

FIGURE = "slab_objects"
SERIES = 120
STATED = 1 - 0.95
"""share of soaks in which any of the intervals may miss"""
CHANCE = 3 * math.sqrt(STATED * (1 - STATED) / SERIES)
"""how far the share among so many series may be off by chance: three standard deviations"""


def slope(values: Sequence[float], **other: Any) -> Slope:
    """Return the slope of a series with one look in each round."""
    looks = [look(number, value, **other) for number, value in enumerate(values)]
    found = slopes.slopes(msgspec.structs.replace(one, values={FIGURE: one.values[FIGURE]}) for one in looks)
    return next(s for s in found if s.figure == FIGURE)


def noise(chance: random.Random, rounds: int) -> list[float]:
    return [chance.gauss(1 << 22, 20 * PAGE) for _ in range(rounds)]


def walk(chance: random.Random, rounds: int) -> list[float]:
    values = [float(1 << 22)]
    for _ in range(rounds - 1):
        values.append(values[-1] + chance.gauss(0, 20 * PAGE))
    return values


def sluggish(chance: random.Random, rounds: int) -> list[float]:
    values = [0.0]
    for _ in range(rounds - 1):
        values.append(0.9 * values[-1] + chance.gauss(0, 20 * PAGE))
    return values


def step(chance: random.Random, rounds: int) -> list[float]:
    at = chance.uniform(0, rounds)
    return [300 * PAGE * (number > at) + chance.gauss(0, PAGE) for number in range(rounds)]


def saw_tooth(chance: random.Random, rounds: int) -> list[float]:
    """Rises and falls at least five times: one that rises for the whole soak is not to be told from a leak."""
    period, phase = chance.uniform(2, rounds / 5), chance.random()
    return [100 * PAGE * ((number / period + phase) % 1) + chance.gauss(0, PAGE) for number in range(rounds)]


@pytest.mark.parametrize("rounds", [FEWEST, 60])
@pytest.mark.parametrize("series", [noise, walk, sluggish, step, saw_tooth])
def test_false_alarms_are_no_more_than_stated(series: Callable[[random.Random, int], list[float]], rounds: int) -> None:
    chance = random.Random(f"{series.__name__} {rounds}")
    found = Counter(slope(series(chance, rounds)).verdict for _ in range(SERIES))
    assert found["leak"] / SERIES <= STATED / 2 + CHANCE, "half of what an interval misses is above it"


@pytest.mark.parametrize("series", [noise, walk])
@pytest.mark.parametrize("true", [0, 3 * PAGE, 50 * PAGE])
def test_the_true_slope_lies_within_the_interval_as_often_as_stated(
    series: Callable[[random.Random, int], list[float]], true: float
) -> None:
    chance, held = random.Random(f"{series.__name__} {true}"), 0
    for _ in range(SERIES):
        values = [value + true * number for number, value in enumerate(series(chance, 60))]
        found = slope(values)
        assert found.interval is not None
        held += found.interval[0] <= true <= found.interval[1]
    assert held / SERIES >= 0.95 - CHANCE


def test_a_leak_is_found_and_measured() -> None:
    chance = random.Random(1)
    found = slope([value + 30 * PAGE * number for number, value in enumerate(noise(chance, 60))])
    assert found.verdict == "leak"
    assert found.per_round == pytest.approx(30 * PAGE, rel=0.2)
    assert found.per_hour == pytest.approx(30 * PAGE / PACE, rel=0.2)
    assert found.more is None


def test_a_leak_without_noise_is_found_in_the_fewest_rounds() -> None:
    assert slope([PAGE * number for number in range(FEWEST)]).verdict == "leak"
    assert slope([PAGE * number for number in range(FEWEST - 1)]).verdict == "undecided"


@pytest.mark.parametrize("rounds", [24, 200])
@pytest.mark.parametrize("part", [0.03, 0.1, 0.3, 0.5])
def test_a_warm_up_is_no_leak(rounds: int, part: float) -> None:
    warm = [100 * rounds * PAGE * (1 - math.exp(-number / (part * rounds))) for number in range(rounds)]
    assert slope(warm).verdict != "leak"


def test_growth_like_a_logarithm_is_not_decided() -> None:
    found = slope([1e8 * math.log1p(number) for number in range(120)])
    assert found.verdict == "undecided"
    assert found.more == pytest.approx(120 * PACE), "as long again would tell"


def test_a_leak_after_a_warm_up_is_found() -> None:
    both = [500 * PAGE * (1 - math.exp(-number / 8)) + 20 * PAGE * number for number in range(120)]
    assert slope(both).verdict == "leak"


def test_what_shrinks_or_stays_is_none() -> None:
    assert slope([1e8 - 50 * PAGE * number for number in range(60)]).verdict == "none"
    still = slope([1 << 20] * 60)
    assert (still.verdict, still.per_round, still.interval) == ("none", 0, (0, 0))


def test_growth_too_small_to_matter_is_told_and_no_leak() -> None:
    assert slope([PAGE * number / 8 for number in range(80)]).verdict == "small"


def test_too_few_rounds_say_how_many_hours_are_missing() -> None:
    found = slope([1.0] * 4)
    assert (found.verdict, found.per_round, found.interval) == ("undecided", None, None)
    assert found.more == pytest.approx((FEWEST - 4) * PACE)


def test_noise_that_hides_the_answer_asks_for_more_hours() -> None:
    found = slope(noise(random.Random(2), 40))
    assert found.verdict == "undecided"
    assert found.more is not None
    assert found.more > 0


def test_what_strays_asks_for_more_hours_than_what_comes_back() -> None:
    back = slope([1e8 + (60 if number // 5 % 2 else -60) * PAGE for number in range(60)])
    stray = slope([1e8 + 60 * PAGE * math.sin(number / 7) for number in range(60)])
    assert back.more is not None
    assert stray.more is not None
    assert back.more < stray.more


def test_more_figures_make_the_intervals_wider() -> None:
    values = noise(random.Random(3), 60)
    cells = [look(n, v, variant=name) for name in ("stock", "a", "b", "c") for n, v in enumerate(values)]
    one = slope(values)
    four = next(s for s in slopes.slopes(cells) if s.figure == FIGURE)
    assert one.interval is not None
    assert four.interval is not None
    assert four.interval[1] > one.interval[1]


def test_the_boot_with_the_most_rounds_counts() -> None:
    dead = [look(number, 1e9 - 1e6 * number, boot=0) for number in range(5)]
    lived = [look(5 + number, 1e6 + 10 * PAGE * number, boot=1) for number in range(40)]
    found = next(s for s in slopes.slopes([*dead, *lived]) if s.figure == FIGURE)
    assert (found.boot, found.rounds, found.verdict) == (1, 40, "leak")


def test_a_round_that_was_cut_off_does_not_count() -> None:
    whole = [look(n, 1e6, test=test) for n in range(20) for test in ("a", "b", "c")]
    found = slopes.slopes([*whole, look(20, 9e9, test="a")])
    assert {s.rounds for s in found} == {20}
    assert {s.verdict for s in found if s.judged} == {"none"}


def test_the_order_of_tests_in_a_round_does_not_matter() -> None:
    chance, looks = random.Random(4), []
    for number in range(60):
        tests = [("a", 1e6), ("b", 5e6), ("c", 9e6)]
        chance.shuffle(tests)
        looks += [look(number, value, test=test) for test, value in tests]
    assert {s.verdict for s in slopes.slopes(looks) if s.judged} == {"none"}


def test_the_cache_that_grew_most_is_named() -> None:
    looks = [look(n, 1e6 + n * PAGE, caches={"kmalloc-512": 512 * n, "dentry": 9000 - n, "new": 1 << n % 2}) for n in range(FEWEST)]
    assert {s.cache for s in slopes.slopes(looks) if s.figure in STEPS} == {"kmalloc-512"}


def test_a_leak_shows_in_its_cache_before_it_shows_in_the_sum() -> None:
    chance = random.Random(6)
    caches = [{"kmalloc-512": 512 * (100 * n + chance.randrange(9)), "filp": 256 * chance.randrange(400)} for n in range(24)]
    looks = [look(n, chance.gauss(1 << 23, 60 * PAGE) + 51200 * n, caches=sizes) for n, sizes in enumerate(caches)]
    leaking = {s.figure: s for s in slopes.slopes(looks) if s.verdict == "leak"}
    assert set(leaking) == {"slab:kmalloc-512"}
    assert leaking["slab:kmalloc-512"].judged
    assert leaking["slab:kmalloc-512"].per_round == pytest.approx(51200, rel=0.02)


def test_a_cache_that_was_not_always_recorded_is_not_judged() -> None:
    looks = [look(n, 1e6, caches={"dentry": 9} if n == 20 else {"dentry": 9, "kmalloc-512": 51200 * n}) for n in range(30)]
    assert not [s for s in slopes.slopes(looks) if s.verdict == "leak"]


def test_caches_raise_false_alarms_no_more_often_than_stated() -> None:
    chance, alarms = random.Random(7), 0
    for _ in range(30):
        walks = {f"cache{number}": walk(chance, 30) for number in range(16)}
        looks = [look(n, 1e6, caches={name: round(values[n]) for name, values in walks.items()}) for n in range(30)]
        alarms += any(s.verdict == "leak" for s in slopes.slopes(looks))
    assert alarms / 30 <= STATED / 2 + 3 * math.sqrt(STATED * (1 - STATED) / 30)


def test_without_looks_there_are_no_slopes() -> None:
    assert slopes.slopes([]) == []


def test_the_rounds_are_cut_into_whole_blocks() -> None:
    found = slope([float(number) for number in range(100)])
    assert found.kept[0] >= 100 * PACE / 3
    kept = round((found.kept[1] - found.kept[0]) / PACE) + 1
    assert kept % BLOCKS == 0
    assert found.kept[1] == pytest.approx(100 * PACE)
