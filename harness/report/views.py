# SPDX-License-Identifier: GPL-2.0-only
"""A report's records in the groups in which they are shown: a machine, profile and clock at a time, so that clocks never mix."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Generic, Protocol, TypeVar

import msgspec

from harness.model.clock import Clock
from harness.model.matrix import STOCK
from harness.model.order import asked
from harness.model.records import Result
from harness.model.toolchains import by
from harness.report import phrases
from harness.report.contents import Content
from harness.report.plots.canvas import Palette
from harness.stats import published
from harness.stats.compare import Comparison
from harness.stats.published import Beside

_ENDED = {"error": "the rig failed", "failed": "it failed", "dismissed": "it failed", "skipped": "it was skipped"}
"""ends of a test that leave no figures, in words"""


class _OfACell(Protocol):
    @property
    def machine(self) -> str: ...
    @property
    def profile(self) -> str: ...
    @property
    def clock(self) -> Clock: ...


class _OfATest(Protocol):
    @property
    def test(self) -> str: ...
    @property
    def variant(self) -> str: ...


class _OnAMachine(Protocol):
    @property
    def machine(self) -> str: ...


Tested = TypeVar("Tested", bound=_OfATest)
Item = TypeVar("Item", bound=_OfACell)


class Group(msgspec.Struct, Generic[Item], frozen=True):
    """The records of one machine, profile and clock."""

    machine: str
    profile: str
    clock: Clock
    items: tuple[Item, ...]
    part: int = 0
    """number among those of the same machine, profile and clock that have other units"""

    @property
    def heading(self) -> str:
        """The heading of the group."""
        return f"{self.machine}, profile {self.profile}, clock {self.clock}"

    @property
    def id(self) -> str:
        """A name that no other group of the same kind has."""
        return f"{self.machine}-{self.profile}-{self.clock}{f'-{self.part}' if self.part else ''}"


def groups(items: Iterable[Item]) -> list[Group[Item]]:
    """Return the items by machine, profile and clock, in the order in which they come."""
    members: dict[tuple[str, str, Clock], list[Item]] = {}
    for item in items:
        members.setdefault((item.machine, item.profile, item.clock), []).append(item)
    return [Group(*key, tuple(own)) for key, own in members.items()]


def by_unit(comparisons: Iterable[Comparison]) -> list[Group[Comparison]]:
    """Return the comparisons by machine, profile, clock and unit: figures of one table have one unit."""
    parts = []
    for group in groups(comparisons):
        members: dict[str, list[Comparison]] = {}
        for item in group.items:
            members.setdefault(item.unit, []).append(item)
        parts += [msgspec.structs.replace(group, items=tuple(own), part=part) for part, own in enumerate(members.values())]
    return parts


def ordered(items: Sequence[Tested], palette: Palette) -> list[Tested]:
    """Return the items of a group by test, in the order in which tests come, and variant."""
    tests = list(dict.fromkeys(item.test for item in items))
    return sorted(items, key=lambda item: (tests.index(item.test), palette.number(item.variant)))


def palette(content: Content) -> Palette:
    """Return all variants that a report shows: baselines first, then the others as they were asked for."""
    names = [phrases.baseline(item) for item in content.comparisons if item.variant or item.baseline]
    names = [*dict.fromkeys(name for name in names if name)]
    seen = [
        *(item.variant for item in content.comparisons if item.variant),
        *content.provenance.patches,
        *(record.variant for kind in (content.histograms, content.sections, content.memory, content.points) for record in kind),
    ]
    first = [STOCK] if STOCK in [*names, *seen] and not content.before else []
    return Palette(tuple(dict.fromkeys([*first, *names, *asked(content.provenance).by_variant(seen)])))


def machines(content: Content) -> list[str]:
    """Return the machines that a report is about."""
    kinds: tuple[Sequence[Comparison | _OnAMachine], ...] = (
        content.comparisons,
        content.results,
        content.findings,
        content.points,
    )
    return list(dict.fromkeys([*content.provenance.machines, *(item.machine for kind in kinds for item in kind)]))


def title(content: Content) -> str:
    """Return the title of a report."""
    run = content.provenance
    kernel = f"Linux {by(run.version, run.toolchain)}"
    if content.before:
        return f"{kernel}: run {run.run} against run {content.before.run}"
    if run.stock_only:
        return f"{kernel}: stock only"
    variants = [name for name in run.patches if name != STOCK]
    against = " against stock" if variants and STOCK in run.patches else ""
    return f"{kernel}: {', '.join(variants) or STOCK}{against}"


def limits(content: Content) -> list[str]:
    """Return the limits of each clock that was used."""
    kinds = (content.comparisons, content.histograms, content.points)
    return [phrases.LIMITS[clock] for clock in sorted({item.clock for kind in kinds for item in kind})]


def beside(content: Content) -> list[Beside]:
    """Return the comparisons that the publication has too, with its figures."""
    return published.beside(content.published, content.comparisons, content.provenance.scale)


def missing(content: Content) -> list[str]:
    """Return the sections that a run of tests lacks, each with the way to get it; other pages lack nothing."""
    if content.before or content.slopes or content.provenance.hours or (content.points and not content.results):
        return []
    lines = []
    if not content.comparisons:
        untimed = "no performance test was timed; `invoke test --tests performance` runs them"
        lines.append(f"Comparison: {'the module printed no time' if content.provenance.module else untimed}.")
    elif all(item.change is None for item in content.comparisons):
        lines.append("Comparison: only one kernel was measured; name two or more with `--variant`.")
    if content.provenance.module:
        return [*lines, "Latency, sections, growth and memory: the rig's own module alone measures them; leave out `--module`."]
    if not content.histograms:
        lines.append("Latency: no single operation was timed; the performance tests do that.")
    if not content.sections:
        lines.append("Preemption-off sections: these need a kernel with a tracer; `--profile perf,latency` builds one too.")
    if not content.points:
        lines.append("How cost grows: `invoke sweep` measures it.")
    if not content.memory:
        lines.append("Memory: no test looked at it.")
    return lines


def gaps(comparisons: Iterable[Comparison], results: Sequence[Result]) -> list[str]:
    """Return a sentence for each test of which stock has figures and another kernel, that ran it too, has none; with the reason."""
    compared = [item for item in comparisons if item.against == STOCK and item.baseline]
    measured = {(item.variant, _place(item)) for item in compared if item.measured}
    lines = []
    for place in dict.fromkeys(map(_place, compared)):
        mine = [result for result in results if _place(result) == place and result.variant != STOCK]
        for variant in dict.fromkeys(result.variant for result in mine if (result.variant, place) not in measured):
            why = next((result for result in mine if result.variant == variant and result.outcome in _ENDED), None)
            said = f"{_ENDED[why.outcome]}: {why.reason}" if why else "it was not measured after its warm-up"
            machine, _, _, test = place
            lines.append(f"{variant} has no figures of {test} on {machine}: {said}")
    return lines


def _place(of: Comparison | Result) -> tuple[str, str, Clock, str]:
    return of.machine, of.profile, of.clock, of.test
