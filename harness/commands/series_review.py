# SPDX-License-Identifier: GPL-2.0-only
"""Answers b4, which asks at its review what is known of a series (b4 0.16, the setting review-series-check-cmd)."""

from __future__ import annotations

import contextlib
import email
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from harness import paths, text
from harness.errors import RigError, UsageError
from harness.model.run_folder import Run
from harness.model.summary import Summary
from harness.report import failed_build as reports
from harness.report.summary import known
from harness.runs import conclude, failed_build, letters, patch_places, retention
from harness.stats.headline import Word

TOOL = "kernel-patch-rig"
_STATUS = {
    Word.BROKEN: "fail",
    Word.SLOWER: "fail",
    Word.MIXED: "warn",
    Word.UNPROVEN: "warn",
    Word.SAME: "pass",
    Word.FASTER: "pass",
}


class Answer(msgspec.Struct, frozen=True):
    """One result, with the fields and words that b4 reads."""

    tool: str
    status: str
    """``pass``, ``warn`` or ``fail``"""
    summary: str
    url: str = ""
    details: str = ""


def answer(letter: bytes, url: str = "") -> str:
    """Return what the newest run of a series found, as b4 reads it: a JSON list.

    `letter` is the cover letter, or the only patch. `url` is where results/ can be read. A series that was not tested is a warning,
    and so is what could not be read.
    """
    try:
        answers = list(_answers(letter, url))
    except (RigError, OSError) as error:
        answers = [Answer(TOOL, "warn", _line(f"the newest run cannot be read: {error}"))]
    return msgspec.json.format(msgspec.json.encode(answers)).decode() + "\n"


def _answers(letter: bytes, url: str) -> Iterator[Answer]:
    identity = str(email.message_from_bytes(letter).get("Message-ID", "")).strip().strip("<>")
    if not identity:
        yield Answer(TOOL, "warn", "there is no Message-ID in what was handed over, by which runs are found")
        return
    folder, variant = _newest(identity)
    if folder is None:
        again = f"invoke series.add {identity}; then select --variant stock,NAME build boot test"
        yield Answer(TOOL, "warn", "this series was not tested", details=_line(f"Test it: {again}"))
        return
    if failed := failed_build.load(folder):
        yield _of_failed(failed.summary, variant)
        return
    made = conclude.judge(Run(folder)).summary
    place = f"{url.rstrip('/')}/{made.run}/report.html" if url else ""
    yield _of(made, variant, place)


def _of(made: Summary, variant: str, url: str) -> Answer:
    known_as = made.variant(variant)
    word, why = (known_as.word, known_as.why) if known_as else ("", "")
    status = _STATUS.get(Word(word), "warn") if word else "warn"
    summary = f"{word or 'no headline'} on Linux {made.kernel.release}: {why}" if why else f"{made.run} has no headline for it"
    return Answer(TOOL, status, _line(summary), url, known(made, variant))


def _of_failed(made: Summary, variant: str) -> Answer:
    blamed = any(failure.variant == variant for failure in made.failures)
    summary = reports.title(made) if blamed else f"{made.run} did not test it: {reports.title(made)}"
    return Answer(TOOL, "fail" if blamed else "warn", _line(summary), details=reports.mail(made))


def _series(folder: Path) -> Mapping[str, Path]:
    """Return the series of a run, or of a build that failed; none if its folder cannot be read, which may be of another series."""
    with contextlib.suppress(UsageError):
        if failed := failed_build.load(folder):
            return failed.series
    return patch_places.series(Run(folder))


def _newest(identity: str) -> tuple[Path | None, str]:
    """Return the newest folder of the series with a mail of this Message-ID, and the variant with most of its patches."""
    seen: dict[Path, frozenset[str]] = {}
    for folder in sorted((*retention.folders(paths.RESULTS), *retention.failed_builds(paths.RESULTS)), reverse=True):
        for variant, path in sorted(_series(folder).items(), key=lambda item: "@" in item[0]):
            if path not in seen:
                seen[path] = letters.identities(path)
            if identity in seen[path]:
                return folder, variant
    return None, ""


def _line(words: str) -> str:
    return " ".join(text.plain(words).split())
