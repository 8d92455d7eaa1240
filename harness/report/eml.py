# SPDX-License-Identifier: GPL-2.0-only
"""A run's report as a mail that answers the cover letter of its series."""

from __future__ import annotations

import contextlib
import datetime
import email.policy
import email.utils
import re
from collections.abc import Mapping
from email.message import EmailMessage

from harness import text
from harness.build.mails import Mail
from harness.errors import UsageError
from harness.host import toml
from harness.model.summary import Summary
from harness.report import failed_build

_POLICY = email.policy.default.clone(max_line_length=998, cte_type="7bit")
_ADDRESS = re.compile(r"[!-;=?-~]+@[!-;=?-~]+")
_ID = re.compile(r"[!-;=?-~]+")


def eml(summary: Summary, body: str, letters: Mapping[str, Mail], variant: str = "") -> str:
    """Return a mail with the text `body`, which answers the cover letter of `variant` or else the only one of the run.

    `letters` are by variant. It has no From and no Message-ID, which whoever sends it adds. Raises UsageError if the run has no
    such variant, or cover letters of several series.
    """
    letter = _letter(summary, letters, variant)
    made = EmailMessage(policy=_POLICY)
    made["Subject"] = _subject(summary, letter)
    with contextlib.suppress(ValueError):  # an older run's time
        made["Date"] = email.utils.format_datetime(datetime.datetime.fromisoformat(summary.times.finished or summary.times.started))
    if letter:
        name, address = email.utils.parseaddr(letter.author)
        if _ADDRESS.fullmatch(address):
            made["To"] = email.utils.formataddr((_line(name), address))
        known = [each for each in (*letter.parents, letter.identity) if _ID.fullmatch(each)]
        if known and known[-1] == letter.identity:
            made["In-Reply-To"] = f"<{letter.identity}>"
            made["References"] = " ".join(f"<{each}>" for each in known)
    made["X-Unsent"] = "1"  # by which mail programs open it as a draft
    made.set_content(body)
    return made.as_string()


def _letter(summary: Summary, letters: Mapping[str, Mail], variant: str) -> Mail | None:
    if variant:
        names = [each.name for each in summary.variants]
        if variant not in names:
            raise UsageError(f"{summary.run} has no variant '{variant}'; {toml.closest(variant, names)}")
        return letters.get(variant)
    found = {letter.identity: letter for letter in letters.values()}
    if len(found) > 1:
        raise UsageError(f"{summary.run} has cover letters of several series; say --variant: {', '.join(letters)}.")
    return next(iter(found.values()), None)


def _subject(summary: Summary, letter: Mail | None) -> str:
    if letter and letter.subject:
        return letter.subject if letter.reply else f"Re: {_line(letter.subject)}"
    if summary.failures:
        return _line(f"{failed_build.title(summary)} (kernel-patch-rig, {summary.run})")
    words = ", ".join(f"{each.name} {each.word}" for each in summary.variants if each.word) or "no headline"
    return _line(f"Linux {summary.kernel.release}: {words} (kernel-patch-rig, {summary.run})")


def _line(words: str) -> str:
    """Return words as one line that a header can hold."""
    return " ".join(text.plain(words.encode(errors="replace").decode()).split())
