# SPDX-License-Identifier: GPL-2.0-only
"""What mutants told of the suite: a table on the terminal, and a page."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from harness import text
from harness.model import mutants
from harness.model.mutants import Attempt, Measured, Mutant

_ORDER: tuple[mutants.MutantOutcome | None, ...] = ("error", "survived", None, "caught")
_LONGEST = 100
"""characters of a finding's title"""


def outcome(attempt: Attempt) -> str:
    """Return how a mutant ended in one profile, in a line."""
    if attempt.outcome == "caught":
        return f"caught by {attempt.test}: {_finding(attempt)}"
    return f"could not be tried: {_short(attempt.title)}" if attempt.outcome == "error" else "survived"


def tables(found: Measured) -> RenderableType:
    """Return a line for each mutant, survivors first, and what each test caught."""
    table = Table(title=_about(found), title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for column in ("mutant", "what is wrong", "caught by", "finding", "profile"):
        table.add_column(column, overflow="fold")
    table.add_column("s", justify="right")
    for mutant in _ordered(found):
        style = {"survived": "bold red", "error": "yellow"}.get(found.verdict(mutant) or "", "")
        table.add_row(*(escape(cell) for cell in _row(found, mutant)), style=style)
    tests = Table(title="First to catch", title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    tests.add_column("test", no_wrap=True)
    tests.add_column("mutants", justify="right")
    for test, caught in mutants.by_test(found).items():
        tests.add_row(escape(test), str(len(caught)))
    return Group(table, tests, Text(found.sentence()))


def markdown(found: Measured) -> str:
    """Return the same as a page, with the weaknesses of the published code and the tests that find them."""
    lines = ["# Mutants", "", found.sentence(), "", f"{_about(found)}.", f"{found.date}, {found.host}. `{found.command}`", ""]
    lines += _rows(("mutant", "what is wrong", "caught by", "finding", "profile", "s"), [_row(found, m) for m in _ordered(found)])
    lines += ["", "## First to catch", ""]
    lines += _rows(("test", "mutants", "which"), [(t, str(len(m)), ", ".join(m)) for t, m in mutants.by_test(found).items()])
    if found.weaknesses:
        lines += ["", "## Weaknesses of the published code", ""]
        lines += _rows(("", "weakness", "mutant", "found by"), _weaknesses(found))
    if found.control:
        lines += ["", f"`{found.series}` without a bug: " + ", ".join(map(_control, found.control)) + "."]
    return "\n".join(lines) + "\n"


def _about(found: Measured) -> str:
    of = f" of {found.known}" if found.known != len(found.mutants) else ""
    return (
        f"{len(found.mutants)}{of} mutants of {found.series} on {found.machine}, profile {', then '.join(found.profiles)},"
        f" scale {found.scale}, {len(found.tests)} tests"
    )


def _ordered(found: Measured) -> list[Mutant]:
    return [mutant for verdict in _ORDER for mutant in found.ended(verdict)]


def _row(found: Measured, mutant: Mutant) -> tuple[str, ...]:
    attempts = found.of(mutant)
    seconds = f"{sum(a.build_seconds + a.test_seconds for a in attempts):.0f}" if attempts else ""
    if not attempts:
        return mutant.name, mutant.breaks, "not done", "", "", ""
    last = attempts[-1]
    by = {"caught": last.test, "survived": "NOTHING" if found.verdict(mutant) else "nothing so far", "error": "NOT TRIED"}
    said = "" if last.outcome == "survived" else _finding(last) if last.outcome == "caught" else _short(last.title)
    return mutant.name, mutant.breaks, by[last.outcome], said, last.profile, seconds


def _weaknesses(found: Measured) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for weakness in found.weaknesses:
        mine = [mutant for mutant in found.mutants if mutant.weakness == weakness.number]
        rows += [(str(weakness.number), weakness.what, mutant.name, _row(found, mutant)[2]) for mutant in mine]
        if weakness.instead:
            rows.append((str(weakness.number), weakness.what, "", weakness.instead))
    return rows


def _control(attempt: Attempt) -> str:
    said = "nothing found" if attempt.outcome == "survived" else outcome(attempt)
    return f"{attempt.profile} {said} in {attempt.test_seconds:.0f} s"


def _finding(attempt: Attempt) -> str:
    return f"{attempt.kind}: {_short(attempt.title)}"


def _short(title: str) -> str:
    said = text.plain(title)
    return said if len(said) <= _LONGEST else f"{said[: _LONGEST - 3]}..."


def _rows(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    lines = [titles, ["---"] * len(titles), *rows]
    return ["| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines]
