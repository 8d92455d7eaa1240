# SPDX-License-Identifier: GPL-2.0-only
"""Tasks about the rig itself: check, tests, cache, audit, selfcheck, mutants, userspace."""

from __future__ import annotations

from invoke.context import Context
from invoke.exceptions import Exit
from invoke.tasks import task

from harness import text
from harness.commands import audit as audits
from harness.commands import cache as caches
from harness.commands import check as checks
from harness.commands import mutant_book, options
from harness.commands import mutants as mutation_runs
from harness.commands import selfcheck as selfchecks
from harness.commands import userspace as userspaces
from harness.errors import UsageError
from harness.model import catalog
from harness.model.clock import Clock
from harness.model.selection import Selection, gibibytes, whole
from harness.report import audit as audit_tables
from harness.report import cache as cache_tables
from harness.report import catalog as catalog_tables
from harness.report import mutants as mutant_tables
from harness.report import sensitivity
from harness.report import userspace as userspace_tables
from harness.runs.retention import Limits
from harness.stats.outcome import ExitCode
from harness.tasks import shown, testing
from harness.vm import vms


def _selfcheck(wanted: Selection, experiments: str | None) -> None:
    """Measure the rig itself: twins of stock must be the same, and kernels slowed down on purpose slower."""
    vms.sweep()
    clocks = (wanted.timed,) if wanted.clock else tuple(Clock)
    times = whole("experiments", "3" if experiments is None else experiments, least=1)
    result = selfchecks.run(wanted, clocks, times, shown.command())
    shown.CONSOLE.print(sensitivity.tables(result))
    alarms = [trial for trial in result.trials if trial.false_alarm]
    if alarms:
        raise Exit("kernel-patch-rig: the self check failed: it saw differences between twins.", code=ExitCode.RIG_FAILED)


selfcheck = options.boots(
    options.selection_task(_selfcheck, {"experiments": "how often to repeat it, each time with boots of its own (default: 3)"})
)


def _mutants(wanted: Selection, only: str | None, resume: bool | None, all: bool | None) -> None:  # noqa: A002 - the option
    """Build kernels with bugs made on purpose, and tell which of them the stress tests catch."""
    vms.sweep()
    results = mutation_runs.run(wanted, only or "", shown.command(), resume=bool(resume), everything=bool(all))
    shown.CONSOLE.print(mutant_tables.tables(results))
    shown.say(f"Page: {mutant_book.file(results.series).with_suffix('.md')}")
    if code := mutation_runs.exit_code(results):
        raise Exit(code=code)


mutants = options.boots(
    options.selection_task(
        _mutants,
        {
            "only": "mutants by name, as in mutants.toml in the folder of the series (default: all)",
            "resume": "take over what the last call found out of mutants, kernels and tests that are still the same",
            "all": "go on after a mutant's first finding, to learn of every test that catches it",
        },
        ("resume", "all"),
    )
)


def _userspace(wanted: Selection, operations: str | None, seed: str | None) -> None:
    """Run mm/vmalloc.c as a program, without a VM: random operations, judged by a model, under the sanitizers."""
    count = whole("operations", operations, least=1) if operations else userspaces.OPERATIONS
    outcomes = userspaces.run(wanted, count, whole("seed", seed) if seed else 1)
    shown.CONSOLE.print(userspace_tables.tables(outcomes))
    if userspaces.failed(outcomes):
        raise Exit(code=ExitCode.FINDING)


userspace = options.selection_task(
    _userspace,
    {
        "operations": f"operations of each variant (default: {userspaces.OPERATIONS:,})",
        "seed": "of the operations (default: 1)",
    },
)


@options.selection_task
def audit(wanted: Selection) -> None:
    """Build the kernels again in an empty folder without any cache, and compare with what the cache holds, byte for byte."""
    audits.check(wanted)
    failed = []
    for done in audits.run(testing.built(wanted), wanted):
        shown.CONSOLE.print(audit_tables.tables(done))
        failed += [done.cell] if done.differing else []
    if failed:
        raise Exit(f"kernel-patch-rig: the audit failed: {', '.join(failed)} in the cache differs.", code=ExitCode.RIG_FAILED)


@task(
    help={
        "fast": "leave out the end-to-end tests, which build and boot kernels",
        "all": "also do on every machine what is otherwise done on one, and an audit, as every night does",
    },
    auto_shortflags=False,
)
def check(_: Context, fast: bool = False, all: bool = False) -> None:  # noqa: A002 - the option
    """Run the project's own lint, types and tests."""
    with options.errors():
        failed = checks.run(checks.commands(fast=fast, everything=all), shown.say)
    if failed:
        raise Exit(f"kernel-patch-rig: failed: {', '.join(failed)}", code=ExitCode.RIG_FAILED)


@task(help={"tests": options.HELP["tests"]}, auto_shortflags=False)
def tests(_: Context, tests: str = "performance,stress,sweep") -> None:  # noqa: PT028 - no test
    """Show the tests, with what one operation of each is."""
    with options.errors():
        shown.CONSOLE.print(catalog_tables.tables(catalog.choose(tests)))


@task(
    help={
        "prune": "remove what was not used for the longest time, until no more than --keep is left",
        "keep": f"GiB to keep (default: {Limits().cache >> 30}); what a run needs, and what was used in the last day, stays",
    },
    auto_shortflags=False,
)
def cache(_: Context, prune: bool = False, keep: str = "") -> None:
    """Show what the cache holds, and how much of it may go."""
    with options.errors():
        if keep and not prune:
            raise UsageError("--keep says how much --prune leaves; give both.")
        limit = gibibytes("keep", keep) if keep else Limits().cache
        for entry in caches.prune(limit) if prune else ():
            shown.say(f"removed: {entry.path}, {text.size(entry.size)}")
        shown.CONSOLE.print(cache_tables.tables(caches.entries()))
