# SPDX-License-Identifier: GPL-2.0-only
"""Writes a run, or a build that failed, in the formats of other tools, from its records alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from harness.build.mails import Mail
from harness.errors import UsageError
from harness.host import toml
from harness.model.failed_build import FailedBuild
from harness.model.run_folder import Run
from harness.report import failed_build as reports
from harness.report import github, junit, kcidb, ktap
from harness.report.eml import eml
from harness.runs import conclude, failed_build, letters, lifecycle
from harness.runs.conclude import Judged


class Wish(msgspec.Struct, frozen=True):
    """The options of an export."""

    origin: str = kcidb.ORIGIN
    """name of the CI system that reports to KernelCI"""
    url: str = ""
    """place where the files of the run's folder can be read"""
    variant: str = ""
    """series whose cover letter a mail answers; empty for the only one"""


def named(name: str, form: str, wish: Wish) -> str:
    """Return a run, or a build that failed, by its path or its name in results/; see `export`."""
    failed = failed_build.find(name)
    return of_failed(failed, form, wish) if failed else export(lifecycle.find(name), form, wish)


def export(run: Run, form: str, wish: Wish) -> str:
    """Return a run as text in the format `form`; UsageError for one that there is not, and for a wrong option."""
    _check(form, wish)
    return FORMATS[form](conclude.judge(run), wish)


def of_failed(failed: FailedBuild, form: str, wish: Wish) -> str:
    """Return a build that failed as text in the format `form`; UsageError as `export` raises it."""
    _check(form, wish)
    return FAILED[form](failed, wish)


def _check(form: str, wish: Wish) -> None:
    if form not in FORMATS:
        raise UsageError(f"There is no format '{form}'; {toml.closest(form, list(FORMATS))}" if form else _WHICH)
    kcidb.check(wish.origin)


def _summary(judged: Judged, _: Wish) -> str:
    return conclude.encoded(judged.summary).decode()


def _junit(judged: Judged, _: Wish) -> str:
    content = judged.content
    return junit.junit(content.provenance, content.results, content.findings)


def _ktap(judged: Judged, _: Wish) -> str:
    return ktap.ktap(judged.summary, judged.content.results, judged.content.findings)


def _kcidb(judged: Judged, wish: Wish) -> str:
    content = judged.content
    run = Run(judged.outcome.run)
    known = _identities(letters.of(run))
    of = kcidb.Kcidb(judged.summary, content.results, content.findings, content.samples, known, wish.origin, wish.url)
    return kcidb.kcidb(of)


def _identities(of: Mapping[str, Mail]) -> dict[str, str]:
    return {name: letter.identity for name, letter in of.items() if letter.identity}


def _github(judged: Judged, _: Wish) -> str:
    return github.workflow_commands(judged.summary, judged.content.results)


def _github_summary(judged: Judged, _: Wish) -> str:
    return github.page(judged.summary, _mail(judged))


def _eml(judged: Judged, wish: Wish) -> str:
    return eml(judged.summary, _mail(judged), letters.of(Run(judged.outcome.run)), wish.variant)


def _mail(judged: Judged) -> str:
    from harness.report.mail import mail  # it imports Matplotlib, which no other format should wait for

    return mail(judged.content)


def _failed_kcidb(of: FailedBuild, wish: Wish) -> str:
    known = _identities(letters.covers(of.series))
    return kcidb.of_failed(kcidb.Kcidb(of.summary, (), (), (), known, wish.origin, wish.url))


def _failed_eml(of: FailedBuild, wish: Wish) -> str:
    return eml(of.summary, reports.mail(of.summary), letters.covers(of.series), wish.variant)


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
FAILED: Mapping[str, Callable[[FailedBuild, Wish], str]] = {
    "summary": lambda of, _: conclude.encoded(of.summary).decode(),
    "junit": lambda of, _: junit.of_failed(of.summary),
    "ktap": lambda of, _: ktap.of_failed(of.summary),
    "kcidb": _failed_kcidb,
    "eml": _failed_eml,
    "github": lambda of, _: github.of_failed(of.summary),
    "github-summary": lambda of, _: github.page(of.summary, reports.mail(of.summary)),
}
"""of a build that failed, by name"""
_WHICH = f"Say the format with --format: {', '.join(FORMATS)}."
