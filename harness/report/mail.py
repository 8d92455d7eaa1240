# SPDX-License-Identifier: GPL-2.0-only
"""The report as a mail to a mailing list: Markdown that reads as plain text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness import text
from harness.kernlog import excerpt
from harness.model.records import Provenance
from harness.report import (
    changes,
    coverage,
    findings,
    headlines,
    phrases,
    prefixes,
    reproduce,
    rows,
    scaled,
    soak,
    verdicts,
    views,
    why,
    within,
)
from harness.report.contents import Content
from harness.report.phrases import short_test
from harness.report.plaintext import command, heading, item, paragraph, quoted, table
from harness.report.plots.canvas import Palette
from harness.stats import bug_table, geomean, latency, lock_growth
from harness.stats import within as inner
from harness.stats.causes import causes, groups, reasons
from harness.stats.compare import Comparison
from harness.stats.lock_growth import LockGrowth

_LINES = 12
"""of a finding's log"""
_FUNCTIONS = 5
"""of a comparison"""
_NEVER = 20
"""lines that no test reached"""


def mail(content: Content) -> str:
    """Return the mail in ASCII, with lines of at most 75 columns. An empty part of `content` is left out."""
    palette = views.palette(content)
    parts = [
        *_top(content),
        *_findings(content),
        *_within(content),
        *_comparisons(content),
        *_whys(content),
        *_coverages(content),
        *_soaks(content),
        *_patches(content),
        *_growths(content, palette),
        *_lock_growths(content),
        *_latencies(content, palette),
        *_sections(content, palette),
        *_published(content),
        *_known(content),
        *_changes(content),
        *_scaled(content),
        *_missing(content),
        *_provenance(content),
    ]
    return "\n\n".join(parts) + "\n"


def _top(content: Content) -> Iterator[str]:
    yield heading(views.title(content), "=")
    yield "\n".join(item(headlines.line(headline)) for headline in headlines.of(content))
    if series := prefixes.of(content):
        yield "\n".join(item(prefixes.conclusion(one)) for one in series)
    if content.provenance.stock_only:
        yield paragraph("Stock-only run: this kernel has no series; nothing is compared.")
    yield "\n".join(item(f"{verdict.machine}: {verdict.line}") for verdict in verdicts.verdicts(content))
    for note in content.provenance.notes:
        yield paragraph(f"Note: {note}")


def _known(content: Content) -> Iterator[str]:
    if bugs := bug_table.rows(content.provenance, content.findings, content.results):
        yield heading("Known bugs of stock")
        for row in bugs:
            yield item(f"{row.reason} ({', '.join(row.tests)})")
            cells = [(s.variant, s.machine, s.words) for s in row.shown]
            yield table(("variant", "machine", ""), _once(cells, 1), left=2, under=True)
        yield paragraph(phrases.KNOWN)
    known = [cause for cause in causes(content.findings, tuple(content.provenance.patches)) if cause.expected]
    yield from (item(findings.sentence(cause)) for cause in known)


def _changes(content: Content) -> Iterator[str]:
    if content.changes:
        yield heading(changes.TITLE)
    for row in changes.rows(content.changes):
        yield item(f"{row.cell} against {row.against}: {row.sentence}")
        if row.functions:
            yield table(("function", "file", "bytes", ""), [(f.name, f.file, f.size, f.kind) for f in row.shown], under=True)
        if row.more:
            yield paragraph(f"and {row.more} more, which report.html has", "  ", "  ")


def _scaled(content: Content) -> Iterator[str]:
    if found := scaled.rows(content.scaled):
        yield heading(scaled.TITLE)
        yield paragraph(scaled.ABOUT)
        yield "\n".join(item(f"{row.place}: {row.done}, in place of {row.asked}") for row in found)


def _within(content: Content) -> Iterator[str]:
    if tallies := inner.tallies(content.within, content.results):
        yield heading(within.TITLE)
        cells = [(text.plain(of.test), of.machine, of.variant, *within.counts(of)) for of in within.told(tallies)]
        if cells:
            yield table(("test", "machine", "variant", *within.HEADS), _once(cells, 1), left=3, under=True)
        yield paragraph(within.sentence(tallies))


def _comparisons(content: Content) -> Iterator[str]:
    for group in views.by_unit(content.comparisons):
        means = {mean.variant: mean for mean in geomean.means(group.items)}
        for variant in dict.fromkeys(c.variant for c in group.items):
            mine = [c for c in group.items if c.variant == variant]
            against = mine[0].against
            counts = "; ".join(dict.fromkeys(phrases.counts(c) for c in mine))
            yield heading(f"{variant} against {against}, {group.heading}" if variant else f"{against}, {group.heading}")
            if variant:
                names = [short_test(c.test) for c in mine]
                judged = [(_bare(phrases.change(c)), phrases.interval(c), phrases.verdict(c) + _mark(c)) for c in mine]
                changes = [(name, *words) for name, words in zip(names, judged, strict=True)]
                yield table(("test", "change %", "95 % interval", "verdict"), changes)
                if any(c.regression for c in mine):
                    yield paragraph(
                        f"(R) is a regression: {phrases.worse(mine[0])} by more than {mine[0].threshold:g} %.", "    ", "    "
                    )
            if variant in means:
                yield paragraph(f"{phrases.mean_line(means[variant])}.", "    ", "    ")
            yield paragraph(f"Medians in {mine[0].unit}, half the range of the samples in %, samples / boots {counts}:")
            sides = ([against, "+-%", variant, "+-%"]) if variant else [against, "+-%"]
            yield table(("test", *sides), [(short_test(c.test), *_sides(c, both=bool(variant))) for c in mine])
    if gaps := views.gaps(content.comparisons, content.results):
        yield "\n".join(map(item, gaps))
    for limit in views.limits(content):
        yield paragraph(limit)
    if any(c.change is not None for c in content.comparisons):
        margins = sorted({(c.clock, c.margin) for c in content.comparisons})
        within = ", ".join(f"{margin:g} % ({clock})" for clock, margin in margins)
        yield paragraph(
            f'{phrases.SIGN} Intervals are over boots. "Same" lies within {within}. Tests are named without _alloc_test.'
            f"{f' {phrases.MEAN}' if geomean.means(content.comparisons) else ''}"
        )


def _whys(content: Content) -> Iterator[str]:
    judged = {(c.machine, c.profile, c.test, c.variant) for c in content.comparisons if c.verdict in ("slower", "faster")}
    for shown in (why.shown(of, _FUNCTIONS) for of in content.whys):
        if shown.rows and (shown.of.machine, shown.of.profile, shown.of.test, shown.of.variant) in judged:
            yield heading(f"Why: {short_test(shown.of.test)}, {shown.of.variant} against {shown.of.against}, {shown.of.machine}")
            rows = [*shown.rows, shown.others, shown.sum]
            figures = [(row.function, f"{row.stock:,.1f}", f"{row.value:,.1f}", f"{row.change:+,.1f}") for row in rows]
            yield table(("function", shown.of.against, shown.of.variant, "change"), figures)
            for doubt in shown.of.doubts:
                yield paragraph(doubt)
    if content.whys:
        yield paragraph(f"The {_FUNCTIONS} functions that differ most, of tests that are slower or faster. {why.ABOUT}")
    if longest := why.longest(content.locked):
        yield heading("Longest sections under a lock, in instructions")
        cells = [(of.machine, short_test(of.test), of.variant, f"{of.longest:,}", of.function) for of in longest]
        yield table(("machine", "test", "variant", "longest", "taken in"), _once(cells, 2), left=3)
        yield paragraph(why.LOCKS)


def _coverages(content: Content) -> Iterator[str]:
    if content.coverages:
        yield heading("Changed lines that ran")
    for of in content.coverages:
        yield item(f"{coverage.sentence(of)}.")
        never = [line for file in of.files for line in file.unreached]
        if never:
            yield quoted("\n".join(f"{line.file}:{line.line}: {line.text.strip()}" for line in never), _NEVER)
        if len(never) > _NEVER:
            yield paragraph(f"and {len(never) - _NEVER} more, which report.html has", "  ", "  ")
    if content.coverages:
        yield paragraph(coverage.ABOUT)


def _patches(content: Content) -> Iterator[str]:
    for series in prefixes.of(content):
        for matrix in series.matrices:
            yield heading(f"{series.name} patch by patch, change in %, {prefixes.heading(matrix)}")
            figures = [(short_test(row.test), *(prefixes.entry(e).replace(" %", "") for e in row.entries)) for row in matrix.rows]
            yield table(("test", *(step.variant for step in matrix.steps)), figures)
        yield paragraph(f"{prefixes.conclusion(series)}.")
        yield paragraph(prefixes.ABOUT)


def _sides(of: Comparison, *, both: bool) -> list[str]:
    cells = []
    for side in (of.baseline, of.measured) if both else (of.baseline,):
        cells += [text.figure(side.median), _bare(phrases.spread(side))[1:]] if side else ["-", "-"]
    return cells


def _latencies(content: Content, palette: Palette) -> Iterator[str]:
    for group in views.groups(content.histograms):
        latencies = rows.percentiles(group.items, palette)
        if not latencies:
            continue
        yield heading(f"Latency in {latencies[0].unit}, {group.heading}")
        figures = [
            (short_test(row.test), row.variant, *map(text.figure, (row.p50, row.p99, row.p99_9, row.highest))) for row in latencies
        ]
        yield table(("test", "variant", "p50", "p99", "p99.9", "max"), _once(figures, 1), left=2)
        counts = dict.fromkeys(f"{row.operations:,} / {row.boots}" for row in latencies)
        read = text.figure(max(row.overhead for row in latencies))
        yield paragraph(f"Operations / boots of a row: {'; '.join(counts)}. Reading the clock is part of it, up to {read}.")


def _sections(content: Content, palette: Palette) -> Iterator[str]:
    for group in views.groups(content.sections):
        yield heading(f"Longest stretch with preemption off, {group.heading}")
        longest = views.ordered(latency.longest(group.items), palette)
        unit = phrases.stretch(0, group.clock)[1]
        cells = [(short_test(s.test), s.variant, f"{phrases.stretch(s.microseconds, s.clock)[0]:,.0f}", s.ended) for s in longest]
        yield table(("test", "variant", unit, "ended in"), _once(cells, 1), left=2)

    if content.sections:
        remarks = dict.fromkeys(phrases.of_the_clock(s.clock) for s in content.sections)
        yield paragraph(" ".join(["The proposal's bound is 1 ms.", *(f"{each}." for each in remarks if each), phrases.FULL_LENGTH]))


def _growths(content: Content, palette: Palette) -> Iterator[str]:
    for group in views.groups(content.points):
        fits = rows.growths(group.items, palette)
        yield heading(f"Growth exponents, 95 % intervals, {group.heading}")
        figures = [(row.axis, row.workload, row.variant, phrases.exponent(row), row.kind or "-") for row in fits]
        yield table(("grows", "workload", "variant", "exponent", ""), _once(figures, 2), left=3)


def _lock_growths(content: Content) -> Iterator[str]:
    if found := lock_growth.by_size(content.locked):
        yield heading("Longest sections under a lock against size, in instructions")
        cells = [(row.machine, row.workload, row.axis, row.variant, *_ends(row), f"{row.spread:.2f}") for row in found]
        yield table(("machine", "workload", "grows", "variant", "smallest size", "largest", "max/min"), _once(cells, 3), left=4)


def _ends(row: LockGrowth) -> tuple[str, str]:
    """Return the longest sections at the smallest and at the largest size."""
    sizes = list(row.longest.values())
    return f"{sizes[0]:,}", f"{sizes[-1]:,}"


def _published(content: Content) -> Iterator[str]:
    items = views.beside(content)
    if not items:
        return
    yield heading(f"Published (RFC, October 2018) and ours (scale {phrases.work(content.provenance)}), change in %")
    yield paragraph(phrases.size_beside(content.provenance))
    for variant, profile, clock in dict.fromkeys((b.variant, b.profile, b.clock) for b in items):
        mine = [b for b in items if (b.variant, b.profile, b.clock) == (variant, profile, clock)]
        yield paragraph(f"{variant}, profile {profile}, clock {clock}:")
        figures = [
            (
                b.machine,
                short_test(b.test),
                phrases.percents(b.their_changes),
                _bare(phrases.changed(b.change)),
                "-" if b.factor is None else f"{b.factor:.2f}",
                phrases.DIRECTIONS[b.direction],
            )
            for b in mine
        ]
        yield table(("machine", "test", "published", "ours", "factor", "direction"), figures, left=2)
    yield paragraph(f"The factor is the ratio of the speed-ups. {phrases.BESIDE}")


def _soaks(content: Content) -> Iterator[str]:
    for group in views.groups(content.slopes):
        for variant in dict.fromkeys(slope.variant for slope in group.items):
            mine = [slope for slope in group.items if slope.variant == variant]
            yield heading(f"Soak of {variant}, {group.heading}: {mine[0].rounds} rounds")
            cells = [(r.slope.figure, r.last, r.per_round, r.interval, r.verdict) for r in soak.rows(mine)]
            yield table(("figure", "at last", "a round", "95 % interval", "verdict"), cells)
    if content.slopes:
        yield paragraph(soak.METHOD)


def _findings(content: Content) -> Iterator[str]:
    if not content.findings and not content.results:
        return
    yield heading("Findings that are not expected")
    all_causes = causes(content.findings, tuple(content.provenance.patches))
    for group in groups(cause for cause in all_causes if cause.unexpected):
        for cause in group:
            yield item(findings.sentence(cause))
            for left in (finding.left for finding in cause.findings if finding.left):
                yield paragraph(f"Left to look at: {left}.", "  ", "  ")
        first = group[0].first
        if first.trouble.text.strip():
            yield quoted(excerpt.matters(first.trouble, _LINES), _LINES)
        again = command(reproduce.command(first, content.provenance))
        yield f"  Again:\n\n{again}" if again else "  Again: report.html has the command."
    if not any(cause.unexpected for cause in all_causes):
        yield "None."
    yield from (item(findings.sentence(cause)) for cause in all_causes if cause.dismissed)
    for outcome in ("error", "failed"):
        for reason in reasons(content.results, outcome):
            yield item(f"{findings.where(reason)}: {outcome}: {reason.first.reason}")


def _missing(content: Content) -> Iterator[str]:
    if missing := views.missing(content):
        yield heading("Not in this run")
        yield "\n".join(map(item, missing))


def _provenance(content: Content) -> Iterator[str]:
    yield heading("Provenance")
    for run in (content.before, content.provenance):
        if run is not None:
            yield "\n".join(item(line) for line in _facts(run))
    for proof in rows.proofs(content.boots):
        booted = proof.booted
        module = f"module {booted.module_build_id}" if booted.module_build_id else "its module was not loaded"
        yield item(f"{proof.cell}, {proof.clock}: {proof.boots} proven, build-id {booted.build_id}, {module}, QEMU {booted.qemu}")


def _facts(run: Provenance) -> Iterator[str]:
    yield f"run {run.run}, {run.started} to {run.finished or 'not finished'}, scale {phrases.work(run)}"
    if run.resumed:
        yield f"resumed {', '.join(run.resumed)}"
    yield f"repeat: {run.command}"
    yield f"Linux {run.version} from {run.source}, git tree {run.source_tree}"
    yield f"built with the toolchain {run.toolchain}"
    if run.module:
        yield f"tests: of the module {phrases.module(run.module)}, in place of the rig's own"
    for variant, names in run.patches.items():
        yield f"{variant}: {', '.join(names) or 'no patches'}"
    for machine, facts in run.machines.items():
        yield f"{machine}: {facts}"
    yield f"host: {run.host}"
    if run.selfcheck:
        yield f"precision: {run.selfcheck}"
    for cell, audit in run.audited.items():
        yield f"{cell}: audited {audit}"
    for tool, version in run.tools.items():
        yield f"{tool}: {version}"


def _once(cells: Sequence[tuple[str, ...]], columns: int) -> list[tuple[str, ...]]:
    """Return rows whose first `columns` are blank where they repeat those of the row above."""
    blank = ("",) * columns
    pairs = zip([(), *cells], cells, strict=False)
    return [(*blank, *row[columns:]) if before[:columns] == row[:columns] else row for before, row in pairs]


def _bare(percent: str) -> str:
    return percent.removesuffix(" %")


def _mark(of: Comparison) -> str:
    return " (R)" if of.regression else ""
