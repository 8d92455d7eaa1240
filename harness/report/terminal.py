# SPDX-License-Identifier: GPL-2.0-only
"""The end of a run on the terminal."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from rich import box
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from harness import text
from harness.kernlog import excerpt
from harness.model.clock import Clock
from harness.model.records import Finding, Point, Provenance, Result
from harness.report import findings as words
from harness.report import headlines as heads
from harness.report import phrases, plaintext, reproduce, verdicts, views
from harness.report import prefixes as patchwise
from harness.report.contents import Content
from harness.report.fitted import Fitted
from harness.stats import bug_table, geomean, prefixes
from harness.stats.causes import causes, groups, reasons
from harness.stats.compare import Comparison
from harness.stats.growth import Growth
from harness.stats.outcome import Outcome

_KINDS = {"bad": "red", "open": "yellow", "good": "green", "": ""}
_LINES = 8
"""of the log of a finding"""
_STACKED = re.compile(r" (±|to |\+\d+ boot|>)")
"""places in a figure at which its rest gets a line of its own"""
_STYLES = {"faster": "green", "slower": "red", "undecided": "yellow"}


def comparison(comparisons: Sequence[Comparison], results: Sequence[Result] = ()) -> RenderableType:
    """Return one table per machine, profile, variant, clock and unit: the baseline beside the variant, regressions in red.

    Where only stock has figures of a test, the `results` say why.
    """
    groups: dict[tuple[str, str, str, Clock, str], list[Comparison]] = {}
    for item in comparisons:
        groups.setdefault((item.machine, item.profile, item.variant, item.clock, item.unit), []).append(item)
    tables: list[RenderableType] = []
    for items in groups.values():
        short = phrases.short_test
        tables.append(Fitted(_table(items, str), _table(items, short), _table(items, short, stacked=True)))
        tables += [Text(text.plain(f"{phrases.mean_line(mean)}\n")) for mean in geomean.means(items)]
    told = [phrases.SIGN] if any(item.change is not None for item in comparisons) else []
    legend = [Text(" ".join([*told, *([phrases.MEAN] if geomean.means(comparisons) else [])]), style="dim")] if told else []
    return Group(*tables, *legend, *(Text(text.plain(gap), style="bold red") for gap in views.gaps(comparisons, results)))


def _table(items: Sequence[Comparison], named: Callable[[str], str], *, stacked: bool = False) -> Table:
    """Return a table with tests as they are `named`; if it is `stacked`, spreads and ends of intervals have lines of their own."""
    first = items[0]
    counts = "; ".join(dict.fromkeys(phrases.counts(item) for item in items))
    title = f"{first.machine}, {first.profile}, {first.clock}: median {first.unit} ±spread, samples / boots {counts}"
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    table.add_column("test")
    table.add_column(escape(first.against), justify="right")
    if first.variant:
        table.add_column(escape(first.variant), justify="right")
        table.add_column("change", justify="right")
        table.add_column("95 %\ninterval" if stacked else "95 % interval", justify="right")
        table.add_column("verdict")
    for item in items:
        row = [phrases.value(item.baseline)]
        if first.variant:
            row += [phrases.value(item.measured), phrases.change(item), phrases.interval(item), phrases.verdict(item)]
        if stacked:
            row = [_STACKED.sub(r"\n\1", cell) for cell in row]
        table.add_row(escape(named(item.test)), *row, style="bold red" if item.regression else _STYLES.get(item.verdict, ""))
    return table


def growth(growths: Sequence[Growth]) -> RenderableType:
    """Return one table per machine, profile, clock and axis: each workload's cost at each size, and its exponent."""
    groups: dict[tuple[str, ...], list[Growth]] = {}
    for item in growths:
        groups.setdefault((item.machine, item.profile, item.clock, item.axis), []).append(item)
    tables = []
    for (machine, profile, clock, axis), items in groups.items():
        title = f"{machine}, {profile}, {clock}: median {items[0].unit} against {axis}"
        tables.append(Fitted(_grown(title, items), _grown(title, items, short=True)))
    return Group(*tables)


def _grown(title: str, items: Sequence[Growth], *, short: bool = False) -> Table:
    """Return the table of an axis; a `short` one leaves out what all names of sweeps begin with."""
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    table.add_column("workload")
    table.add_column("variant")
    sizes = sorted({size.size for item in items for size in item.sizes})
    for size in sizes:
        table.add_column(f"{size:,}", justify="right")
    table.add_column("exponent (95 %)", justify="right")
    table.add_column("")
    workloads = list(dict.fromkeys(item.workload for item in items))
    for item in sorted(items, key=lambda item: workloads.index(item.workload)):
        costs = {size.size: text.figure(size.median) for size in item.sizes}
        workload = item.workload.removeprefix("sweep_") if short else item.workload
        cells = (costs.get(size, "-") for size in sizes)
        table.add_row(escape(workload), escape(item.variant), *cells, phrases.exponent(item), item.kind)
    return table


def headlines(outcome: Outcome) -> RenderableType:
    """Return a line for each variant, and for a series with prefixes the first bad patch."""
    lines = []
    for each in heads.of_run(outcome):
        style = _KINDS[heads.KINDS[each.word]]
        lines.append(Text.assemble(text.plain(f"{each.variant}: "), (each.word, f"bold {style}"), f" - {heads.why(each)}"))
    return Group(*lines, *(Text(text.plain(patchwise.conclusion(series))) for series in _series(outcome)))


def machines(outcome: Outcome, points: Iterable[Point]) -> RenderableType:
    """Return a line for each machine; `points` are those of a sweep."""
    content = Content(
        provenance=outcome.provenance,
        comparisons=outcome.comparisons,
        findings=outcome.findings,
        results=outcome.results,
        points=tuple(points),
        slopes=outcome.slopes,
    )
    return Group(
        *(Text.assemble((text.plain(of.machine), _KINDS[of.kind]), text.plain(f": {of.line}")) for of in verdicts.verdicts(content))
    )


def patches(outcome: Outcome) -> RenderableType:
    """Return for each series with prefixes in the run its matrices of tests by patches, and the conclusion."""
    shown: list[RenderableType] = []
    for series in _series(outcome):
        shown += [Fitted(_matrix(matrix, str), _matrix(matrix, phrases.short_test)) for matrix in series.matrices]
        shown.append(Text(text.plain(patchwise.conclusion(series)), style="bold red" if series.first_bad else ""))
    return Group(*shown)


def _series(outcome: Outcome) -> list[prefixes.Series]:
    return prefixes.series(outcome.provenance, outcome.steps, outcome.findings, outcome.results)


def _matrix(matrix: prefixes.Matrix, named: Callable[[str], str]) -> Table:
    title = f"{matrix.machine}, {matrix.profile}, {matrix.clock}: each patch against the one before"
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    table.add_column("test")
    for step in matrix.steps:
        table.add_column(escape(step.variant), justify="right")
    for row in matrix.rows:
        table.add_row(escape(named(row.test)), *(Text(patchwise.entry(e), style=_KINDS[patchwise.kind(e)]) for e in row.entries))
    return table


def findings(provenance: Provenance, findings: Sequence[Finding]) -> RenderableType:
    """Return what is unexpected, each with the lines of its log that matter and the command that repeats it; what is dismissed."""
    lines: list[RenderableType] = []
    all_causes = causes(findings, tuple(provenance.patches))
    for group in groups(cause for cause in all_causes if cause.unexpected):
        lines += [Text(text.plain(words.sentence(cause)), style="bold red") for cause in group]
        left = (finding.left for cause in group for finding in cause.findings if finding.left)
        lines += [Text(text.plain(f"  left to look at: {each}")) for each in left]
        log = excerpt.matters(group[0].first.trouble, _LINES).splitlines()
        lines += [Text(text.plain(f"    {line}"), style="dim", no_wrap=True, overflow="ellipsis") for line in log]
        again = reproduce.command(group[0].first, provenance)
        # In lines that a shell goes on with: one that the terminal broke could not be copied.
        lines += [Text("  again:"), Text(plaintext.command(again) or f"      {text.plain(again)}")]
    lines += [Text(text.plain(words.sentence(cause)), style="dim") for cause in all_causes if cause.dismissed]
    return Group(*lines)


def summary(
    provenance: Provenance,
    comparisons: Sequence[Comparison],
    findings: Sequence[Finding],
    results: Sequence[Result],
) -> RenderableType:
    """Return all that belongs to a report besides the figures and what is unexpected: notes, known bugs, counts."""
    lines: list[RenderableType] = [Text(text.plain(f"note: {note}"), style="yellow") for note in provenance.notes]
    bugs = bug_table.rows(provenance, findings, results)
    told = {bug.reason for bug in bugs}
    known = [cause for cause in causes(findings, tuple(provenance.patches)) if cause.expected and cause.expected not in told]
    lines += [Text(text.plain(words.sentence(cause))) for cause in known]
    for reason in reasons(results, "error"):
        failed = f"RIG FAILED: {words.where(reason)}: {reason.first.reason}"
        lines.append(Text(text.plain(failed), style="bold red"))
    if bugs:
        lines.append(_known(bugs))
    counted = ", ".join(phrases.outcomes(Counter(result.outcome for result in results))) or "none"
    worse = sum(c.regression for c in comparisons)
    compared = f"Regressions: {f'{worse} past the threshold of {provenance.threshold:g} %' if worse else 'none'}."
    if undecided := sum(c.verdict == "undecided" for c in comparisons):
        compared += f" Undecided: {undecided}."
    if not comparisons:
        compared = "The module printed no times." if provenance.module else "No performance test was timed."
    elif all(c.change is None for c in comparisons):
        compared = f"{'Stock only' if provenance.stock_only else 'One side only'}: nothing was compared."
    lines.append(Text(f"Tests: {counted}.{_counted(findings)} {compared}"))
    return Group(*lines)


def _counted(findings: Sequence[Finding]) -> str:
    """Return the number of causes that were unexpected or dismissed, as a sentence; empty if there are none."""
    all_causes = causes(findings)
    counts = {"unexpected": sum(c.unexpected for c in all_causes), "dismissed": sum(bool(c.dismissed) for c in all_causes)}
    parts = [f"{count} {word}" for word, count in counts.items() if count]
    return f" Causes of findings: {', '.join(parts)}." if parts else ""


def _known(bugs: Sequence[bug_table.BugRow]) -> Fitted:
    """Return a table of stock's known bugs by variant. Machines have a line each where they differ."""
    table = Table(title="Known bugs of stock", title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("bug")
    variants = dict.fromkeys(shown.variant for shown in bugs[0].shown)
    for variant in variants:
        table.add_column(escape(variant))
    for row in bugs:
        cells = [_shown([shown for shown in row.shown if shown.variant == variant]) for variant in variants]
        table.add_row(Text(text.plain(row.reason)), *cells)
    return Fitted(table)


def _shown(of: Sequence[bug_table.Shown]) -> Text:
    """Return the result for a bug in the kernels of a variant."""
    style = "bold red" if any(each.new for each in of) else "green" if all(each.fixed for each in of) else ""
    if len({each.words for each in of}) == 1:
        return Text(of[0].words, style=style)
    return Text("\n".join(f"{each.machine}: {each.words}" for each in of), style=style)
