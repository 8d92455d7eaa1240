# SPDX-License-Identifier: GPL-2.0-only
"""The end of a run on the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from harness.compare import Comparison
from harness.records import Finding, Provenance, Result
from harness.report import text

_STYLES = {"worse": "bold red", "better": "green"}


def comparison(comparisons: Sequence[Comparison]) -> RenderableType:
    """Return one table per machine, profile, variant and clock: stock beside the variant."""
    groups: dict[tuple[str, ...], list[Comparison]] = {}
    for item in comparisons:
        groups.setdefault((item.machine, item.profile, item.variant, item.clock), []).append(item)
    tables = []
    for (machine, profile, variant, clock), items in groups.items():
        side = items[0].stock or items[0].patched
        unit = side.unit if side else ""
        title = f"{machine}, {profile}, {clock}: median {unit} ±spread (samples)"
        table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
        table.add_column("test", no_wrap=True)
        table.add_column("stock", justify="right")
        if variant:
            table.add_column(variant, justify="right")
            table.add_column("change", justify="right")
            table.add_column("")
        for item in items:
            row = [item.test, text.value(item.stock)]
            if variant:
                row += [text.value(item.patched), text.change(item), item.verdict]
            table.add_row(*row, style=_STYLES.get(item.verdict, ""))
        tables.append(table)
    return Group(*tables)


def summary(
    provenance: Provenance,
    comparisons: Sequence[Comparison],
    findings: Sequence[Finding],
    results: Sequence[Result],
) -> RenderableType:
    """Return what has to be said besides the figures: notes, findings, counts."""
    lines = [Text(f"note: {note}", style="yellow") for note in provenance.notes]
    for finding in findings:
        kind = "known bug" if finding.expected else "FINDING"
        where = f"{finding.machine}/{finding.variant}/{finding.profile} {finding.test}"
        lines.append(
            Text(text.plain(f"{kind}: {where}: {finding.kind}: {finding.title}"), style="" if finding.expected else "bold red")
        )
    for result in results:
        if result.outcome == "error":
            where = f"{result.machine}/{result.variant}/{result.profile} {result.test}"
            lines.append(Text(text.plain(f"RIG FAILED: {where}: {result.reason}"), style="bold red"))
    counts = {name: sum(r.outcome == name for r in results) for name in ("passed", "xfailed", "failed", "skipped", "error")}
    words = {"xfailed": "known bugs seen", "error": "rig failures"}
    counted = ", ".join(f"{n} {words.get(name, name)}" for name, n in counts.items() if n or name == "passed")
    worse = [c for c in comparisons if c.verdict == "worse"]
    verdict = f"{len(worse)} past the threshold of {provenance.threshold:g} %" if worse else "none"
    compared = f"Regressions: {verdict}."
    if all(c.change is None for c in comparisons):
        compared = f"{'Stock only' if provenance.stock_only else 'One side only'}: nothing was compared."
    lines.append(Text(f"Tests: {counted}. {compared}"))
    return Group(*lines)
