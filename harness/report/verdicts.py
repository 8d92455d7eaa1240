# SPDX-License-Identifier: GPL-2.0-only
"""Results of a run for each machine, in one line, the worst first."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from harness.report import phrases, views
from harness.report.contents import Content
from harness.stats import bug_table, growth
from harness.stats.compare import Comparison


class Part(msgspec.Struct, frozen=True):
    """A part of a verdict."""

    kind: str
    """``bad``, ``open``, ``good`` or empty"""
    words: str


class Verdict(msgspec.Struct, frozen=True):
    """The results of a run for one machine."""

    machine: str
    parts: tuple[Part, ...]

    @property
    def kind(self) -> str:
        """The worst of its parts: ``bad``, ``open`` where something is undecided, or ``good``."""
        kinds = {part.kind for part in self.parts}
        return next((kind for kind in ("bad", "open") if kind in kinds), "good")

    @property
    def line(self) -> str:
        """All of it, as a sentence."""
        return "; ".join(part.words for part in self.parts) + "."


def verdicts(content: Content) -> list[Verdict]:
    """Return a verdict for every machine of a report."""
    return [Verdict(machine, tuple(_parts(content, machine))) for machine in views.machines(content)]


def _parts(content: Content, machine: str) -> list[Part]:
    mine = [c for c in content.comparisons if c.machine == machine and c.change is not None]
    errors = [r for r in content.results if r.machine == machine and r.outcome == "error"]
    unexpected = [f for f in content.findings if f.machine == machine and f.unexpected]
    dismissed = sum(f.machine == machine and bool(f.dismissed) for f in content.findings)
    worse = [c for c in mine if c.regression]
    slower = [c for c in mine if c.verdict == "slower" and not c.regression]
    faster = [c for c in mine if c.verdict == "faster"]
    undecided = [c for c in mine if c.verdict == "undecided"]
    parts = []
    if errors:
        parts.append(Part("bad", f"the rig could not run {phrases.number(len(errors), 'test')}"))
    if worse:
        parts.append(Part("bad", f"slower past the threshold of {worse[0].threshold:g} %: {_named(worse, mine)}"))
    if slower:
        parts.append(Part("bad", f"slower: {_named(slower, mine)}"))
    if faster:
        parts.append(Part("good", f"faster: {_named(faster, mine)}"))
    if same := sum(c.verdict == "same" for c in mine):
        parts.append(Part("", f"{same} the same"))
    if undecided:
        parts.append(Part("open", f"{len(undecided)} undecided"))
    if not mine:
        parts += _growths(content, machine) or _soaks(content, machine) or [Part("", "nothing was compared")]
    bugs = bug_table.rows(content.provenance, content.findings, content.results)
    for variant, (count, of) in bug_table.fixed(bugs, machine).items():
        parts.append(
            Part("good" if count else "", f"{variant} fixes {count} of {phrases.number(of, 'known bug')} that stock shows")
        )
    if unexpected:
        parts.append(Part("bad", phrases.number(len(unexpected), "unexpected finding")))
    elif content.results:
        parts.append(Part("" if errors else "good", "no unexpected finding"))
    if dismissed:
        parts.append(Part("", f"{phrases.number(dismissed, 'finding')} dismissed"))
    return parts


def _growths(content: Content, machine: str) -> list[Part]:
    """Return for each variant of a sweep the number of workloads whose cost grows with the size."""
    fits = [fit for fit in growth.fit(point for point in content.points if point.machine == machine) if fit.kind]
    counts = []
    for variant in views.palette(content).ordered(fit.variant for fit in fits):
        mine = [fit for fit in fits if fit.variant == variant]
        steep = sum(fit.kind in ("linear", "superlinear") for fit in mine)
        unclear = sum(fit.kind == "unclear" for fit in mine)
        counts.append(f"{variant} in {steep} of {len(mine)}" + (f" ({unclear} unclear)" if unclear else ""))
    return [Part("", f"cost grows in line with the size, or faster: {', '.join(counts)}")] if counts else []


def _soaks(content: Content, machine: str) -> list[Part]:
    """Return the kernels that leaked memory in a soak, and the number of figures that are undecided."""
    mine = [slope for slope in content.slopes if slope.machine == machine and slope.judged]
    if not mine:
        return []
    parts = []
    if leaking := list(dict.fromkeys(f"{s.variant} ({s.profile})" for s in mine if s.verdict == "leak")):
        parts.append(Part("bad", f"memory leaks in {', '.join(leaking)}"))
    if undecided := sum(slope.verdict == "undecided" for slope in mine):
        parts.append(Part("open", f"{undecided} of {len(mine)} slopes of memory undecided"))
    return parts or [Part("good", "no memory leaks")]


def _named(items: Sequence[Comparison], among: Sequence[Comparison]) -> str:
    """Return tests with their changes, and with the variant, profile or clock if the machine has several."""
    differing = [name for name in ("variant", "profile", "clock") if len({getattr(c, name) for c in among}) > 1]
    tests: dict[str, list[str]] = {}
    for c in items:
        tests.setdefault(c.test, []).append(" ".join([*(str(getattr(c, name)) for name in differing), phrases.change(c)]))
    return ", ".join(f"{test} ({', '.join(changes)})" for test, changes in tests.items())
