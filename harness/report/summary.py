# SPDX-License-Identifier: GPL-2.0-only
"""Makes the summary of a run from its records and judgements."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from harness import text
from harness.kernlog import excerpt
from harness.model.records import Provenance
from harness.model.summary import (
    VERSION,
    BugOutcome,
    CellOutcome,
    Compared,
    ExitStatus,
    FoundCause,
    InPatch,
    Kernel,
    SeenIn,
    Settled,
    Side,
    Summary,
    Times,
    VariantOutcome,
)
from harness.model.trouble import Trouble
from harness.report import headlines, phrases, reproduce
from harness.report.contents import Content
from harness.stats import bug_table, compare, cost
from harness.stats.causes import Cause, causes
from harness.stats.compare import Comparison
from harness.stats.outcome import MEANINGS, WORDS

OUTCOMES = ("passed", "failed", "xfailed", "dismissed", "skipped", "error")
_LINES = 40
_CHARACTERS = 4096
"""of an excerpt, and of a title"""
_NONE = ("", "")


class Places(msgspec.Struct, frozen=True):
    """The patches of a run as files."""

    folders: Mapping[str, str] = {}
    """folder of a series relative to the project, by variant"""
    lines: Mapping[tuple[str, str, int], InPatch] = {}
    """by variant, file and line of the patched source"""


def of(content: Content, code: int, places: Places, files: Sequence[str]) -> Summary:
    """Return the summary of a run that ends with exit code `code` and whose folder has `files`."""
    run = content.provenance
    counts = Counter(result.outcome for result in content.results)
    return Summary(
        version=VERSION,
        run=run.run,
        rig=run.tools.get("kernel-patch-rig", ""),
        command=run.command,
        host=run.host,
        before=content.before.run if content.before else "",
        status=ExitStatus(code, MEANINGS[code], WORDS[code]),
        kernel=Kernel(run.kernel, run.version, run.source, run.source_tree, run.toolchain),
        settings=_settings(run),
        times=Times(run.started, run.finished, run.resumed, round(sum(result.seconds for result in content.results), 3)),
        proven=run.proven,
        planned=run.planned,
        machines=dict(run.machines),
        variants=tuple(_variants(content, places)),
        cells=tuple(CellOutcome(name, *_parts(name), key) for name, key in run.cells.items()),
        results={outcome: counts[outcome] for outcome in dict.fromkeys((*OUTCOMES, *counts))},
        failures=(),
        findings=tuple(_found(cause, content, places) for cause in causes(content.findings, tuple(run.patches))),
        comparisons=tuple(map(_compared, content.comparisons)),
        known_bugs=() if content.before else tuple(map(_bug, bug_table.rows(run, content.findings, content.results))),
        notes=run.notes,
        files=tuple(files),
    )


def _settings(run: Provenance) -> Settled:
    profiles = tuple(dict.fromkeys(_parts(cell)[2] for cell in run.cells))
    return Settled(profiles, run.clock, run.scale, run.loops, run.boots, run.threshold, dict(run.margins), run.hours)


def _variants(content: Content, places: Places) -> Iterator[VariantOutcome]:
    run = content.provenance
    told = {headline.variant: (headline.word.value, headlines.why(headline)) for headline in headlines.of(content)}
    for name in dict.fromkeys((*run.patches, *told)):
        patches, patchset = run.patches.get(name, ()), run.patchsets.get(name, "")
        yield VariantOutcome(name, patches, patchset, places.folders.get(name, ""), *told.get(name, _NONE))


def _parts(cell: str) -> tuple[str, str, str]:
    """Return machine, variant and profile of a cell; a variant's name has slashes if it is a path."""
    machine, _, rest = cell.partition("/")
    variant, _, profile = rest.rpartition("/")
    return machine, variant, profile


def _found(cause: Cause, content: Content, places: Places) -> FoundCause:
    first = cause.first
    trouble = first.trouble
    return FoundCause(
        state="known" if cause.expected else "dismissed" if cause.dismissed else "unexpected",
        reason=cause.expected or cause.dismissed,
        variant=cause.variant,
        fingerprint=cause.fingerprint,
        kind=trouble.kind,
        severity=trouble.severity.value,
        title=text.plain(trouble.title)[:_CHARACTERS],
        function=text.plain(trouble.function),
        where=trouble.where,
        patch=_in_patch(cause.variant, trouble, places),
        machines=cause.machines,
        profiles=cause.profiles,
        tests=cause.tests,
        boots=cause.boots,
        log=first.log,
        lines=(trouble.first, trouble.last),
        excerpt=text.plain(excerpt.matters(trouble, _LINES))[:_CHARACTERS],
        repeat=reproduce.command(first, content.provenance),
    )


def _in_patch(variant: str, trouble: Trouble, places: Places) -> InPatch | None:
    """Return the line of the series nearest to what went wrong: the blamed one, else that of the innermost frame; None if none."""
    file, _, line = trouble.where.rpartition(":")
    blamed = [(file, int(line))] if line.isdecimal() else []
    for name, number in (*blamed, *((frame.file, frame.line) for frame in trouble.frames if frame.sure)):
        if found := places.lines.get((variant, name, number)):
            return found
    return None


def _compared(one: Comparison) -> Compared:
    return Compared(
        one.test,
        one.machine,
        one.profile,
        one.clock,
        one.variant,
        one.against,
        one.unit,
        one.ratio,
        one.interval,
        one.verdict,
        one.regression,
        _side(one.baseline),
        _side(one.measured),
    )


def _side(of: compare.Summary | None) -> Side | None:
    return Side(of.median, of.spread, of.count, of.boots) if of else None


def _bug(row: bug_table.BugRow) -> BugOutcome:
    shown = (SeenIn(each.variant, each.machine, each.word, each.fixed, each.new) for each in row.shown)
    return BugOutcome(row.reason, row.tests, tuple(shown))


def known(of: Summary, variant: str) -> str:
    """Return lines of plain text on what is known of a variant: its findings, comparisons, bugs of stock, and the run's command."""
    lines = [f"{of.run}: {of.status.meaning}"]
    for found in of.findings:
        if found.variant == variant:
            where = f" ({found.where})" if found.where else ""
            lines.append(f"{found.state}: {found.kind}: {found.title}{where}, in {', '.join(found.tests)} [{found.fingerprint}]")
            lines += [f"  again: {found.repeat}"] if found.state == "unexpected" else []
    for one in of.comparisons:
        if one.variant == variant and one.ratio is not None:
            change = f"{phrases.percent(cost.change(one.ratio))} % {one.unit} against {one.against}"
            lines.append(f"{one.verdict}: {one.test} on {one.machine}: {change}")
    for bug in of.known_bugs:
        lines += [f"fixed on {each.machine}: {bug.reason}" for each in bug.shown if each.variant == variant and each.fixed]
    return "\n".join((*lines, *of.notes, f"Run: {of.command}"))
