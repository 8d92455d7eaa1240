# SPDX-License-Identifier: GPL-2.0-only
"""Brings a run to its end: reads its records, judges them, and writes the report."""

from __future__ import annotations

import functools
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import msgspec

from harness import paths
from harness.errors import RigError, UsageError
from harness.host import files
from harness.model import catalog, foreign, records
from harness.model.matrix import STOCK
from harness.model.order import asked
from harness.model.records import Finding, Provenance, Sample
from harness.model.run_folder import COMPRESSED, Run
from harness.model.summary import Summary
from harness.report import summary
from harness.report.contents import Content
from harness.report.junit import junit
from harness.runs import history, patch_places
from harness.stats import baseline, compare, coverage, leaks, prefixes, published, slopes, why
from harness.stats.dismissals import applied, excused
from harness.stats.outcome import Outcome, exit_code
from harness.stats.slopes import Slope
from harness.suite import plan

JUNIT, SUMMARY = "junit.xml", "summary.json"


def finish(run: Run, unfinished: str) -> Outcome:
    """Note that the run is finished, and write the report.

    Raises RigError if the disk has no room for either. It names the command to call then: `unfinished` if the run could not be
    noted as finished, or the rig failed in one of its tests.
    """
    try:
        run.change(finished=records.now(), proven=run.proven())
        return conclude(run)
    except RigError as error:
        failed = any(result.outcome == "error" for result in run.results())
        again = "report" if run.provenance().finished and not failed else unfinished
        hint = f"The records of the run are whole: once that is mended, `invoke {again} {run.folder.name}` writes the report."
        raise RigError(f"{error} {hint}") from error


class Judged(msgspec.Struct, frozen=True):
    """A run's records, judged."""

    outcome: Outcome
    content: Content
    """of its report"""
    summary: Summary


def conclude(run: Run) -> Outcome:
    """Write the report of a run, its junit.xml and its summary.json, and point ``results/latest`` to it."""
    judged = judge(run)
    content = judged.content
    _write_report(run.folder, "report", content)
    files.write(run.folder / JUNIT, junit(content.provenance, content.results, content.findings))
    files.write(run.folder / SUMMARY, encoded(judged.summary))
    point_latest(run.folder)
    return judged.outcome


def encoded(made: Summary) -> bytes:
    """Return a summary as the file has it."""
    return msgspec.json.format(msgspec.json.encode(made)) + b"\n"


def judge(run: Run) -> Judged:
    """Return what a run's records amount to; nothing is written."""
    provenance = run.provenance()
    results = tuple(run.results())
    dismissals, unread = history.dismissals()
    provenance = msgspec.structs.replace(
        provenance,
        notes=(*provenance.notes, *_limits(run, provenance), *([unread] if unread else [])),
        proven=run.proven() or not results,
        left_out=len(run.left_out()),
    )
    order = asked(provenance)
    judged = order.arranged(slopes.slopes(run.looks()))
    findings = found(run, judged)
    if provenance.hours:
        results += leaks.results(judged, findings)
    findings = applied(findings, dismissals)
    # A soak's findings are told once, but each of its rounds has a result.
    results = shown = excused(results, (*applied(run.findings(), dismissals), *findings))
    if provenance.hours:
        shown = leaks.condensed(results)
    samples = tuple(run.samples())
    tests = _compared(samples)
    comparisons = order.arranged(compare.compare(samples, tests, provenance.margins, provenance.threshold))
    before = prefixes.predecessors(provenance.patches)
    steps = order.arranged(compare.stepwise(samples, before, tests, provenance.margins, provenance.threshold))
    outcome = Outcome(run.folder, comparisons, findings, results, provenance, judged, steps)
    content = Content(
        provenance=provenance,
        comparisons=comparisons,
        steps=steps,
        findings=outcome.findings,
        results=shown,
        within=order.arranged(run.within()),
        samples=samples,
        histograms=order.arranged(run.histograms()),
        sections=order.arranged(run.sections()),
        memory=order.arranged(run.memory()),
        scaled=order.arranged(run.scaled()),
        points=order.arranged(run.points()),
        looks=tuple(run.looks()),
        boots=order.arranged(run.boots()),
        slopes=judged,
        changes=order.arranged(run.changes()),
        whys=tuple(why.explain(order.arranged(run.counted()))),
        locked=order.arranged(run.locked()),
        coverages=tuple(coverage.coverage(run.changed_lines(), run.reached(), provenance.patches)),
        published=published.load(),
    )
    return Judged(outcome, content, summary.of(content, exit_code(outcome), patch_places.of(run), _files(run.folder)))


def _files(folder: Path) -> list[str]:
    """Return the names of a run's files, those included that its report is made of."""
    made = {"report.html", "report.md", JUNIT, SUMMARY}
    return sorted(made | {file.name for file in folder.iterdir() if file.is_file() and not file.name.startswith(".")})


def _compared(samples: Iterable[Sample]) -> list[str]:
    """Return the tests of which samples are compared: performance tests, and all that are within a foreign module."""
    return [*catalog.performance(), *foreign.tests(sample.test for sample in samples)]


def found(run: Run, judged: Sequence[Slope]) -> tuple[Finding, ...]:
    """Return the findings of a run; of a soak each once, with the leaks that its `judged` slopes show."""
    findings = tuple(run.findings())
    if not run.provenance().hours:
        return findings
    base = plan.base_of(run.folder / "plan.json")
    return (*map(functools.partial(_as_kept, run), leaks.distinct(findings)), *leaks.findings(judged, base))


def _damage(run: Run) -> tuple[str, ...]:
    """Return a sentence that counts and names the lines that could not be read; none for a run without such."""
    lines = run.left_out()
    if not lines:
        return ()
    more = f"; and {len(lines) - _NAMED} more" if len(lines) > _NAMED else ""
    count = "1 record" if len(lines) == 1 else f"{len(lines)} records"
    named = "; ".join(lines[:_NAMED])
    return (f"{count} of {run.folder.name} could not be read, and left out here: {named}{more}.",)


def _limits(run: Run, provenance: Provenance) -> Iterator[str]:
    """Yield sentences about what the run lacks: records, proofs, tests, hours, or an uninterrupted course."""
    yield from _damage(run)
    results = run.results()
    if results and not run.proven():
        yield UNPROVEN
    if len(results) < provenance.planned:
        yield f"This run is not complete: {len(results)} of {provenance.planned} tests have a result."
    if provenance.resumed:
        when = ", ".join(provenance.resumed)
        yield f"This run was interrupted, and resumed at {when}; boots that were not finished were made again."
    if provenance.hours and not provenance.finished:
        hours = max((look.hours for look in run.looks()), default=0.0)
        yield f"This soak was ended after {hours:.2f} of {provenance.hours:g} hours."


def _as_kept(run: Run, finding: Finding) -> Finding:
    """Return a finding with the current name of its log, which may be compressed by now."""
    packed = f"{finding.log}{COMPRESSED}"
    return msgspec.structs.replace(finding, log=packed) if (run.folder / packed).exists() else finding


def across(before: Run, after: Run, threshold: float | None) -> Outcome:
    """Compare the cells that two runs share, and write the report of it into the folder of `after`.

    Of two kernel bases only stock is compared: a series of the same name is another one. Two toolchains are a note. Raises
    UsageError if they share none, or differ in scale or share of the loops.
    """
    old, provenance = before.provenance(), after.provenance()
    if unlike := baseline.unlike(old, provenance, kernel=False):
        raise UsageError(f"{old.run} and {provenance.run} cannot be compared: {', '.join(unlike)}.")
    damage = [sentence for run in (before, after) for sentence in _damage(run)]
    left_out = sum(len(run.left_out()) for run in (before, after))
    provenance = msgspec.structs.replace(provenance, notes=(*provenance.notes, *damage), left_out=left_out)
    if unproven := [run.folder.name for run in (before, after) if not run.proven()]:
        notes = (*provenance.notes, f"{' and '.join(unproven)}: {UNPROVEN[0].lower()}{UNPROVEN[1:]}")
        provenance = msgspec.structs.replace(provenance, notes=notes)
    threshold = provenance.threshold if threshold is None else threshold
    there, here = before.samples(), after.samples()
    if old.kernel != provenance.kernel:
        there, here = ([sample for sample in samples if sample.variant == STOCK] for samples in (there, here))
        note = f"{old.run} is of Linux {old.version}, {provenance.run} of {provenance.version}: stock alone is compared."
        provenance = msgspec.structs.replace(provenance, notes=(*provenance.notes, note))
    if old.toolchain != provenance.toolchain:
        provenance = msgspec.structs.replace(provenance, notes=(*provenance.notes, _compilers(old, provenance)))
    judged = compare.across(there, here, old.run, _compared([*there, *here]), provenance.margins, threshold)
    comparisons = asked(provenance).arranged(judged)
    if not any(c.ratio is not None for c in comparisons):
        raise UsageError(f"{old.run} and {provenance.run} have no performance test in common, by cell and clock.")
    provenance = msgspec.structs.replace(provenance, threshold=threshold, planned=0, proven=not unproven)
    name, content = report_name(before), Content(provenance=provenance, comparisons=comparisons, before=old)
    outcome = Outcome(after.folder, comparisons, (), (), provenance)
    _write_report(after.folder, name, content)
    made = summary.of(content, exit_code(outcome), patch_places.of(after), [f"{name}.{kind}" for kind in ("html", "json", "md")])
    files.write(after.folder / f"{name}.json", encoded(made))
    return outcome


def _compilers(old: Provenance, new: Provenance) -> str:
    """Return the sentence for a comparison of two runs whose kernels different compilers built."""
    sides = (f"{run.run} was built with {run.toolchain}" for run in (old, new))
    return f"{', '.join(sides)}: what differs may come from the compiler, and not from the source."


def report_name(before: Run) -> str:
    """Return the name of the report of a comparison with the run `before`."""
    return f"compared-with-{before.folder.name}"


def _write_report(folder: Path, name: str, content: Content) -> None:
    # These draw: Matplotlib takes half a second to import, which no other task should wait for.
    from harness.report.mail import mail
    from harness.report.page import html

    files.write(folder / f"{name}.html", html(content))
    files.write(folder / f"{name}.md", mail(content))


def point_latest(folder: Path) -> None:
    """Point ``results/latest`` to a folder of results/, unless it points to a newer one: an older report may be made again."""
    latest = paths.RESULTS / "latest"
    if folder.parent != paths.RESULTS or (latest.exists() and latest.resolve().name > folder.name):
        return
    temporary = latest.with_name(f".latest-{os.getpid()}")
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(folder.name)
    temporary.replace(latest)


_NAMED = 5
"""lines that cannot be read and that a report names; it counts the others"""
UNPROVEN = (
    "Not all boots proved that they ran what was built for them: these figures may be of another kernel."
    " Older runs had no such check; repeat them."
)
