# SPDX-License-Identifier: GPL-2.0-only
"""Findings in a kernel's log, as a table for people and as JSON for programs."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence

import msgspec
from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from harness import text
from harness.kernlog import KINDS
from harness.model.trouble import Frame, Severity, Trouble

_STYLES = {Severity.FATAL: "bold red", Severity.ERROR: "red", Severity.WARNING: "yellow"}
_FRAMES = 6
"""of a call trace, where its source lines are known"""


def table(troubles: Sequence[Trouble]) -> RenderableType:
    """Return a row for each finding: line, time, kind, title, later reports and function; then the number of findings."""
    if not troubles:
        return Text("Nothing found.")
    rows = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    timed = any(trouble.time is not None for trouble in troubles)
    rows.add_column("line", justify="right", no_wrap=True)
    if timed:
        rows.add_column("time", justify="right", no_wrap=True)
    rows.add_column("kind", no_wrap=True)
    rows.add_column("report", overflow="fold", ratio=3)
    rows.add_column("where", overflow="fold", ratio=2)
    for trouble in troubles:
        time = [Text("-" if trouble.time is None else f"{trouble.time:.3f}")] if timed else []
        rows.add_row(
            Text(str(trouble.first)),
            *time,
            Text(text.plain(trouble.kind), style=_STYLES[trouble.severity]),
            _report(trouble),
            _where(trouble),
        )
    counted = Counter(trouble.severity for trouble in troubles)
    by_severity = ", ".join(f"{counted[severity]} {severity.value}" for severity in Severity if counted[severity])
    return Group(rows, Text(f"{len(troubles)} finding{'s' if len(troubles) > 1 else ''}: {by_severity}."))


def _report(trouble: Trouble) -> Text:
    shown = Text(text.plain(trouble.title))
    for title in trouble.followed:
        shown.append(f"\nthen: {text.plain(title)}", style="dim")
    return shown


def _where(trouble: Trouble) -> Text:
    shown = Text(text.plain(trouble.function) or "-", style="bold")
    if trouble.where:
        shown.append(f"\n{text.plain(trouble.where)}", style="not bold")
    task = [text.plain(trouble.process)] if trouble.process else []
    cpu = [f"CPU {trouble.cpu}"] if trouble.cpu is not None else []
    if task or cpu:
        shown.append(f"\n{', '.join(task + cpu)}", style="not bold dim")
    for frame in [frame for frame in trouble.frames if frame.source and frame.sure][:_FRAMES]:
        shown.append(f"\n{_source(frame)}", style="not bold")
    return shown


def _source(frame: Frame) -> str:
    return text.plain(f"{frame.function} {frame.file}:{frame.line}: {frame.source.strip()}")


def kinds() -> str:
    """Return all kinds of finding, a line each."""
    width = max(len(kind.name) for kind in KINDS)
    return "\n".join(f"{kind.name:{width}}  {kind.severity.value:7}  {kind.about}" for kind in KINDS)


def as_json(troubles: Sequence[Trouble]) -> str:
    """Return findings as a JSON array of objects, whose fields are those of Trouble and Frame."""
    return msgspec.json.format(msgspec.json.encode(troubles), indent=2).decode()


def converted(lines: Iterable[bytes], find: Callable[[str], Sequence[Trouble]]) -> Iterator[tuple[str, int, str]]:
    """Turn lines ``{"id": ..., "log": ...}`` into lines ``{"id": ..., "findings": [...]}``, one by one.

    Yields the line, the number of its findings, and an error that names the line's number; one of line and error is empty.
    Empty lines are left out.
    """
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            given = json.loads(line)
        except (ValueError, RecursionError) as error:
            yield "", 0, f"line {number} is no JSON: {error}"
            continue
        if not isinstance(given, dict) or "id" not in given or not isinstance(given.get("log"), str):
            yield "", 0, f'line {number} is not an object with "id" and, a string, "log"'
            continue
        findings = find(given["log"].encode(errors="replace").decode())  # JSON may have halves of characters
        yield f'{{"id":{json.dumps(given["id"])},"findings":{msgspec.json.encode(findings).decode()}}}', len(findings), ""
