# SPDX-License-Identifier: GPL-2.0-only
"""Headlines in words, with the reasons for BROKEN, SLOWER, SAME, FASTER, MIXED or UNPROVEN."""

from __future__ import annotations

from collections.abc import Sequence

from harness import text
from harness.model.catalog import profile_use
from harness.model.matrix import STOCK
from harness.model.records import SPACE
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
"""CSS class of each word"""
_UNCOUNTED = {"ns/op": "time", SPACE: "space"}
"""things of which there is more or less, rather than more or fewer, by unit"""


def of(content: Content) -> tuple[Headline, ...]:
    """Return the headlines of a report."""
    return headlines(content.provenance, content.comparisons, content.findings, content.results, content.slopes)


def of_run(outcome: Outcome) -> tuple[Headline, ...]:
    """Return the headlines of a run that has just ended."""
    return headlines(outcome.provenance, outcome.comparisons, outcome.findings, outcome.results, outcome.slopes)


def line(headline: Headline) -> str:
    """Return all of a headline, such as ``mine: SLOWER - 2 tests slower (worst: ...)``."""
    return f"{headline.variant}: {headline.word} - {why(headline)}"


def why(headline: Headline) -> str:
    """Return the reason for a headline, with the first cause, the count and the test."""
    if headline.causes:
        return text.plain("; ".join([_broken(headline), *_dismissed(headline)]))
    parts = []
    if headline.failed:
        first = headline.failed[0]
        count = phrases.number(len(headline.failed), "test")
        failure = f"the rig failed in {count}" if first.outcome == "error" else f"{count} failed without a finding that says why"
        parts.append(f"{failure}, first in {first.test} ({first.machine}): {first.reason}")
    if headline.results < headline.planned:
        parts.append(f"{headline.results} of {headline.planned} results are there")
    if headline.left_out:
        parts.append(f"{phrases.number(headline.left_out, 'record')} could not be read")
    if not headline.proven:
        parts.append("not all boots proved what they ran")
    parts += _figures(headline) if headline.comparisons else _uncompared(headline)
    skipped = {result.test for result in headline.tests if result.outcome == "skipped"}
    if skipped:
        parts.append(f"{phrases.number(len(skipped), 'test')} skipped")
    parts += _dismissed(headline)
    return text.plain(", ".join(parts))


def _broken(headline: Headline) -> str:
    first = headline.causes[0]
    places = [*([] if len(first.machines) == headline.machines else first.machines), findings.boots(first)]
    count = f"{phrases.number(len(headline.causes), 'cause')}{', the first' if len(headline.causes) > 1 else ''}"
    also = "; stock shows it too" if headline.also else ""
    return f"{count}: {findings.short(first.first.trouble)}, first in {first.first.test} ({', '.join(places)}){also}"


def _dismissed(headline: Headline) -> list[str]:
    return [f"{phrases.number(headline.dismissed, 'cause')} dismissed"] if headline.dismissed else []


def _figures(headline: Headline) -> list[str]:
    """Return the number of tests for each verdict. A test that is slower in one cell and faster in another counts in both."""
    tests = {comparison.test for comparison in headline.comparisons}
    slower, faster = headline.judged("slower"), headline.judged("faster")
    parts = []
    if faster:
        parts.append(f"{_tests(faster)} faster ({_most('most', faster, headline, best=True)})")
    if slower:
        worse = [comparison for comparison in slower if comparison.regression]
        past = f", {len({c.test for c in worse})} past the threshold of {worse[0].threshold:g} %" if worse else ""
        parts.append(f"{_tests(slower)} slower ({_most('worst', slower, headline, best=False)}){past}")
    opens = {verdict: {c.test for c in headline.judged(verdict)} for verdict in ("undecided", "not compared")}
    parts += [f"{len(names)} of {len(tests)} {verdict}" for verdict, names in opens.items() if names]
    if same := tests - {c.test for c in headline.comparisons if c.verdict != "same"}:
        parts.append(f"{phrases.number(len(same), 'test')} the same")
    return parts


def _tests(judged: Sequence[Comparison]) -> str:
    return phrases.number(len({comparison.test for comparison in judged}), "test")


def _most(word: str, judged: Sequence[Comparison], headline: Headline, *, best: bool) -> str:
    """Return the test that changed most, with its unit and its machine."""
    by = (min if best else max)(judged, key=lambda comparison: comparison.change or 0.0)
    where = f" on {by.machine}" if headline.machines > 1 else ""
    return f"{word}: {by.test}, {_amount(by)}{where}"


def _amount(by: Comparison) -> str:
    """Return a change in words that need no sign, such as ``14.0 % more instructions``."""
    unit = by.unit.partition("/")[0]
    more, what = (by.change or 0.0) > 0, _UNCOUNTED.get(by.unit, unit)
    fewer = "less" if by.unit in _UNCOUNTED else "fewer"
    return f"{phrases.change(by)[1:]} {'more' if more else fewer} {what}"


def _uncompared(headline: Headline) -> list[str]:
    """Return the reason for a headline without comparisons."""
    parts = ["stock alone, nothing to compare with" if headline.variant == STOCK else "no performance test was timed"]
    passed = {r.test for r in headline.tests} - {r.test for r in headline.tests if r.outcome not in ("passed", "xfailed")}
    sweeps = {test.partition("@")[0] for test in passed if "@" in test}
    traced = {r.test for r in headline.tests if r.test in passed and profile_use(r.profile).tracer}
    stress = {test for test in passed - traced if "@" not in test}
    if headline.module and stress:
        parts.append(f"{headline.module} passed")
    elif stress and not headline.slopes:
        parts.append(f"{phrases.number(len(stress), 'stress test')} passed")
    if traced:
        parts.append(f"{phrases.number(len(traced), 'test')} traced")
    if sweeps:
        parts.append(f"{phrases.number(len(sweeps), 'workload')} of a sweep measured")
    if headline.slopes:
        counts = {verdict: sum(s.verdict == verdict for s in headline.slopes) for verdict in ("leak", "undecided")}
        of = f"of {len(headline.slopes)} slopes of memory"
        parts += [f"{count} {of} {verdict}" for verdict, count in counts.items() if count] or [f"no leak in {of[3:]}"]
    if headline.tests:
        parts.append("nothing else found" if headline.dismissed else "nothing found")
    return ["; ".join([parts[0], ", ".join(parts[1:])]) if parts[1:] else parts[0]]
