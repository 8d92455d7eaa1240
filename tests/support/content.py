# SPDX-License-Identifier: GPL-2.0-only
"""What a report is made of, for tests: made-up figures of the size of a whole run."""

from __future__ import annotations

import random
from typing import Any

import msgspec

from harness.model.changes import CellChanges, Change, Changes
from harness.model.clock import Clock
from harness.model.records import CriticalSection, Histogram, Memory, Point
from harness.report.contents import Content
from harness.stats import coverage, published, why
from harness.stats.compare import Comparison, Summary
from tests.support import counted, make

MACHINES = ("x86_64", "aarch64")
VARIANTS = ("stock", "mine", "mine@1")
TESTS = ("le_fit_alloc_test", "b_fit_alloc_test", "ne_fit_alloc_test", "long_busy_list_alloc_test", "random_size_alloc_test")
BUG = "[    3.1] kernel BUG at mm/vmalloc.c:512!"
SECTIONS = {
    "findings": "Findings that are not expected",
    "comparison": "mine against stock, x86_64",
    "distributions": "",
    "why": "Why: ne_fit",
    "locks": "Longest sections under a lock",
    "coverage": "Changed lines that ran",
    "patches": "mine patch by patch",
    "growth": "Growth exponents",
    "latency": "Latency in",
    "sections": "Longest stretch with preemption off",
    "published": "Published (",
    "known": "Known bugs of stock",
    "changes": "What the series changes",
    "scaled": "Scaled down",
    "tests": "",
    "provenance": "Provenance",
    "memory": "",
}
"""ids of the sections of the page of `full()`, in order, with the first words of each in the mail; empty for one not in the mail"""
WORKLOADS = ("none", "long", "sizes", "alignments", "windows", "churn", "merging", "apart", "percpu")

EVIL = '<script>alert(1)</script>\x1b[31mred\x1b[0m\x1b]0;title\x07 & "quoted" [bold]x[/y] $x_1$'
"""what a guest may say to harm a page or a terminal"""
BROKEN = "BROKEN - 1 cause: bug in alloc_vmap_area, mm/vmalloc.c:512, first in exact_hole_test (x 3 boots)"
FIRST_BAD = (
    "my-series: first bad: 0002-off-by-one.patch (my-series@2, bug in alloc_vmap_area, mm/vmalloc.c:512 in exact_hole_test);"
    " also bad: 0003-slow-down.patch (my-series, le_fit_alloc_test +14.0 % against my-series@2 on x86_64)"
)
"""headline of the second variant of `broken()`, and the conclusion of its series"""


def summary(*boots: tuple[float, ...], unit: str = "instructions/op") -> Summary:
    """Return samples by boot."""
    return Summary(boots, unit)


def comparison(**other: Any) -> Comparison:
    """Return le_fit_alloc_test of ``mine``, which takes half the instructions of stock."""
    fields: dict[str, Any] = {
        "machine": "x86_64",
        "profile": "perf",
        "clock": Clock.ICOUNT,
        "test": "le_fit_alloc_test",
        "variant": "mine",
        "against": "stock",
        "baseline": summary((5110.0, 5120.0), (5115.0, 5125.0), (5120.0, 5130.0)),
        "measured": summary((2555.0, 2560.0), (2557.0, 2563.0), (2560.0, 2565.0)),
        "margin": 1.0,
        "threshold": 5.0,
        "ratio": 0.5,
        "interval": (0.495, 0.505),
        "p": 0.0004,
        "verdict": "faster",
    }
    return Comparison(**{**fields, **other})


def slower(change: float = 50.0, **other: Any) -> Comparison:
    """Return a test that costs `change` per cent more than stock."""
    ratio = 1 + change / 100
    measured = summary(*[(5120.0 * ratio,)] * 3)
    return comparison(**{"ratio": ratio, "interval": (ratio, ratio), "verdict": "slower", "measured": measured, **other})


def histogram(**other: Any) -> Histogram:
    """Return how long a thousand operations of le_fit_alloc_test took on stock."""
    fields: dict[str, Any] = {
        "machine": "x86_64",
        "variant": "stock",
        "profile": "perf",
        "clock": Clock.ICOUNT,
        "test": "le_fit_alloc_test",
        "boot": 0,
        "unit": "instructions",
        "overhead": 31.0,
        "highest": 90210.0,
        "buckets": ((5100.0, 500), (5200.0, 490), (7000.0, 9), (90200.0, 1)),
    }
    return Histogram(**{**fields, **other})


def section(**other: Any) -> CriticalSection:
    """Return a stretch of 2 ms without preemption on stock."""
    fields: dict[str, Any] = {
        "machine": "x86_64",
        "variant": "stock",
        "profile": "latency",
        "clock": Clock.ICOUNT,
        "test": "long_busy_list_alloc_test",
        "boot": 0,
        "microseconds": 2000.0,
        "began": "_raw_spin_lock",
        "ended": "_raw_spin_unlock",
        "stack": ("_raw_spin_unlock", "alloc_vmap_area"),
    }
    return CriticalSection(**{**fields, **other})


def look(at: str, seconds: float, **other: Any) -> Memory:
    """Return a look at stock's memory."""
    fields: dict[str, Any] = {
        "machine": "x86_64",
        "variant": "stock",
        "profile": "perf",
        "clock": Clock.ICOUNT,
        "test": "long_busy_list_alloc_test",
        "boot": 0,
        "values": {"areas": 100 + int(seconds), "lazy": int(seconds) << 20, "SUnreclaim": 12 << 20, "slab:vmap_area": 4096},
    }
    return Memory(at=at, seconds=seconds, **{**fields, **other})


def point(size: int, value: float, **other: Any) -> Point:
    """Return what an operation costs stock on a busy list of `size` areas."""
    fields: dict[str, Any] = {
        "machine": "x86_64",
        "variant": "stock",
        "profile": "perf",
        "clock": Clock.ICOUNT,
        "workload": "long",
        "axis": "busy",
        "boot": 0,
        "repeat": 0,
        "unit": "instructions/op",
        "operations": 100,
    }
    return Point(size=size, value=value, **{**fields, **other})


def points(**other: Any) -> tuple[Point, ...]:
    """Return a cost that grows with the size of the busy list."""
    return tuple(point(size, size * 0.5, **other) for size in (1000, 5000, 15000, 50000))


def broken() -> Content:
    """Return a run of a series of three patches, whose second breaks a test in three boots and whose third is slower."""
    names = ("0001-clean-up.patch", "0002-off-by-one.patch", "0003-slow-down.patch")
    patches = {"stock": (), "my-series@1": names[:1], "my-series@2": names[:2], "my-series": names}
    same: dict[str, Any] = {"verdict": "same", "ratio": 1.0, "interval": (0.999, 1.001)}
    text = "\n".join(("[    3.0] ------------[ cut here ]------------", BUG, *(f"[    3.2] line {n}" for n in range(100))))
    bug: dict[str, Any] = {"test": "exact_hole_test", "fingerprint": "abc", "text": text}
    of: dict[str, Any] = {"test": "exact_hole_test", "clock": Clock.WALL}
    return Content(
        make.provenance(patches=patches),
        comparisons=(
            comparison(variant="my-series@1", **same),
            comparison(variant="my-series@2", **same),
            slower(14.0, variant="my-series"),
        ),
        steps=(
            comparison(variant="my-series@1", **same),
            comparison(variant="my-series@2", against="my-series@1", **same),
            slower(14.0, variant="my-series", against="my-series@2"),
        ),
        findings=tuple(
            msgspec.structs.replace(make.finding(variant=variant, **bug), boot=boot)
            for variant in ("my-series@2", "my-series")
            for boot in range(3)
        ),
        results=tuple(
            make.result("failed" if variant in ("my-series@2", "my-series") else "passed", variant=variant, boot=boot, **of)
            for variant in patches
            for boot in range(3)
        ),
    )


def changed(count: int = 12, **other: Any) -> CellChanges:
    """Return what ``mine`` changes: `count` functions, of which the first is new, and a table."""
    functions = [Change("changed", f"function_{number:02}", "mm/vmalloc.c", 800, 832 + number) for number in range(1, count)]
    added = [Change("added", "find_hole", "mm/vmalloc.c", 0, 1234)] if count else []
    data = (Change("changed", "table", "", 64, 64),)
    fields: dict[str, Any] = {"machine": "x86_64", "variant": "mine", "profile": "perf", "against": "stock"}
    return CellChanges(changes=Changes((*added, *functions), data), **{**fields, **other})


def full() -> Content:
    """Return all that a run of both machines and three variants leaves, with both axes of a sweep."""
    noise = random.Random(1)
    comparisons, histograms, sections, memory, grown = [], [], [], [], []
    for machine in MACHINES:
        for test in TESTS:
            for number, variant in enumerate(VARIANTS):
                names: dict[str, Any] = {"machine": machine, "variant": variant, "test": test}
                values = tuple(tuple(noise.gauss(5000 - 300 * number, 9) for _ in range(5)) for _ in range(5))
                if number:
                    comparisons.append(comparison(**names, measured=summary(*values), ratio=1 - 0.06 * number))
                sections.append(section(**names, microseconds=noise.uniform(30, 9000)))
                for boot in range(5):
                    buckets = sorted((float(round(noise.lognormvariate(9, 0.4))), noise.randrange(1, 900)) for _ in range(400))
                    histograms.append(histogram(**names, boot=boot, buckets=tuple(buckets), highest=buckets[-1][0]))
                watched = 60 if "busy" in test else 0
                memory += [
                    look("before", 0, **names),
                    *(look("during", t, **names) for t in range(watched)),
                    look("after", 60, **names),
                ]
        for axis in ("busy", "holes"):
            for workload in WORKLOADS:
                for number, variant in enumerate(VARIANTS):
                    grown += [
                        point(size, 900 * (size / 1000) ** (1 / (number + 1)), **named, boot=boot)
                        for named in [{"machine": machine, "variant": variant, "workload": workload, "axis": axis}]
                        for size in (1000, 5000, 15000, 50000)
                        for boot in range(2)
                    ]
    return Content(
        make.provenance(
            machines={"x86_64": "a laptop", "aarch64": "a board"},
            patches={"stock": (), "mine": ("0001-a.patch", "0002-b.patch"), "mine@1": ("0001-a.patch",)},
        ),
        comparisons=tuple(comparisons),
        findings=(make.finding(), make.finding(expected="an overflow")),
        results=tuple(make.result(machine=m, variant=v, test=t) for m in MACHINES for v in VARIANTS for t in TESTS),
        samples=tuple(make.sample(test="mix_stress_test", clock=Clock.WALL, unit="ns/op", machine=m) for m in MACHINES),
        histograms=tuple(histograms),
        sections=tuple(sections),
        memory=tuple(memory),
        points=tuple(grown),
        scaled=tuple(make.scaled(machine=m, variant=v) for m in MACHINES for v in VARIANTS),
        changes=tuple(changed(machine=m, variant=v) for m in MACHINES for v in VARIANTS[1:]),
        whys=tuple(
            of
            for m in MACHINES
            for of in why.explain(
                [counted.allocating(machine=m), *(counted.allocating(140.0, machine=m, variant=v) for v in VARIANTS[1:])]
            )
        ),
        locked=tuple(
            counted.locked("alloc_vmap_area", 500, machine=m, variant=v, **of)
            for m in MACHINES
            for v in VARIANTS
            for of in ({}, {"test": "sweep_churn", "axis": "busy", "size": 1000})
        ),
        coverages=tuple(
            coverage.coverage(
                [counted.changed(501, 502, 503, machine=m) for m in MACHINES], [counted.reached("le_fit_alloc_test", 501, 502)], {}
            )
        ),
        published=published.load(),
    )
