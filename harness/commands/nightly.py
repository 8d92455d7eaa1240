# SPDX-License-Identifier: GPL-2.0-only
"""The unattended run: everything built and tested afresh, kept in the history, compared with the baseline, and summed up."""

from __future__ import annotations

import os
import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import msgspec

from harness import paths, text
from harness.build import cells, source
from harness.commands import cache
from harness.commands.transcript import Transcript
from harness.errors import RigError
from harness.host import files, shortage
from harness.host.shell import Line
from harness.model import catalog, matrix
from harness.model.audit import Audit
from harness.model.cache import Entry
from harness.model.matrix import STOCK, Base
from harness.model.run_folder import Run
from harness.model.selection import Selection, Where
from harness.report import github, headlines, phrases
from harness.report.markdown import escaped
from harness.runs import failed_build, history
from harness.runs.retention import LOG, Limits, Removed
from harness.stats.baseline import Baseline, Gate, gate
from harness.stats.outcome import ExitCode, Outcome, exit_code
from harness.suite.plan import Plan
from harness.vm import vms
from harness.vm.vms import Vm

SUMMARY = "GITHUB_STEP_SUMMARY"
_MEANING = {
    ExitCode.GOOD: "nothing unexpected, no regression",
    ExitCode.RIG_FAILED: "the rig failed, or the run is not complete",
    ExitCode.FINDING: "an unexpected finding",
    ExitCode.REGRESSION: "a regression",
}


class Parts(msgspec.Struct, frozen=True):
    """The functions that a night calls."""

    build: Callable[[Selection], Plan]
    test: Callable[[Plan, Where, str], Outcome]
    show: Callable[[Outcome], None]
    """prints a run's tables"""
    markdown: Callable[[Outcome], str]
    say: Line
    audit: Callable[[Plan, Selection], Audit] | None = None
    """builds one cell again without any cache, and compares; None leaves it out"""
    keep: Callable[[RigError, Selection, str], Path | None] = failed_build.keep
    """keeps a build that failed in a folder, and returns that"""
    sweep: Callable[[], object] = vms.sweep
    running: Callable[[], Iterable[Vm]] = vms.running
    """the VMs that were left up before the night"""
    stop_own: Callable[[], None] = vms.stop_own
    make_room: Callable[[Limits], Sequence[Removed]] = history.make_room
    """removes old nights"""
    prune: Callable[[int], Sequence[Entry]] = cache.prune
    """removes entries of the cache above a number of bytes"""


def run(wanted: Selection, command: str, parts: Parts, limits: Limits | None = None) -> int:
    """Do a night's work and return its exit code; `command` is the one that repeats it.

    All output is in nightly.log of the run's folder, or of that of the build that failed, or else of results/.
    At the end old nights' folders are removed, as far as `limits` ask for it.
    Errors of its parts are raised again, after the log and the summary have them.
    """
    page: list[str] = []
    # A second one would take down its VMs and mix up its log.
    busy = f"A nightly run is under way in {paths.RESULTS}; call again when it has ended."
    with files.locked(paths.RESULTS / "nightly", busy), Transcript(paths.RESULTS / LOG) as transcript:
        try:
            with transcript.listening():
                return _night(wanted, command, parts, limits or Limits(), transcript, page)
        except BaseException as error:
            message = f"kernel-patch-rig: {error}" if isinstance(error, RigError) else traceback.format_exc()
            transcript.note(message)
            reason = shortage.said(error) or f"It ended with {type(error).__name__}."
            heading = f"## Nightly run: {_MEANING[ExitCode.RIG_FAILED]} (exit code {ExitCode.RIG_FAILED})"
            page.insert(0, f"{heading}\n\n{escaped(text.plain(reason))}")
            raise
        finally:
            parts.stop_own()
            summarise("\n\n".join(page), os.environ.get(SUMMARY, ""))


def everything(wanted: Selection, series_names: Callable[[Base], Sequence[str]] = matrix.series_names) -> Selection:
    """Return the selection of a night: every series of the project and every nightly profile where none is named.

    No VM is left up.
    """
    nightly = [profile for profile in cells.profiles_for(wanted.tests) if catalog.profile_use(profile).nightly]
    profile = wanted.profile or ",".join(nightly)
    wanted = msgspec.structs.replace(wanted, keep=False, profile=profile)
    base = source.expected(wanted)
    series = [] if base.like else list(series_names(base))
    if wanted.variant or wanted.series or wanted.each_patch or series in ([], [base.default_series]):
        return wanted
    return msgspec.structs.replace(wanted, variant=",".join((STOCK, *series)))


def summarise(page: str, file: str) -> None:
    """Append a page to the file that GitHub shows with a job; nothing where `file` is empty. RigError if it cannot be."""
    if not file:
        return
    try:
        with Path(file).open("ab") as summary:
            summary.write(github.fitted(page).encode())
    except OSError as error:
        raise RigError(f"{file}, which {SUMMARY} names, cannot be written: {error.strerror}.") from error


def _night(wanted: Selection, command: str, parts: Parts, limits: Limits, transcript: Transcript, page: list[str]) -> int:
    with history.opened() as kept:
        kept.runs()  # a history that cannot be used is better found out now than after hours
    wanted = everything(wanted)
    cells.check(wanted)
    _take_down(parts)
    try:
        planned = parts.build(wanted)
    except RigError as error:
        if folder := parts.keep(error, wanted, command):
            transcript.move(folder / LOG)
        raise
    outcome = parts.test(planned, wanted.where, command)
    transcript.move(outcome.run / LOG)
    parts.show(outcome)
    page.append(parts.markdown(outcome))
    decided = _decide(outcome, planned, parts.say)
    code = exit_code(msgspec.structs.replace(outcome, comparisons=decided.comparisons))
    lines = [*map(headlines.line, headlines.of_run(outcome)), *_verdict(decided)]
    for line in lines:
        parts.say(line)
    audit = _audited(planned, wanted, parts)
    lines += audit.lines
    code = ExitCode.RIG_FAILED if audit.failed else code
    heading = f"Nightly run {outcome.provenance.run}: {_MEANING[code]} (exit code {code})"
    page.insert(0, "\n\n".join((f"## {escaped(heading)}", *map(escaped, lines))))
    parts.say(heading)
    _make_room(limits, parts)
    return code


def _take_down(parts: Parts) -> None:
    parts.sweep()
    for machine in parts.running():
        parts.say(f"taking down {machine.state.cell}, which was left up: a nightly run boots its own")
        machine.stop()


def _decide(outcome: Outcome, planned: Plan, say: Line) -> Gate:
    """Take all runs into the history, and compare this one's figures with the baseline's."""
    tests = [test for test in catalog.performance() if test in planned.tests]
    with history.opened() as kept:
        for unread in history.take_up(kept):
            say(f"not in the history: {unread}")
        baseline = next((Baseline(row, kept.samples(row.name)) for row in kept.runs() if row.baseline), None)
    return gate(outcome, tests, Run(outcome.run).samples(), baseline)


def _verdict(decided: Gate) -> list[str]:
    counts = Counter(comparison.verdict for comparison in decided.comparisons)
    return [
        f"Held against {decided.against}: {decided.reason}.",
        *(f"Note: {note}." for note in decided.notes),
        *(
            f"REGRESSION: {c.machine}/{c.variant}/{c.profile} {c.clock} {c.test}: {phrases.change(c)} against {c.against}"
            for c in decided.regressions
        ),
        f"{len(decided.regressions) or 'No'} regression{'' if len(decided.regressions) == 1 else 's'}; tests:"
        f" {', '.join(f'{count} {verdict}' for verdict, count in counts.most_common()) or 'none'}.",
    ]


class _Audited(msgspec.Struct, frozen=True):
    """Conclusion of a night's audit."""

    lines: Sequence[str] = ()
    failed: bool = False


def _audited(planned: Plan, wanted: Selection, parts: Parts) -> _Audited:
    """Audit one cell. If that is not possible the rig has failed, but the verdict of the tests is shown all the same."""
    if parts.audit is None:
        return _Audited()
    try:
        audit = parts.audit(planned, wanted)
        conclusion = _Audited(audit.sentences, bool(audit.differing))
    except (RigError, OSError) as error:
        conclusion = _Audited((f"AUDIT: it could not be made: {error}",), failed=True)
    for line in conclusion.lines:
        parts.say(line)
    return conclusion


def _make_room(limits: Limits, parts: Parts) -> None:
    """Remove old nights and entries of the cache. An error is only reported, since the verdict of this night stands."""
    try:
        nights = parts.make_room(limits)
        if nights:
            number = phrases.number(len(nights), "old night")
            parts.say(f"{number} removed, {_size(nights)}; the history keeps samples and findings")
    except (RigError, OSError) as error:
        parts.say(f"Note: old nights were not removed: {error}")
    try:
        entries = parts.prune(limits.cache)
        if entries:
            number = phrases.number(len(entries), "folder")
            parts.say(f"{number} of the cache removed, {_size(entries)}, not used for the longest time")
    except (RigError, OSError) as error:
        parts.say(f"Note: the cache was not made smaller: {error}")


def _size(removed: Iterable[Removed | Entry]) -> str:
    return text.size(sum(one.size for one in removed))
