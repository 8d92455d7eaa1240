# SPDX-License-Identifier: GPL-2.0-only
"""A run as KTAP, version 1 (Documentation/dev-tools/ktap.rst): a subtest for each cell, with a line for each result."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import groupby

from harness import text
from harness.model.matrix import variant_order
from harness.model.records import Finding, Result
from harness.model.summary import CellOutcome, Compared, Summary
from harness.report import cases, failed_build, phrases
from harness.stats import cost
from harness.stats.causes import causes

_HEAD = "KTAP version 1"
_INDENT = "  "
_COMPARISON = "comparison"
_GOOD = ("passed", "xfailed", "skipped", "dismissed")
_TOLD = ("failed", "xfailed", "dismissed")
_LINE = 300
"""characters of a line, so that one can be read in a log"""
_Case = tuple[str, bool, str, list[str]]
"""name, whether it is well, directive and diagnostics"""


def ktap(summary: Summary, results: Sequence[Result], findings: Sequence[Finding]) -> str:
    """Return the lines. What a test showed stands above its line, and what became slower is a subtest of its own at the end."""
    showed: dict[tuple[object, ...], list[Finding]] = defaultdict(list)
    for finding in findings:
        showed[cases.place(finding)].append(finding)
    ordered = sorted(results, key=lambda one: (one.machine, one.profile, variant_order(one.variant), cases.cell(one)))
    groups = [(cell, [_case(one, showed[cases.place(one)]) for one in of]) for cell, of in groupby(ordered, key=cases.cell)]
    if compared := _comparisons(summary):
        groups.append((_COMPARISON, compared))
    return "\n".join((*_whole(groups), ending(summary))) + "\n"


def head(count: int) -> tuple[str, str]:
    """Return the first lines of a run that is printed while it goes on, with so many subtests."""
    return _HEAD, f"1..{count}"


def boot(number: int, name: str, results: Sequence[Result], findings: Sequence[Finding], planned: int) -> Iterator[str]:
    """Yield the lines of a boot with its `results`; one that has fewer than `planned` is not ok, and its plan tells how many."""
    members = [_case(one, [found for found in findings if cases.place(found) == cases.place(one)]) for one in results]
    missing = f"{planned - len(members)} of {planned} results are missing" if len(members) < planned else ""
    yield from (_INDENT + line for line in _subtest(name, members, max(planned, len(members))))
    good = not missing and all(good for _, good, *_ in members)
    yield _result(number, name, good=good, directive=f"ERROR {missing}" if missing else "")


def comparison(number: int, summary: Summary) -> Iterator[str]:
    """Yield the lines of what was compared, which is the last subtest of a run that is printed while it goes on."""
    if compared := _comparisons(summary):
        yield from _group(number, _COMPARISON, compared)
    else:
        yield _result(number, _COMPARISON, good=True, directive="SKIP nothing was compared")


def _comparisons(summary: Summary) -> list[_Case]:
    return [_comparison(one) for one in summary.comparisons if one.variant]


def of_failed(summary: Summary) -> str:
    """Return the lines of a build that failed: a subtest for each cell."""
    groups = [(cell.name, [_unbuilt(summary, cell)]) for cell in summary.cells]
    return "\n".join((*_whole(groups), ending(summary))) + "\n"


def ending(summary: Summary) -> str:
    """Return the last line."""
    return f"# exit code {summary.status.code}: {summary.status.meaning}"


def _whole(groups: Sequence[tuple[str, Sequence[_Case]]]) -> Iterator[str]:
    yield _HEAD
    yield f"1..{len(groups)}" if groups else "1..0 # SKIP no test has a result"
    for number, (name, members) in enumerate(groups, 1):
        yield from _group(number, name, members)


def _group(number: int, name: str, members: Sequence[_Case]) -> Iterator[str]:
    yield from (_INDENT + line for line in _subtest(name, members))
    yield _result(number, name, good=all(good for _, good, *_ in members))


def _unbuilt(summary: Summary, cell: CellOutcome) -> _Case:
    if why := failed_build.left_out(summary, cell):
        return failed_build.CASE, True, f"SKIP {why}", []
    told = next(failure for failure in summary.failures if failed_build.concerns(failure, cell))
    return (
        failed_build.CASE,
        False,
        f"ERROR {summary.status.word}",
        [line for line in (told.reason, *told.excerpt.splitlines()) if line.strip()],
    )


def _subtest(name: str, members: Sequence[_Case], planned: int = 0) -> Iterator[str]:
    yield _HEAD
    yield f"# Subtest: {_named(name)}"
    yield f"1..{planned or len(members)}"
    for number, (case, good, directive, told) in enumerate(members, 1):
        # Two blanks, so that no word of a guest is read as the name of a subtest.
        yield from (f"#  {_line(each)}" for each in told)
        yield _result(number, case, good=good, directive=directive)


def _case(of: Result, findings: Sequence[Finding]) -> _Case:
    told = [line for cause in causes(findings) for line in _finding(cause.first)] if of.outcome in _TOLD else []
    return cases.name(of), of.outcome in _GOOD, _directive(of), told or ([of.reason] if of.outcome == "failed" else [])


def _directive(of: Result) -> str:
    """Return the words behind a result: a known bug is expected to fail, and passes for whoever reads no more than ``ok``."""
    words = {
        "xfailed": f"XFAIL known bug: {of.reason}",
        "dismissed": f"SKIP dismissed: {of.reason}",
        "skipped": f"SKIP {of.reason}",
        "error": f"ERROR the rig failed: {of.reason}",
    }
    return words.get(of.outcome, "")


def _finding(of: Finding) -> list[str]:
    log = f"{of.log}, lines {of.trouble.first} to {of.trouble.last}" if of.log else ""
    return [line for line in (f"{of.trouble.kind}: {of.trouble.title}", phrases.blamed(of.trouble), log) if line]


def _comparison(of: Compared) -> _Case:
    name = f"{of.test} {of.machine}/{of.variant}/{of.profile} [{of.clock}]"
    if of.ratio is None:
        return name, True, f"SKIP not compared with {of.against}", []
    change = f"{of.verdict}, {phrases.percent(cost.change(of.ratio))} % {of.unit} against {of.against}"
    return name, not of.regression, "", [f"regression: {change}" if of.regression else change]


def _result(number: int, name: str, *, good: bool, directive: str = "") -> str:
    words = f" # {_named(directive)}" if directive.strip() else ""
    return f"{'ok' if good else 'not ok'} {number} {_named(name)}{words}"


def _named(words: str) -> str:
    """Return words in which no reader sees a directive begin."""
    return _line(words).replace("#", "_") or "_"


def _line(words: str) -> str:
    """Return words as one line without control characters."""
    one = " ".join(text.plain(words).split())
    return one if len(one) <= _LINE else f"{one[: _LINE - 3]}..."
