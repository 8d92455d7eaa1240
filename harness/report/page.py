# SPDX-License-Identifier: GPL-2.0-only
"""The HTML report: one file, no network, nothing of the guest's text trusted."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import jinja2

from harness.compare import Comparison
from harness.records import Finding, Provenance, Result, Sample
from harness.report import text

_TEMPLATES = Path(__file__).parent / "templates"


def html(
    provenance: Provenance,
    comparisons: Sequence[Comparison],
    findings: Sequence[Finding],
    results: Sequence[Result],
    samples: Sequence[Sample],
) -> str:
    """Return the whole page."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(value=text.value, change=text.change)
    page = environment.get_template("report.html.j2").render(
        run=provenance,
        verdicts=[_verdict(machine, comparisons, findings, results) for machine in provenance.machines],
        comparisons=comparisons,
        findings=sorted(findings, key=lambda f: bool(f.expected)),
        results=results,
        stress=_stress(samples, comparisons),
        limits=[text.LIMITS[clock] for clock in sorted({c.clock for c in comparisons})],
    )
    return text.plain(page)


def _verdict(
    machine: str, comparisons: Sequence[Comparison], findings: Sequence[Finding], results: Sequence[Result]
) -> dict[str, object]:
    """Sum up a machine in one line, with the worst first."""
    parts, good = [], True
    unexpected = [f for f in findings if f.machine == machine and not f.expected]
    errors = [r for r in results if r.machine == machine and r.outcome == "error"]
    mine = [c for c in comparisons if c.machine == machine and c.change is not None]
    worse = [c for c in mine if c.verdict == "worse"]
    better = [c for c in mine if c.verdict == "better"]
    if errors:
        parts.append(f"the rig could not run {len(errors)} of the tests")
    if unexpected:
        parts.append(f"{len(unexpected)} unexpected finding{'s' if len(unexpected) > 1 else ''}")
    if worse:
        parts.append("costs more in " + ", ".join(f"{c.test} ({text.change(c)})" for c in worse))
    if errors or unexpected or worse:
        good = False
    else:
        parts.append("no unexpected finding, no regression" if mine else "no unexpected finding; nothing was compared")
    if better:
        parts.append("costs less in " + ", ".join(f"{c.test} ({text.change(c)})" for c in better))
    return {"machine": machine, "good": good, "text": "; ".join(parts) + "."}


def _stress(samples: Sequence[Sample], comparisons: Sequence[Comparison]) -> list[tuple[str, int]]:
    """Count the operations that the tests which are not compared did in all."""
    compared = {c.test for c in comparisons}
    total: dict[str, int] = {}
    for sample in samples:
        if sample.test not in compared:
            key = f"{sample.machine}/{sample.variant}/{sample.profile} {sample.test}"
            total[key] = total.get(key, 0) + sample.operations
    return list(total.items())
