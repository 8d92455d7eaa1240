# SPDX-License-Identifier: GPL-2.0-only
"""Tasks about a series: series.add, series.check, series.each, series.review, bisect."""

from __future__ import annotations

import sys

import msgspec
from invoke.context import Context
from invoke.exceptions import Exit
from invoke.tasks import task

from harness.commands import bisect as bisects
from harness.commands import options, output
from harness.commands import series_add as series_adds
from harness.commands import series_check as series_checks
from harness.commands import series_each as each_patch
from harness.commands import series_review as series_reviews
from harness.errors import UsageError
from harness.model.selection import DEFAULT, Selection, whole
from harness.report import patch_table, terminal
from harness.report import series_check as check_tables
from harness.stats.outcome import ExitCode
from harness.tasks import shown
from harness.vm import vms

_SERIES = "a series in kernel_patches/, or NAME@7 for its first seven patches (default: that of --series, or the default one)"


def _bisect(
    wanted: Selection, name: str, test: str | None, metric: str | None, tries: str | None, resume: str | bool | None
) -> None:
    """Find the patch of a series that brings a failure, or that changes what a test costs, on each machine."""
    vms.sweep()
    if test and wanted.tests:
        raise UsageError("--test and --tests exclude each other: the one names a test, the other takes several.")
    wish = bisects.Wish(name, metric or "", whole("tries", tries, least=1) if tries else 0)
    if not resume:
        done = bisects.run(msgspec.structs.replace(wanted, tests=test or wanted.tests), wish, shown.command(), shown.say)
    elif test or wish != bisects.Wish() or msgspec.structs.replace(wanted, jobs=0, cluster="") != Selection():
        raise UsageError("--resume goes on with a bisect as it was begun; of other options only --jobs and --cluster go with it.")
    else:
        done = bisects.resume("" if resume is True else str(resume), wanted.where, shown.say)
    for sentence in done.sentences:
        shown.say(sentence)
    shown.say(f"Log: {done.log}")
    if not done.found:
        raise Exit(code=ExitCode.RIG_FAILED)


bisect = options.boots(
    options.selection_task(
        _bisect,
        {
            "name": _SERIES,
            "test": "the test that each prefix is judged by",
            "metric": "failure, or the cost of a performance test (default: cost for a performance test, else failure)",
            "tries": "boots in which a prefix has to pass to count as good (default: by how often the whole series fails)",
            "resume": "go on with a bisect instead: the one named, its log, or the newest; what was judged is taken over",
        },
        ("resume",),
        ("name",),
    )
)


def _each(wanted: Selection, name: str) -> None:
    """Build, boot and test every prefix of a series: new warnings and new findings, patch by machine."""
    vms.sweep()
    done = each_patch.run(wanted, name, shown.command(), shown.say)
    shown.CONSOLE.print(terminal.findings(done.outcome.provenance, done.outcome.findings))
    shown.CONSOLE.print(patch_table.table(done.rows))
    shown.say(f"Report: {done.outcome.run / 'report.html'}")
    if done.exit_code:
        raise Exit(code=done.exit_code)


series_each = options.boots(options.selection_task(_each, {"name": _SERIES}, (), ("name",)))


@task(
    positional=["source"],
    help={
        "source": "a file or folder as --series takes them, TREE:BASE..TIP of a git tree, or a URL or Message-ID of lore",
        "name": "the series' name (default: made of the subject of its cover letter)",
        "message-id": "a mail of the series to add, where the source holds several",
        "kernel": "kernel base to add it to, as in kernel_patches/ (default: the one that it was written for)",
    },
    auto_shortflags=False,
)
def series_add(_: Context, source: str, name: str = "", message_id: str = "", kernel: str = "") -> None:
    """Add a series to kernel_patches/, from where it was sent or saved."""
    with options.errors():
        for sentence in series_adds.add(source, name, message_id, kernel, shown.say).sentences:
            shown.say(sentence)


@task(
    positional=["name"],
    help={
        "name": "a series of kernel_patches/",
        "series": "a series elsewhere instead: a folder, a maildir, an mbox or a patch",
        "machine": "the machine for which files are compiled and kernels compared (default: the one that is like this host)",
        "kernel": f"kernel base, as in kernel_patches/ (default: {DEFAULT})",
        "mail": "print plain text for a mail",
    },
    auto_shortflags=False,
)
def series_check(_: Context, name: str, series: str = "", machine: str = "", kernel: str = "", mail: bool = False) -> None:
    """Check a series as maintainers do: checkpatch, git am, new warnings, and what becomes larger; exit code 2 if there are any."""
    with options.errors():
        checked = series_checks.check(name, series, machine, kernel)
    output.write(check_tables.mail(checked)) if mail else shown.CONSOLE.print(check_tables.table(checked))
    if checked.found:
        raise Exit(code=ExitCode.FINDING)


@task(help={"url": "where results/ can be read, for a link to the report"}, auto_shortflags=False)
def series_review(_: Context, url: str = "") -> None:
    """Tell b4's review what the newest run of a series found: its cover letter is read from standard input, and JSON is printed."""
    with options.errors():
        output.write(series_reviews.answer(sys.stdin.buffer.read(), url))


OF_SERIES = {"add": series_add, "check": series_check, "each": series_each, "review": series_review}
"""the tasks whose names begin with ``series.``"""
