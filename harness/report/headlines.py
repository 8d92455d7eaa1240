# SPDX-License-Identifier: GPL-2.0-only
"""Headlines in words: what makes a variant broken, slower, the same, faster, mixed or unproven."""

from __future__ import annotations

from collections.abc import Sequence

from harness import text
from harness.model.matrix import STOCK
from harness.report import findings, phrases
from harness.report.contents import Content
from harness.stats.compare import Comparison
from harness.stats.headline import Headline, Word, headlines
from harness.stats.outcome import Outcome

KINDS = {
    Word.BROKEN: "bad",
    Word.SLOWER: "bad",
    Word.UNPROVEN: "open",
    Word.MIXED: "open",
    Word.FASTER: "good",
    Word.SAME: "",
}
"""how good each is, as a page's styles name it"""


def of(content: Content) -> tuple[Headline, ...]:
    """Return the headlines of a report."""
    return headlines(content.provenance, content.comparisons, content.findings, content.results, content.slopes)


def of_run(outcome: Outcome) -> tuple[Headline, ...]:
    """Return the headlines of a run that has just ended."""
    return headlines(outcome.provenance, outcome.comparisons, outcome.findings, outcome.results, outcome.slopes)


def line(told: Headline) -> str:
    """Return all of a headline, such as ``mine: SLOWER - 2 tests slower (worst: ...)``."""
    return f"{told.variant}: {told.word} - {why(told)}"


def why(told: Headline) -> str:
    """Return what decides a headline, with the first cause, the count and the test."""
    if told.causes:
        return _broken(told)
    parts = []
    if told.failed:
        first = told.failed[0]
        count = phrases.number(len(told.failed), "test")
        said = f"the rig failed in {count}" if first.outcome == "error" else f"{count} failed without a finding that says why"
        parts.append(f"{said}, first in {first.test} ({first.machine}): {first.reason}")
    if told.results < told.planned:
        parts.append(f"{told.results} of {told.planned} results are there")
    if not told.proven:
        parts.append("not all boots proved what they ran")
    parts += _figures(told) if told.comparisons else _uncompared(told)
    skipped = {result.test for result in told.tests if result.outcome == "skipped"}
    if skipped:
        parts.append(f"{phrases.number(len(skipped), 'test')} skipped")
    return text.plain(", ".join(parts))


def _broken(told: Headline) -> str:
    first = told.causes[0]
    places = [*([] if len(first.machines) == told.machines else first.machines), findings.boots(first)]
    count = f"{phrases.number(len(told.causes), 'cause')}{', the first' if len(told.causes) > 1 else ''}"
    also = "; stock shows it too" if told.also else ""
    said = f"{count}: {findings.short(first.first.trouble)}, first in {first.first.test} ({', '.join(places)}){also}"
    return text.plain(said)


def _figures(told: Headline) -> list[str]:
    """Say how many tests were slower, faster and so on; a test that was one thing here and another there counts as both."""
    tests = {comparison.test for comparison in told.comparisons}
    slower, faster = told.judged("slower"), told.judged("faster")
    parts = []
    if faster:
        parts.append(f"{_tests(faster)} faster ({_most('most', faster, told, best=True)})")
    if slower:
        worse = [comparison for comparison in slower if comparison.regression]
        past = f", {len({c.test for c in worse})} past the threshold of {worse[0].threshold:g} %" if worse else ""
        parts.append(f"{_tests(slower)} slower ({_most('worst', slower, told, best=False)}){past}")
    opens = {verdict: {c.test for c in told.judged(verdict)} for verdict in ("undecided", "not compared")}
    parts += [f"{len(names)} of {len(tests)} {verdict}" for verdict, names in opens.items() if names]
    if same := tests - {c.test for c in told.comparisons if c.verdict != "same"}:
        parts.append(f"{phrases.number(len(same), 'test')} the same")
    return parts


def _tests(judged: Sequence[Comparison]) -> str:
    return phrases.number(len({comparison.test for comparison in judged}), "test")


def _most(word: str, judged: Sequence[Comparison], told: Headline, *, best: bool) -> str:
    """Name the test that changed most, with its unit, and where."""
    by = (max if best else min)(judged, key=lambda comparison: comparison.change or 0.0)
    where = f" on {by.machine}" if told.machines > 1 else ""
    return f"{word}: {by.test}, {_amount(by)}{where}"


def _amount(by: Comparison) -> str:
    """Return a change in words that need no sign, such as ``14.0 % more instructions``."""
    unit = phrases.unit(by).partition("/")[0]
    more, what = (by.change or 0.0) < 0, "time" if unit == "ns" else unit
    fewer = "less" if what == "time" else "fewer"
    return f"{phrases.change(by)[1:]} {'more' if more else fewer} {what}"


def _uncompared(told: Headline) -> list[str]:
    """Say what was done where nothing was compared."""
    parts = ["stock alone, nothing to compare with" if told.variant == STOCK else "no performance test was run"]
    passed = {r.test for r in told.tests} - {r.test for r in told.tests if r.outcome not in ("passed", "xfailed")}
    sweeps = {test.partition("@")[0] for test in passed if "@" in test}
    stress = {test for test in passed if "@" not in test}
    if stress and not told.slopes:
        parts.append(f"{phrases.number(len(stress), 'stress test')} passed")
    if sweeps:
        parts.append(f"{phrases.number(len(sweeps), 'workload')} of a sweep measured")
    if told.slopes:
        undecided = sum(slope.verdict == "undecided" for slope in told.slopes)
        slopes = f"{len(told.slopes)} slopes of memory"
        parts.append(f"{undecided} of {slopes} undecided" if undecided else f"no leak in {slopes}")
    if told.tests:
        parts.append("nothing found")
    return ["; ".join([parts[0], ", ".join(parts[1:])]) if parts[1:] else parts[0]]
