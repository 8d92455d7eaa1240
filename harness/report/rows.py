# SPDX-License-Identifier: GPL-2.0-only
"""Rows for the tables of a page and of a mail, in the order of the run: latency, growth, memory, stress."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence

import msgspec

from harness.model.records import Booted, Histogram, Memory, Point, Sample
from harness.report import views
from harness.report.plots.canvas import Palette
from harness.stats import growth, latency
from harness.stats.growth import Growth
from harness.stats.latency import Percentiles

Curves = dict[str, dict[str, list[tuple[float, float]]]]
"""by test and variant: percentiles, each with the duration that so many operations stay within"""


class Grown(msgspec.Struct, frozen=True):
    """Memory that a test left in use: after minus before, the median over boots."""

    test: str
    variant: str
    boots: int
    values: dict[str, float]
    caches: tuple[tuple[str, float], ...]
    """slab caches whose objects take more, the most first"""


class Proof(msgspec.Struct, frozen=True):
    """Boots of one cell whose guests said that they ran the same."""

    cell: str
    clock: str
    boots: int
    booted: Booted
    """the first of them"""


def proofs(boots: Iterable[Booted]) -> list[Proof]:
    """Return a row for all boots of a cell that ran the same kernel, module and initramfs under one clock with one QEMU."""
    alike: dict[Booted, list[Booted]] = {}
    for booted in boots:
        alike.setdefault(msgspec.structs.replace(booted, boot=0), []).append(booted)
    return [Proof(f"{b[0].machine}/{b[0].variant}/{b[0].profile}", b[0].clock, len(b), b[0]) for b in alike.values()]


def percentiles(histograms: Sequence[Histogram], palette: Palette) -> list[Percentiles]:
    """Return a row for every test and variant of one machine, profile and clock."""
    tests = list(dict.fromkeys(item.test for item in histograms))
    unordered = latency.percentiles(histograms)
    return views.ordered(sorted(unordered, key=lambda row: tests.index(row.test)), palette)


def curves(histograms: Sequence[Histogram]) -> Curves:
    """Return the curve of every test and variant of one machine, profile and clock."""
    tests: dict[str, dict[str, list[Histogram]]] = {}
    for item in histograms:
        tests.setdefault(item.test, {}).setdefault(item.variant, []).append(item)
    return {test: {variant: latency.curve(members) for variant, members in by.items()} for test, by in tests.items()}


def growths(points: Sequence[Point], palette: Palette) -> list[Growth]:
    """Return a row for every axis, workload and variant of one machine, profile and clock."""
    order = list(dict.fromkeys((point.axis, point.workload) for point in points))
    axes = list(dict.fromkeys(axis for axis, _ in order))
    return sorted(
        growth.fit(points), key=lambda g: (axes.index(g.axis), order.index((g.axis, g.workload)), palette.number(g.variant))
    )


def grown(looks: Sequence[Memory], palette: Palette) -> list[Grown]:
    """Return a row for every test and variant whose memory was recorded before and after; of one machine, profile and clock."""
    groups: dict[tuple[str, str], dict[int, list[Memory]]] = {}
    for look in looks:
        groups.setdefault((look.test, look.variant), {}).setdefault(look.boot, []).append(look)
    rows = [_grown(test, variant, list(boots.values())) for (test, variant), boots in groups.items()]
    return views.ordered([row for row in rows if row.boots], palette)


def stress(samples: Iterable[Sample], compared: Iterable[str]) -> list[tuple[str, int]]:
    """Count all operations of the tests that are not compared, by cell and test."""
    known = set(compared)
    total: dict[str, int] = {}
    for sample in samples:
        if sample.test not in known:
            key = f"{sample.machine}/{sample.variant}/{sample.profile} {sample.test}"
            total[key] = total.get(key, 0) + sample.operations
    return list(total.items())


def _grown(test: str, variant: str, boots: Sequence[Sequence[Memory]]) -> Grown:
    differences = []
    for looks in boots:
        first = [look for look in looks if look.at == "before"][:1]
        last = [look for look in looks if look.at == "after"][-1:]
        differences += [
            {name: value - before.values[name] for name, value in after.values.items() if name in before.values}
            for before, after in zip(first, last, strict=False)
        ]
    names = dict.fromkeys(name for difference in differences for name in difference)
    medians = {name: statistics.median(difference.get(name, 0) for difference in differences) for name in names}
    caches = [(name.removeprefix("slab:"), value) for name, value in medians.items() if name.startswith("slab:") and value > 0]
    values = {name: value for name, value in medians.items() if not name.startswith("slab:")}
    return Grown(test, variant, len(differences), values, tuple(sorted(caches, key=lambda cache: -cache[1])))
