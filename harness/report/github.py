# SPDX-License-Identifier: GPL-2.0-only
"""A run for GitHub: annotations, as workflow commands that a job prints, and the page that GitHub shows with the job."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from harness import text
from harness.model.records import Result
from harness.model.summary import Compared, Failure, FoundCause, InPatch, Summary
from harness.report import failed_build, findings, phrases
from harness.report.markdown import escaped
from harness.stats import cost
from harness.stats.causes import reasons

LARGEST = 1 << 20
"""bytes that GitHub takes of a step's summary; of a larger one it shows nothing"""
_CUT = "\n\n(The summary is cut off here; the report has all of it.)\n"
_MOST = 10
"""annotations of a kind that GitHub shows of a step"""
_LONGEST = 2000
"""characters of a message"""
_TITLE = 200


def workflow_commands(summary: Summary, results: Sequence[Result]) -> str:
    """Return a line for each annotation: findings and regressions at the series' files, then what the rig failed in."""
    errors = [*(_finding(summary, found) for found in summary.unexpected), *_slower(summary), *_failures(results)]
    notices = [
        _command("notice", f"dismissed: {_what(found)}", found.reason, _place(summary, found))
        for found in summary.findings
        if found.state == "dismissed"
    ]
    warnings = [_command("warning", "note", note) for note in summary.notes]
    lines = [line for kind in (errors, warnings, notices) for line in _first(kind)]
    return "".join(f"{line}\n" for line in lines) or f"{_command('notice', 'kernel-patch-rig', summary.status.meaning)}\n"


def of_failed(summary: Summary) -> str:
    """Return a line for each annotation of a build that failed: at the hunk, or at each error of the compiler."""
    lines = [line for failure in summary.failures for line in _failure(summary, failure)]
    return "".join(f"{line}\n" for line in _first(lines))


def _failure(summary: Summary, failure: Failure) -> Iterator[str]:
    title = failed_build.title(summary)
    if not failure.errors:
        message = "\n\n".join(part for part in (failure.reason, failure.excerpt) if part)
        yield _command("error", title, message, _at(summary, failure.patch, failure.variant))
    for error in failure.errors:
        yield _command("error", title, f"{error.where}: {error.text}", _at(summary, error.patch, failure.variant))


def page(summary: Summary, mail: str) -> str:
    """Return the page of a job: what the run ended with, and its report as a `mail`, which is Markdown too."""
    status = summary.status
    return fitted(f"## {escaped(f'{summary.run}: exit code {status.code}, {status.meaning}')}\n\n{mail}")


def fitted(page: str) -> str:
    """Return a page that is cut off where it is larger than GitHub takes, with a line end behind it."""
    data = page.encode(errors="replace") + b"\n"
    if len(data) > LARGEST:
        data = data[: LARGEST - len(_CUT)].decode(errors="ignore").encode() + _CUT.encode()
    return data.decode()


def _finding(summary: Summary, found: FoundCause) -> str:
    seen = f"in {', '.join(found.tests[:3])} on {', '.join(found.machines)}, x {phrases.number(found.boots, 'boot')}"
    where = f", {found.where}" if found.where else ""
    message = f"{found.title}{where}\n{found.variant}: {seen} [{found.fingerprint}]\nAgain: {found.repeat}\n\n{found.excerpt}"
    return _command("error", f"{found.variant}: {_what(found)}", message, _place(summary, found))


def _what(found: FoundCause) -> str:
    return f"{found.kind} in {found.function}" if found.function else f"{found.kind} in {found.tests[0]}"


def _slower(summary: Summary) -> Iterator[str]:
    for one in summary.comparisons:
        if one.regression:
            yield _command("error", f"{one.variant}: {one.test} is slower", _change(one), _series(summary, one.variant))


def _change(of: Compared) -> str:
    change = f"{phrases.percent(cost.change(of.ratio or 1.0))} % {of.unit} against {of.against}"
    return f"{of.test} on {of.machine}, profile {of.profile}: {change}"


def _failures(results: Sequence[Result]) -> Iterator[str]:
    for reason in reasons(results, "error"):
        yield _command("error", "the rig failed", f"{findings.where(reason)}: {reason.first.reason}")


def _place(summary: Summary, found: FoundCause) -> dict[str, str]:
    """Return the place of the patch's line; that of the series if no line is known, and none outside of the project."""
    return _at(summary, found.patch, found.variant)


def _at(summary: Summary, patch: InPatch | None, variant: str) -> dict[str, str]:
    if patch and patch.path:
        return {"file": patch.path, "line": str(patch.line)}
    return _series(summary, variant)


def _series(summary: Summary, name: str) -> dict[str, str]:
    variant = summary.variant(name)
    return {"file": f"{variant.folder}/series", "line": "1"} if variant and variant.folder else {}


def _first(lines: Sequence[str]) -> Iterable[str]:
    """Return as many annotations of one kind as GitHub shows; the last one counts those that have no room."""
    if len(lines) <= _MOST:
        return lines
    kind = lines[0][2:].split(" ", 1)[0]
    more = f"{len(lines) - _MOST + 1} more; the report has all"
    return [*lines[: _MOST - 1], _command(kind, "more", more)]


def _command(kind: str, title: str, message: str, place: dict[str, str] | None = None) -> str:
    """Return a workflow command in one line."""
    fields = {**(place or {}), "title": text.plain(title)[:_TITLE]}
    told = ",".join(f"{key}={_escaped(value, in_field=True)}" for key, value in fields.items())
    return f"::{kind} {told}::{_escaped(text.plain(message)[:_LONGEST].strip())}"


def _escaped(words: str, *, in_field: bool = False) -> str:
    """Return words as a workflow command has them: https://docs.github.com/en/actions/reference/workflow-commands."""
    taken = (("%", "%25"), ("\r", "%0D"), ("\n", "%0A"), *(((":", "%3A"), (",", "%2C")) if in_field else ()))
    for character, code in taken:
        words = words.replace(character, code)
    return words
