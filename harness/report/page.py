# SPDX-License-Identifier: GPL-2.0-only
"""The HTML report: one file, no network, nothing of the guest's text trusted."""

from __future__ import annotations

import functools
import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

import jinja2

from harness import text
from harness.model.clock import Clock
from harness.model.trouble import framed
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
from harness.report.plots import distributions, forest, growth, memory, publication, sections
from harness.report.plots import latency as latency_plot
from harness.report.plots import soak as soak_plot
from harness.report.plots.canvas import Palette
from harness.report.template import render
from harness.stats import bug_table, geomean, latency, lock_growth
from harness.stats import within as inner
from harness.stats.causes import causes, groups, reasons
from harness.stats.compare import Comparison

_FILTERS = {
    function.__name__: function
    for function in (
        framed,
        text.figure,
        text.size,
        text.signed,
        phrases.value,
        phrases.counts,
        phrases.change,
        phrases.interval,
        phrases.verdict,
        phrases.mean,
        phrases.without,
        phrases.percent,
        phrases.percents,
        phrases.exponent,
        phrases.of_the_clock,
    )
}
_HEADING = re.compile(r'<h2 id="([\w-]+)">(.*?)</h2>')
"""a section's heading, which no text of a guest can be: there it is escaped"""


def html(content: Content) -> str:
    """Return the whole page. An empty part of `content` is left out."""
    palette = views.palette(content)
    return render(
        "report.html.j2",
        _FILTERS | {"outline": _outline},
        content=content,
        run=content.provenance,
        title=views.title(content),
        headlines=headlines.of(content),
        verdicts=verdicts.verdicts(content),
        series=prefixes.of(content),
        palette=palette,
        known=bug_table.rows(content.provenance, content.findings, content.results),
        changes=changes.rows(content.changes),
        changes_title=changes.TITLE,
        most_changes=changes.MOST,
        comparisons=_comparisons(content, palette),
        forests=_forests(content),
        gaps=views.gaps(content.comparisons, content.results),
        **_reasons(content),
        latencies=_latencies(content, palette),
        sections=_sections(content, palette),
        growths=_growths(content, palette),
        lock_growths=lock_growth.by_size(content.locked),
        memories=_memories(content, palette),
        soaks=_soaks(content, palette),
        method=soak.METHOD,
        inner=inner.tallies(content.within, content.results),
        within=within,
        **_published(content, palette),
        **_findings(content),
        reasons={outcome: reasons(content.results, outcome) for outcome in ("error", "failed")},
        scaled=scaled.rows(content.scaled),
        scaling=scaled,
        proofs=rows.proofs(content.boots),
        stress=rows.stress(content.samples, (c.test for c in content.comparisons)),
        limits=views.limits(content),
        missing=views.missing(content),
        outcomes=phrases.outcomes(Counter(result.outcome for result in content.results)),
        phrases=phrases,
        heads=headlines,
        patchwise=prefixes,
        words=findings,
        by_function=why,
        ran=coverage,
    )


def _comparisons(content: Content, palette: Palette) -> list[dict[str, Any]]:
    return [
        {
            "group": group,
            **_by_change(views.ordered(group.items, palette)),
            "means": geomean.means(group.items),
            "unit": group.items[0].unit,
            "plot": distributions.plot(group.items, palette, f"distribution-{group.id}", group.heading),
        }
        for group in views.by_unit(content.comparisons)
    ]


def _reasons(content: Content) -> dict[str, Any]:
    shown = sorted((why.shown(of) for of in content.whys), key=lambda s: -abs(s.of.share))
    ids = {(s.of.machine, s.of.profile, s.of.test, s.of.variant): s.id for s in shown}
    judged = [(c, ids.get((c.machine, c.profile, c.test, c.variant))) for c in content.comparisons]
    return {
        "worse": {name for c, name in judged if c.regression},
        "differing": {name for c, name in judged if c.verdict in ("slower", "faster")},
        "whys": shown,
        "anchors": ids,
        "locks": why.longest(content.locked),
        "coverages": content.coverages,
    }


def _forests(content: Content) -> list[dict[str, Any]]:
    """Return a forest plot for each variant in a profile and under a clock, with all machines in it."""
    machines, means = views.machines(content), geomean.means(content.comparisons)
    panels: dict[tuple[str, Clock, str], list[Comparison]] = {}
    for item in content.comparisons:
        panels.setdefault((item.profile, item.clock, item.variant), []).append(item)
    shown = []
    for number, (panel, items) in enumerate(panels.items()):
        mine = [mean for mean in means if (mean.profile, mean.clock, mean.variant) == panel]
        if plot := forest.plot(items, mine, machines, f"forest-{number}"):
            shown.append({"of": items[0], "plot": plot})
    return shown


def _by_change(ordered: Sequence[Comparison]) -> dict[str, Sequence[Comparison]]:
    """Return the rows of tests in which a variant is not the same, and those of the others; tests stay in their order."""
    changed = {item.test for item in ordered if item.verdict != "same"}
    return {
        "changed": [item for item in ordered if item.test in changed],
        "same": [item for item in ordered if item.test not in changed],
    }


def _findings(content: Content) -> dict[str, Any]:
    all_causes = causes(content.findings, tuple(content.provenance.patches))
    return {
        "causes": all_causes,
        "unexpected": groups(cause for cause in all_causes if cause.unexpected),
        "dismissed": groups(cause for cause in all_causes if cause.dismissed),
        "as_known": [cause for cause in all_causes if cause.expected],
        "again": functools.partial(reproduce.command, run=content.provenance),
    }


def _outline(body: str) -> list[tuple[str, str]]:
    """Return the anchor and the title of each section of a page."""
    return [(anchor, jinja2.filters.do_striptags(title.partition("<small>")[0])) for anchor, title in _HEADING.findall(body)]


def _latencies(content: Content, palette: Palette) -> list[dict[str, Any]]:
    shown = []
    for group in views.groups(content.histograms):
        lines = rows.percentiles(group.items, palette)
        if lines:
            plot = latency_plot.plot(rows.curves(group.items), lines[0].unit, palette, f"latency-{group.id}", group.heading)
            shown.append({"group": group, "rows": lines, "plot": plot, "unit": lines[0].unit})
    return shown


def _sections(content: Content, palette: Palette) -> list[dict[str, Any]]:
    shown = []
    for group in views.groups(content.sections):
        plot = sections.plot(group.items, palette, f"sections-{group.id}", group.heading)
        longest = sorted(latency.longest(group.items), key=lambda item: -item.microseconds)
        shown.append({"group": group, "rows": longest, "plot": plot})
    return shown


def _growths(content: Content, palette: Palette) -> list[dict[str, Any]]:
    shown = []
    for group in views.groups(content.points):
        lines = rows.growths(group.items, palette)
        plots = [
            growth.plot([row for row in lines if row.axis == axis], palette, f"growth-{group.id}-{axis}", group.heading)
            for axis in dict.fromkeys(row.axis for row in lines)
        ]
        shown.append({"group": group, "rows": lines, "plots": [plot for plot in plots if plot], "unit": lines[0].unit})
    return shown


def _memories(content: Content, palette: Palette) -> list[dict[str, Any]]:
    shown = []
    for group in views.groups(content.memory):
        lines = rows.grown(group.items, palette)
        names = list(dict.fromkeys(name for row in lines for name in row.values))
        plot = memory.plot(group.items, palette, f"memory-{group.id}", group.heading)
        shown.append({"group": group, "rows": lines, "names": names, "plot": plot})
    return shown


def _soaks(content: Content, palette: Palette) -> list[dict[str, Any]]:
    shown = []
    for group in views.groups(content.slopes):
        looks = [look for look in content.looks if (look.machine, look.profile) == (group.machine, group.profile)]
        drawn = soak_plot.plot(looks, group.items, palette, f"soak-{group.id}", group.heading)
        shown.append({"group": group, "rows": soak.rows(group.items), "plot": drawn})
    return shown


def _published(content: Content, palette: Palette) -> dict[str, Any]:
    items = [item for group in views.groups(views.beside(content)) for item in views.ordered(group.items, palette)]
    return {
        "published": items,
        "boards": {item.board: item.machine for item in items},
        "publication": publication.plot(items, palette, "published"),
    }
