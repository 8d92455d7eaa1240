# SPDX-License-Identifier: GPL-2.0-only
"""Decides whether memory grows during a soak: slopes of its looks, with intervals that drift and steps do not fool.

A look is not independent of the one before it: what a test leaves in caches stays for the next, and a level once changed
stays changed. A straight line's textbook interval takes that for growth. Here the rounds of one boot, without the first third,
are cut into eight blocks of equal length, and the slope is the mean of the seven differences between neighbouring blocks' means,
with Student's t. Noise that is shorter than a block makes this too wide, since neighbouring differences share a block with
opposite signs. Of a random walk neighbouring differences correlate with 1/4 (G. Working, Note on the Correlation of First
Differences of Averages in a Random Chain, Econometrica 28, 1960), which makes the variance of their mean larger by 1.5 at most: by
that it is widened, always. A single step is one difference of seven, whose t is 1, and never significant; a saw-tooth comes back.
What is left is growth that goes on all the time.
"""

from __future__ import annotations

import functools
import itertools
import math
import statistics
from collections.abc import Iterable, Sequence
from typing import Literal

import msgspec
import scipy

from harness import text
from harness.model.clock import Clock
from harness.model.records import Look

Verdict = Literal["leak", "small", "none", "undecided"]
BLOCKS = 8
FEWEST = 12
"""rounds of one boot that it takes: a third is warm-up, and each block has at least one"""
_CONFIDENCE = 0.95
_WIDER = 1.5
_SETTLES = 0.7
"""share of its first rate; growth that has slowed down to less is a warm-up that is not over"""
_PAGE = 4096
STEPS = {
    "slab_objects": _PAGE,
    "SUnreclaim": _PAGE,
    "areas": 1,
    "vmalloc": _PAGE,
    "lazy": _PAGE,
    "PageTables": _PAGE,
    "KernelStack": _PAGE,
    "MemUsed": _PAGE,
}
"""figures that are judged, each with the slope a round from which on it matters: the smallest step that it grows by"""
FOLLOWED = ("Slab", "MemFree", "MemAvailable", "lazy_most")
"""figures that are shown besides: they follow from others, or have a bound"""
COUNTS = ("areas",)
"""figures that are no bytes"""
CACHE = "slab:"
"""prefix of a slab cache's name where it is a figure"""
_CACHES = 128
"""number of slab caches that intervals allow for; a guest has no more"""


class Slope(msgspec.Struct, frozen=True):
    """The course of one figure of one cell over a soak."""

    machine: str
    variant: str
    profile: str
    clock: Clock
    figure: str
    boot: int
    """number of the boot with the most rounds, which the slope is of"""
    rounds: int
    """of that boot, that were looked at after every test"""
    first: float
    """the figure's mean in the first of the blocks; without blocks in the first round"""
    last: float
    verdict: Verdict
    per_round: float | None = None
    """None where there are too few rounds"""
    interval: tuple[float, float] | None = None
    """per round; all intervals of a soak hold at once with 95 % confidence"""
    rounds_per_hour: float = 0.0
    more: float | None = None
    """hours of soaking that would likely decide; None where it is decided"""
    cache: str = ""
    """the slab cache that grew most"""
    kept: tuple[float, float] = (0.0, 0.0)
    """hours from and to which the blocks go"""
    middle: float = 0.0
    """mean of the blocks: the figure's level half way"""

    @property
    def judged(self) -> bool:
        """True if its growth is a finding."""
        return self.figure in STEPS or self.figure.startswith(CACHE)

    @property
    def per_hour(self) -> float | None:
        """The slope by the time that rounds took."""
        return None if self.per_round is None else self.per_round * self.rounds_per_hour


class _Round(msgspec.Struct, frozen=True):
    """The looks of one round, which come in an order that differs from round to round: together they can be compared."""

    hours: float
    looks: tuple[Look, ...]

    def level(self, figure: str) -> float:
        """Return the median of a figure, of which there has to be one."""
        return statistics.median(value for look in self.looks if (value := _value(look, figure)) is not None)


def slopes(looks: Iterable[Look]) -> list[Slope]:
    """Return the slopes of all figures of all cells, in the order in which the cells come; of slab caches those that leak.

    Half of the allowed error belongs to the figures, half to the slab caches. A single cache has less noise than their sum,
    so that a leak shows in it earlier.
    """
    cells: dict[tuple[str, str, str, Clock], dict[int, list[Look]]] = {}
    for look in looks:
        cells.setdefault((look.machine, look.variant, look.profile, look.clock), {}).setdefault(look.boot, []).append(look)
    fitted: list[Slope] = []
    for cell, boots in cells.items():
        rounds = {boot: _rounds(members) for boot, members in boots.items()}
        boot = max(rounds, key=lambda b: len(rounds[b]))
        seen = set().union(*(look.values for look in boots[boot]))
        of = Slope(*cell, "", boot, len(rounds[boot]), 0, 0, "undecided")
        named = (msgspec.structs.replace(of, figure=name) for name in (*STEPS, *FOLLOWED) if name in seen)
        fitted += [_slope(one, rounds[boot], 2 * len(cells) * len(STEPS)) for one in named]
        caches = _always(rounds[boot]) if len(rounds[boot]) >= FEWEST else []
        single = (_slope(msgspec.structs.replace(of, figure=name), rounds[boot], 2 * len(cells) * _CACHES) for name in caches)
        fitted += [slope for slope in single if slope.verdict == "leak"]
    return fitted


def _value(look: Look, figure: str) -> int | None:
    return look.caches.get(figure.removeprefix(CACHE)) if figure.startswith(CACHE) else look.values.get(figure)


def _always(rounds: Sequence[_Round]) -> list[str]:
    """Return the slab caches that were recorded in each round that is not certainly warm-up."""
    kept = [{name for look in round_.looks for name in look.caches} for round_ in rounds[len(rounds) // 3 :]]
    return sorted(f"{CACHE}{name}" for name in set.intersection(*kept))


def levels(looks: Sequence[Look], figure: str) -> list[tuple[float, float]]:
    """Return a figure's value in each round of one boot, with the hours at which the round ended."""
    with_it = [look for look in looks if _value(look, figure) is not None]
    return [(round_.hours, round_.level(figure)) for round_ in _rounds(with_it)] if with_it else []


def _rounds(looks: Sequence[Look]) -> list[_Round]:
    """Return the rounds of a boot in which it was looked at after as many tests as in most."""
    by: dict[int, list[Look]] = {}
    for look in looks:
        by.setdefault(look.round, []).append(look)
    usual = statistics.mode(len(members) for members in by.values())
    return [_Round(members[-1].hours, tuple(members)) for members in by.values() if len(members) == usual]


def _slope(of: Slope, rounds: Sequence[_Round], intervals: int) -> Slope:
    """Return the slope with the figures of `rounds`; `intervals` is the number of intervals that are to hold at once."""
    if len(rounds) < FEWEST:
        pace = rounds[-1].hours / len(rounds) if rounds[-1].hours > 0 else 0.0
        levels = [round_.level(of.figure) for round_ in rounds]
        more = (FEWEST - len(rounds)) * pace if of.judged else None
        return msgspec.structs.replace(of, first=levels[0], last=levels[-1], more=more)
    length = (len(rounds) - len(rounds) // 3) // BLOCKS
    kept = rounds[-length * BLOCKS :]
    levels = [round_.level(of.figure) for round_ in kept]
    blocks = [statistics.fmean(levels[start : start + length]) for start in range(0, len(levels), length)]
    steps = [(after - before) / length for before, after in itertools.pairwise(blocks)]
    slope = statistics.fmean(steps)
    reach = _reach(steps, 1 - (1 - _CONFIDENCE) / intervals)
    hours = kept[-1].hours - kept[0].hours
    fitted = msgspec.structs.replace(
        of,
        first=blocks[0],
        last=blocks[-1],
        per_round=slope,
        interval=(slope - reach, slope + reach),
        rounds_per_hour=(len(kept) - 1) / hours if hours > 0 else 0.0,
        kept=(kept[0].hours, kept[-1].hours),
        middle=statistics.fmean(blocks),
        cache="" if of.figure.startswith(CACHE) else _grown(kept[0], kept[-1]),
    )
    return _judged(fitted, steps) if of.judged else msgspec.structs.replace(fitted, verdict="none")


def _reach(steps: Sequence[float], confidence: float) -> float:
    """Return half of the interval of the steps' mean."""
    return _quantile(confidence, len(steps) - 1) * statistics.stdev(steps) * math.sqrt(_WIDER / len(steps))


@functools.cache
def _quantile(confidence: float, freedom: int) -> float:
    return float(scipy.stats.t.ppf((1 + confidence) / 2, freedom))


def _settles(steps: Sequence[float]) -> bool:
    """Return whether growth slows down, comparing the first three blocks' steps with the last three's."""
    return statistics.fmean(steps[-3:]) < _SETTLES * statistics.fmean(steps[:3])


def _drifts(steps: Sequence[float]) -> bool:
    """Return whether the level strays as a random walk does, rather than to come back: neighbouring steps then agree."""
    middle = statistics.fmean(steps)
    return sum((one - middle) * (next_ - middle) for one, next_ in itertools.pairwise(steps)) > 0


def _judged(of: Slope, steps: Sequence[float]) -> Slope:
    """Return a slope with its verdict.

    What is undecided is likely decided when half of the interval is as small as the slope's distance from what would be the
    other verdict. A random walk's shrinks with the time's power of 1/2, that of noise around a level with its power of 3/2.
    """
    assert of.interval is not None
    assert of.per_round is not None
    low, high = of.interval
    step = STEPS.get(of.figure, _PAGE)
    if high < step:
        return msgspec.structs.replace(of, verdict="small" if low > 0 else "none")
    grows = of.per_round >= step
    if low > 0 and grows and not _settles(steps):
        return msgspec.structs.replace(of, verdict="leak")
    room = of.per_round if grows else step - of.per_round
    ratio = (high - of.per_round) / room if room else math.inf
    longer = ratio ** (2 if _drifts(steps) else 2 / 3)
    return msgspec.structs.replace(of, verdict="undecided", more=of.kept[1] * max(1.0, longer - 1))


def _grown(first: _Round, last: _Round) -> str:
    """Return the slab cache whose objects take most more in the last round than in the first; empty if none does."""
    before, after = first.looks[-1].caches, last.looks[-1].caches
    growth = {name: size - before[name] for name, size in after.items() if name in before}
    best = max(growth, key=lambda name: growth[name], default="")
    return best if best and growth[best] > 0 else ""


def amount(figure: str, number: float) -> str:
    """Return an amount of a figure of memory as text: bytes, or a count."""
    return text.size(number) if figure not in COUNTS else f"{number:,.{0 if abs(number) >= 100 or number == round(number) else 2}f}"


def amounts(figure: str, interval: tuple[float, float]) -> str:
    """Return an interval of a figure of memory, such as ``120 KiB to 130 KiB``."""
    return " to ".join(amount(figure, end) for end in interval)
