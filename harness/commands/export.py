# SPDX-License-Identifier: GPL-2.0-only
"""Writes a run in the formats of other tools, from its records alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from harness.errors import UsageError
from harness.host import toml
from harness.model.run_folder import Run
from harness.report import github, kcidb
from harness.report.eml import eml
from harness.report.junit import junit
from harness.report.ktap import ktap
from harness.runs import conclude, letters
from harness.runs.conclude import Judged


class Wish(msgspec.Struct, frozen=True):
    """The options of an export."""

    origin: str = kcidb.ORIGIN
    """name of the CI system that reports to KernelCI"""
    url: str = ""
    """place where the files of the run's folder can be read"""
    variant: str = ""
    """series whose cover letter a mail answers; empty for the only one"""


def export(run: Run, form: str, wish: Wish) -> str:
    """Return a run as text in the format `form`; UsageError for one that there is not, and for a wrong option."""
    if form not in FORMATS:
        raise UsageError(f"There is no format '{form}'; {toml.closest(form, list(FORMATS))}" if form else _WHICH)
    kcidb.check(wish.origin)
    return FORMATS[form](conclude.judge(run), wish)


def _summary(judged: Judged, _: Wish) -> str:
    return conclude.encoded(judged.summary).decode()


def _junit(judged: Judged, _: Wish) -> str:
    content = judged.content
    return junit(content.provenance, content.results, content.findings)


def _ktap(judged: Judged, _: Wish) -> str:
    return ktap(judged.summary, judged.content.results, judged.content.findings)


def _kcidb(judged: Judged, wish: Wish) -> str:
    content = judged.content
    of = kcidb.Kcidb(
        judged.summary,
        content.results,
        content.findings,
        content.samples,
        {name: letter.identity for name, letter in letters.of(Run(judged.outcome.run)).items() if letter.identity},
        wish.origin,
        wish.url,
    )
    return kcidb.kcidb(of)


def _github(judged: Judged, _: Wish) -> str:
    return github.workflow_commands(judged.summary, judged.content.results)


def _github_summary(judged: Judged, _: Wish) -> str:
    return github.page(judged.summary, _mail(judged))


def _eml(judged: Judged, wish: Wish) -> str:
    return eml(judged.summary, _mail(judged), letters.of(Run(judged.outcome.run)), wish.variant)


def _mail(judged: Judged) -> str:
    from harness.report.mail import mail  # it imports Matplotlib, which no other format should wait for

    return mail(judged.content)


FORMATS: Mapping[str, Callable[[Judged, Wish], str]] = {
    "summary": _summary,
    "junit": _junit,
    "ktap": _ktap,
    "kcidb": _kcidb,
    "eml": _eml,
    "github": _github,
    "github-summary": _github_summary,
}
"""by name"""
_WHICH = f"Say the format with --format: {', '.join(FORMATS)}."
