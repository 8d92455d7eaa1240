# SPDX-License-Identifier: GPL-2.0-only
"""Makes findings of the slopes of a soak that are leaks, and results of all slopes."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from harness.model.known_bugs import explanation
from harness.model.matrix import Base
from harness.model.records import Finding, Result
from harness.model.trouble import Severity, Trouble
from harness.stats import slopes
from harness.stats.slopes import CACHE, STEPS, Slope

TEST = "soak"
"""name of the test in a finding that comes from all tests of a soak together"""
KIND = "leak"
_BYTES = ("vmalloc", "PageTables", "KernelStack")
"""figures whose growth is part of that of MemUsed, besides slabs"""
_OF_SLABS = ("slab_objects", "SUnreclaim", "MemUsed")


def findings(slopes: Sequence[Slope], base: Base) -> tuple[Finding, ...]:
    """Return a finding for each figure that leaks and is not explained by another, expected where `base` knows the bug."""
    return tuple(_finding(slope, base) for slope in slopes if slope.verdict == "leak" and not _explained(slope, slopes))


def distinct(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """Return each finding once, with the number of times in its title if later rounds of the cell showed it again."""
    groups: dict[tuple[str, ...], list[Finding]] = {}
    for f in findings:
        key = (f.machine, f.variant, f.profile, f.test, f.trouble.kind, f.trouble.fingerprint or f.trouble.title, f.expected)
        groups.setdefault(key, []).append(f)
    return tuple(_counted(members) for members in groups.values())


def condensed(results: Sequence[Result]) -> tuple[Result, ...]:
    """Return one result for each cell, test and outcome, with the seconds of all and their number."""
    groups: dict[tuple[str, ...], list[Result]] = {}
    for r in results:
        groups.setdefault((r.machine, r.variant, r.profile, r.test, r.outcome), []).append(r)
    return tuple(
        msgspec.structs.replace(
            members[0],
            seconds=sum(r.seconds for r in members),
            reason="; ".join(part for part in (f"{len(members)} times" if len(members) > 1 else "", members[0].reason) if part),
        )
        for members in groups.values()
    )


def sentence(slope: Slope) -> str:
    """Return the rate at which a figure grows, such as ``areas grows by 57 a round``, and the slab cache that grows most."""
    assert slope.per_round is not None
    assert slope.per_hour is not None
    rate = f"{slopes.amount(slope.figure, slope.per_round)} a round, {slopes.amount(slope.figure, slope.per_hour)} an hour"
    cache = f"; of the slab caches {slope.cache} grows most" if slope.cache and slope.figure in _OF_SLABS else ""
    name = f"slab cache {slope.figure.removeprefix(CACHE)}" if slope.figure.startswith(CACHE) else slope.figure
    return f"{name} grows by {rate}{cache}"


def results(slopes: Sequence[Slope], findings: Sequence[Finding]) -> tuple[Result, ...]:
    """Return a result for the memory of each cell; skipped if it has no leak, but a figure is undecided."""
    cells: dict[tuple[str, str, str], list[Slope]] = {}
    for slope in slopes:
        cells.setdefault((slope.machine, slope.variant, slope.profile), []).append(slope)
    verdicts = []
    for cell, mine in cells.items():
        own = [f for f in findings if f.test == TEST and (f.machine, f.variant, f.profile) == cell]
        bad = [f.trouble.title for f in own if not f.expected]
        open_ = [s.figure for s in mine if s.judged and s.verdict == "undecided"]
        outcome = "failed" if bad else "xfailed" if own else "skipped" if open_ else "passed"
        reason = "; ".join(bad) or next((f.expected for f in own), "") or (f"undecided: {', '.join(open_)}" if open_ else "")
        verdicts.append(Result(*cell, mine[0].clock, TEST, mine[0].boot, 0, outcome, 0.0, reason))
    return tuple(verdicts)


def _counted(members: Sequence[Finding]) -> Finding:
    first = members[0]
    if len(members) == 1:
        return first
    trouble = msgspec.structs.replace(first.trouble, title=f"{first.trouble.title} ({len(members)} times)")
    return msgspec.structs.replace(first, trouble=trouble)


def _explained(slope: Slope, slopes: Sequence[Slope]) -> bool:
    """Return whether another figure that leaks in the same cell already counts this growth."""
    place = (slope.machine, slope.variant, slope.profile)
    others = {s.figure: s.per_round or 0.0 for s in slopes if s.verdict == "leak" and (s.machine, s.variant, s.profile) == place}
    if slope.figure == "vmalloc":
        return "areas" in others
    caches = sum(rate for name, rate in others.items() if name.startswith(CACHE))
    slabs = max(caches, others.get("slab_objects", 0.0))
    known = {
        "slab_objects": caches,
        "SUnreclaim": slabs,
        "MemUsed": max(slabs, others.get("SUnreclaim", 0.0)) + sum(others.get(name, 0.0) for name in _BYTES),
    }
    explained = known.get(slope.figure, 0.0)
    return bool(explained) and slope.interval is not None and slope.interval[0] - explained < STEPS[slope.figure]


def _finding(slope: Slope, base: Base) -> Finding:
    title = sentence(slope)
    assert slope.interval is not None
    evidence = (
        f"{slope.figure}: {slopes.amount(slope.figure, slope.first)} at first, {slopes.amount(slope.figure, slope.last)} at last;"
        f" {slopes.amounts(slope.figure, slope.interval)} a round (simultaneous 95 % interval), over {slope.rounds} rounds of boot"
        f" {slope.boot}, from hour {slope.kept[0]:.2f} to {slope.kept[1]:.2f}"
    )
    trouble = Trouble(KIND, Severity.ERROR, title, 0, 0, evidence, fingerprint=f"{KIND} {slope.figure}")
    return Finding(
        machine=slope.machine,
        variant=slope.variant,
        profile=slope.profile,
        clock=slope.clock,
        test=TEST,
        boot=slope.boot,
        trouble=trouble,
        expected=explanation(base.bugs(slope.machine, slope.profile, TEST), KIND, title),
        log="",
    )
