# SPDX-License-Identifier: GPL-2.0-only
"""Tasks that show what runs found: report, export, lava, compare, why, coverage, dismiss, history."""

from __future__ import annotations

from invoke.context import Context
from invoke.tasks import task

from harness import paths
from harness.commands import export as exports
from harness.commands import lava as lavas
from harness.commands import options
from harness.commands import output as outputs
from harness.commands import why as reasons
from harness.errors import UsageError
from harness.host import files
from harness.model.selection import number
from harness.report import coverage as coverage_tables
from harness.report import dismissals as dismissal_tables
from harness.report import kcidb, level_steps, trend
from harness.report import why as why_tables
from harness.runs import conclude, dismissals, lifecycle
from harness.runs import history as histories
from harness.tasks import shown


@task(name="report", positional=["run"], help={"run": "a run's name or folder (default: latest)"}, auto_shortflags=False)
def report_(_: Context, run: str) -> None:
    """Write a run's report again from its records, without booting."""
    with options.errors():
        shown.show(conclude.conclude(lifecycle.find(run)))


@task(
    positional=["run"],
    help={
        "run": "name or folder of a run, or of a build that failed (default: latest)",
        "format": f"one of {', '.join(exports.FORMATS)}",
        "output": "the file to write (default: it is printed)",
        "origin": "of kcidb: the name that KernelCI knows your CI system by",
        "url": "of kcidb: where the files of the run's folder can be read, for links to them",
        "variant": "of eml: the series whose cover letter it answers (default: the only one)",
    },
    auto_shortflags=False,
)
def export(
    _: Context,
    run: str,
    format: str = "",  # noqa: A002 - the option
    output: str = "",
    origin: str = kcidb.ORIGIN,
    url: str = "",
    variant: str = "",
) -> None:
    """Write a run, or a build that failed, in a format of other tools: CI services, KernelCI, mailing lists."""
    with options.errors():
        written = exports.named(run, format, exports.Wish(origin, url, variant))
        if output:
            files.write(paths.expanded(output, "--output"), written)
        else:
            outputs.write(written)


@task(
    positional=["run"],
    help={
        "run": "a run's name or folder, whose kernels are still in the cache (default: latest)",
        "output": "the new folder to write",
        "url": "where the lab can fetch what is in that folder",
        "boot-image": "URL of a boot image with a cell's kernel, for the real board of a machine that has one; else it has no job",
    },
    auto_shortflags=False,
)
def lava(_: Context, run: str, output: str = "", url: str = "", boot_image: str = "") -> None:
    """Write jobs for a LAVA lab that repeat a run's cells in QEMU and on real boards, with the files that they fetch."""
    with options.errors():
        if not output:
            raise UsageError("Say with --output which folder to write; what it holds is to be served at --url.")
        for job in lavas.write(lifecycle.find(run), paths.expanded(output, "--output"), url, boot_image):
            shown.say(f"Job: {job}")


@task(
    positional=["before", "after"],
    help={
        "before": "a run's name or folder",
        "after": "another one of the same cells",
        "threshold": "slow-down in per cent from which on a change is a regression (default: that of AFTER)",
    },
    auto_shortflags=False,
)
def compare(_: Context, before: str, after: str, threshold: str = "") -> None:
    """Compare two runs, cell by cell."""
    with options.errors():
        old, new = lifecycle.find(before), lifecycle.find(after)
        outcome = conclude.across(old, new, number("threshold", threshold) if threshold else None)
        shown.show(outcome, conclude.report_name(old))


@task(
    positional=["run"],
    help={
        "run": "a run's name or folder (default: latest)",
        "machine": "this machine alone",
        "test": "this test alone, such as ne_fit",
        "variant": "this variant alone, against stock",
        "lines": "the source lines of each function as well",
        "json": "print all that differs as a JSON array",
    },
    auto_shortflags=False,
)
def why(
    _: Context, run: str, machine: str = "", test: str = "", variant: str = "", lines: bool = False, json: bool = False
) -> None:
    """Show which functions make a variant cost more or less than stock, in instructions an operation."""
    with options.errors():
        every = reasons.explain(lifecycle.find(run), machine, test, variant)
    if json:
        outputs.write(why_tables.as_json(every, lines=lines) + "\n")
    else:
        shown.CONSOLE.print(why_tables.tables(every, lines=lines))


@task(
    positional=["run"],
    help={"run": "a run's name or folder (default: latest)", "json": "print all lines as a JSON array"},
    auto_shortflags=False,
)
def coverage(_: Context, run: str, json: bool = False) -> None:
    """Show which lines that a series adds or changes ran in the tests, and which never did."""
    with options.errors():
        every = reasons.covered(lifecycle.find(run))
    if json:
        outputs.write(coverage_tables.as_json(every) + "\n")
    else:
        shown.CONSOLE.print(coverage_tables.tables(every))


@task(
    positional=["fingerprint"],
    help={
        "fingerprint": "that of a finding, as reports show it, or its first digits; without one, what is dismissed is listed",
        "why": "the reason, which reports will show",
        "undo": "take the dismissal back",
    },
    auto_shortflags=False,
)
def dismiss(_: Context, fingerprint: str, why: str = "", undo: bool = False) -> None:
    """Have a finding that has nothing to do with the series not count any more; reports go on listing it, with the reason."""
    with options.errors():
        if not fingerprint and (why or undo):
            raise UsageError("--why and --undo go with the fingerprint of a finding, as reports show it.")
        if not fingerprint:
            shown.CONSOLE.print(dismissal_tables.table(dismissals.listed()))
        elif undo and why:
            raise UsageError("--why and --undo exclude each other: the one dismisses a finding, the other takes that back.")
        elif undo:
            shown.say(dismissal_tables.undone(dismissals.undo(fingerprint)))
        else:
            shown.say(dismissal_tables.done(dismissals.dismiss(fingerprint, why)))


@task(help={"test": "one test, which may be a stress test (default: each performance test)"}, auto_shortflags=False)
def history(_: Context, test: str = "") -> None:
    """Show how each performance test's figure went from run to run, or that of one test."""
    with options.errors():
        seen = histories.look(test)
    shown.CONSOLE.print(trend.runs(seen.runs))
    shown.CONSOLE.print(trend.terminal(seen.trends))
    shown.CONSOLE.print(level_steps.terminal(seen.trends))
    for sentence in seen.unread:
        shown.say(f"note: not in the history: {sentence}")
    shown.say(f"Page: {seen.page}")
