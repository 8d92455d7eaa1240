# SPDX-License-Identifier: GPL-2.0-only
"""Lines of a series that ran: a table on a terminal, JSON, and words for a page and a mail."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec
from rich import box
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from harness import text
from harness.report import phrases
from harness.report.fitted import Fitted
from harness.stats.coverage import Coverage, CoveredLine, FileCoverage

ABOUT = (
    "A line counts as run if a statement that begins in it was executed in any boot of this run, as QEMU saw it. A line that the"
    " compiler made no code of is not counted. That a line ran does not mean that a test checked what it did."
)


def sentence(of: Coverage) -> str:
    """Return how many lines of a variant ran, such as ``gap-tree: 290 of 306 changed lines ran, 16 never did``."""
    all_, never = len(of.lines), of.unreached
    rest = f", {never} never did" if never else ""
    tests = ", ".join(f"{where.test} on {where.machine}, {where.profile}" for where in of.untold)
    unknown = f"; what ran is not known of {tests}" if tests else ""
    return f"{of.variant}: {all_ - never} of {phrases.number(all_, 'changed line')} ran{rest}{unknown}"


def tables(every: Iterable[Coverage]) -> RenderableType:
    """Return a table by patch and file for each variant, and the lines that never ran."""
    return Group(*(part for of in every for part in _parts(of)))


def _parts(of: Coverage) -> list[RenderableType]:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    table.add_column("patch")
    table.add_column("file")
    for title in ("lines", "ran", *profiles(of)):
        table.add_column(escape(title), justify="right")
    for row in of.files:
        table.add_row(*map(escape, (row.patch, row.file, *figures(row, profiles(of)))))
    never = [Text(text.plain(line), style="yellow") for row in of.files for line in _never(row)]
    return [Text(sentence(of), style="bold"), Fitted(table), *never]


def _never(row: FileCoverage) -> list[str]:
    return [f"  {line.file}:{line.line}: {line.text.strip()}" for line in row.unreached]


def profiles(of: Coverage) -> Sequence[str]:
    """Return the profiles in which a line ran, if they are several."""
    names = list(dict.fromkeys(name for line in of.lines for name in line.profiles))
    return names if len(names) > 1 else []


def figures(row: FileCoverage, profiles: Sequence[str]) -> list[str]:
    """Return the numbers of a row: lines, those that ran, and those that ran in each of `profiles`."""
    ran = len(row.lines) - len(row.unreached)
    return [str(len(row.lines)), str(ran), *(str(sum(name in line.profiles for line in row.lines)) for name in profiles)]


def as_json(every: Iterable[Coverage]) -> str:
    """Return all lines as a JSON array, each with the tests in which it ran."""
    return msgspec.json.format(msgspec.json.encode([_object(of, line) for of in every for line in of.lines])).decode()


def _object(of: Coverage, line: CoveredLine) -> dict[str, object]:
    where: dict[tuple[str, str], list[str]] = {}
    for each in line.reached:
        where.setdefault((each.machine, each.profile), []).append(each.test)
    return {
        "variant": of.variant,
        "patch": line.patch,
        "file": line.file,
        "line": line.line,
        "text": line.text,
        "reached": [{"machine": machine, "profile": profile, "tests": tests} for (machine, profile), tests in where.items()],
    }
