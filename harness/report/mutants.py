# SPDX-License-Identifier: GPL-2.0-only
"""Results of a mutation test of the suite: a table on the terminal, and a page."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from harness import text
from harness.model import mutants
from harness.model.mutants import Attempt, Mutant, MutationRun
from harness.report.fitted import Fitted
from harness.report.markdown import code, escaped

_ORDER: tuple[mutants.MutantOutcome | None, ...] = ("error", "survived", None, "caught")
_LONGEST = 100
"""characters of a finding's title"""


def outcome(attempt: Attempt) -> str:
    """Return the outcome of a mutant in one profile, in a line."""
    if attempt.outcome == "caught":
        return f"caught by {attempt.test}: {_finding(attempt)}"
    return f"could not be tried: {_short(attempt.title)}" if attempt.outcome == "error" else "survived"


def tables(results: MutationRun) -> RenderableType:
    """Return a table of mutants, survivors first, and the number of mutants that each test caught."""
    table = Table(title=_about(results), title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for column in ("mutant", "what is wrong", "caught by", "finding", "profile"):
        table.add_column(column, overflow="fold")
    table.add_column("s", justify="right")
    for mutant in _ordered(results):
        style = {"survived": "bold red", "error": "yellow"}.get(results.verdict(mutant) or "", "")
        table.add_row(*(escape(cell) for cell in _row(results, mutant)), style=style)
    tests = Table(title="First to catch", title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    tests.add_column("test")
    tests.add_column("mutants", justify="right")
    for test, caught in mutants.by_test(results).items():
        tests.add_row(escape(test), str(len(caught)))
    return Group(Fitted(table), Fitted(tests), Text(results.sentence()))


def markdown(results: MutationRun) -> str:
    """Return the same as a page, with the weaknesses of the published code and the tests that find them."""
    lines = [
        "# Mutants",
        "",
        escaped(results.sentence()),
        "",
        escaped(f"{_about(results)}."),
        f"{escaped(f'{results.date}, {results.host}.')} {code(results.command)}",
        "",
    ]
    lines += _rows(
        ("mutant", "what is wrong", "caught by", "finding", "profile", "s"), [_row(results, m) for m in _ordered(results)]
    )
    lines += ["", "## First to catch", ""]
    lines += _rows(("test", "mutants", "which"), [(t, str(len(m)), ", ".join(m)) for t, m in mutants.by_test(results).items()])
    if results.weaknesses:
        lines += ["", "## Weaknesses of the published code", ""]
        lines += _rows(("", "weakness", "mutant", "found by"), _weaknesses(results))
    if results.control:
        lines += ["", f"{code(results.series)} without a bug: {escaped(', '.join(map(_control, results.control)))}."]
    return "\n".join(lines) + "\n"


def _about(results: MutationRun) -> str:
    of = f" of {results.known}" if results.known != len(results.mutants) else ""
    return (
        f"{len(results.mutants)}{of} mutants of {results.series} on {results.machine}, profile {', then '.join(results.profiles)},"
        f" scale {results.scale}, {len(results.tests)} tests"
    )


def _ordered(results: MutationRun) -> list[Mutant]:
    return [mutant for verdict in _ORDER for mutant in results.ended(verdict)]


def _row(results: MutationRun, mutant: Mutant) -> tuple[str, ...]:
    attempts = results.of(mutant)
    seconds = f"{sum(a.build_seconds + a.test_seconds for a in attempts):.0f}" if attempts else ""
    if not attempts:
        return mutant.name, mutant.breaks, "not done", "", "", ""
    last = attempts[-1]
    by = {"caught": last.test, "survived": "NOTHING" if results.verdict(mutant) else "nothing so far", "error": "NOT TRIED"}
    title = "" if last.outcome == "survived" else _finding(last) if last.outcome == "caught" else _short(last.title)
    return mutant.name, mutant.breaks, by[last.outcome], title, last.profile, seconds


def _weaknesses(results: MutationRun) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for weakness in results.weaknesses:
        mine = [mutant for mutant in results.mutants if mutant.weakness == weakness.number]
        rows += [(str(weakness.number), weakness.what, mutant.name, _row(results, mutant)[2]) for mutant in mine]
        if weakness.instead:
            rows.append((str(weakness.number), weakness.what, "", weakness.instead))
    return rows


def _control(attempt: Attempt) -> str:
    result = "nothing found" if attempt.outcome == "survived" else outcome(attempt)
    return f"{attempt.profile} {result} in {attempt.test_seconds:.0f} s"


def _finding(attempt: Attempt) -> str:
    return f"{attempt.kind}: {_short(attempt.title)}"


def _short(title: str) -> str:
    plain = text.plain(title)
    return plain if len(plain) <= _LONGEST else f"{plain[: _LONGEST - 3]}..."


def _rows(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    head, *body = ["| " + " | ".join(map(_cell, line)) + " |" for line in (titles, *rows)]
    return [head, f"|{' --- |' * len(titles)}", *body]


def _cell(words: str) -> str:
    return escaped(" ".join(words.split())).replace("|", "\\|")
