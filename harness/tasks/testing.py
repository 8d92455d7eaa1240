# SPDX-License-Identifier: GPL-2.0-only
"""Tasks that build kernels, boot them and test them: select, build, boot, test, try, watch, sweep, soak, trace."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path

import msgspec
from invoke.exceptions import Exit
from invoke.main import program

from harness.build import cells
from harness.commands import edited, live_ktap, options, pipeline, uncaught
from harness.commands import soak as soaks
from harness.commands import trace as traces
from harness.commands import watch as watches
from harness.errors import RigError, UsageError
from harness.host import shell
from harness.model.run_folder import Run
from harness.model.selection import Selection, each_kernel, number, whole, words
from harness.runs import conclude, failed_build
from harness.stats.outcome import ExitCode, Outcome
from harness.suite.plan import Plan
from harness.tasks import shown
from harness.vm import vms


@functools.lru_cache
def built(wanted: Selection) -> Plan:
    """Build a selection once for all tasks of a command line, and keep a failure on record."""
    with failed_build.kept(wanted, shown.command(), _tell_failed):
        return pipeline.build(wanted)


def _tell_failed(folder: Path) -> None:
    shown.say(f"What failed is on record: {folder / conclude.SUMMARY}, and for a mail {failed_build.REPORT}")
    live_ktap.failed(folder)


_LONGEST = 24.0 * 365
"""hours of a soak"""


@options.selection_task
def select(wanted: Selection) -> None:
    """Say the options once for all tasks that follow: invoke select --scale quick build boot test."""
    options.choose(wanted)


@options.selection_task
def build(wanted: Selection) -> None:
    """Build the kernels and the test module."""
    for plan in _plans(wanted):
        for note in plan.notes:
            shown.say(f"note: {note}")


def _plans(wanted: Selection) -> list[Plan]:
    """Build for each kernel base, once all of them are known to be valid."""
    each = each_kernel(wanted)
    for one in each:
        cells.check(one)
    return [built(one) for one in each]


@options.selection_task
def boot(wanted: Selection) -> None:
    """Boot the kernels and leave their VMs up, unless a test task follows that takes them down."""
    vms.sweep()
    names = [called.name for called in program.tasks]
    followed = any(options.boots_itself(program.collection[name]) for name in names[names.index("boot") + 1 :])
    for one, plan in zip(each_kernel(wanted), _plans(wanted), strict=True):
        with failed_build.kept(one, shown.command(), _tell_failed):
            pipeline.boot(plan, wanted.jobs, keep=wanted.keep or not followed)
    if not followed:
        shown.show_running()


def _test(wanted: Selection, resume: str | bool | None, ktap: bool) -> None:
    """Run the suite, booting what is not up; compare, and write the report."""
    vms.sweep()
    if not resume:
        shown.show_each(_outcomes(wanted, ktap=ktap))
    elif msgspec.structs.replace(wanted, jobs=0, cluster="") != Selection():
        raise UsageError("--resume finishes a run as it was begun; of the other options only --jobs and --cluster go with it.")
    else:
        name = "" if resume is True else str(resume)
        stream = live_ktap.stream() if ktap else None
        follow = stream.following if stream else pipeline.unwatched
        shown.show(_ended(pipeline.resume(name, wanted.where, shown.say, follow=follow), stream))


def _outcomes(wanted: Selection, *, ktap: bool) -> Iterator[Outcome]:
    """Yield the outcome of a run for each kernel base. All are built first."""
    if ktap:
        live_ktap.check(program.tasks, each_kernel(wanted))
    for plan in _plans(wanted):
        stream = live_ktap.stream() if ktap else None
        follow = stream.following if stream else pipeline.unwatched
        yield _ended(pipeline.test(plan, wanted.where, shown.command(), follow=follow), stream)


def _ended(outcome: Outcome, stream: live_ktap.Stream | None) -> Outcome:
    if stream:
        stream.ended(Run(outcome.run))
    return outcome


test = options.boots(
    options.selection_task(
        _test,
        {"resume": "finish a run that was interrupted instead: the one named, or the newest"},
        ("resume",),
        switches={live_ktap.OPTION: live_ktap.HELP},
    )
)


def _try(wanted: Selection, tree: str | None) -> None:
    """Test what is edited in a kernel tree of yours, and not committed: stress tests at scale quick, or those of --tests."""
    vms.sweep()
    shown.show(_tried(edited.selected(wanted, tree or "")))


def _tried(wanted: Selection) -> Outcome:
    """Build and test a series of edits; the run's command is one that repeats it when the tree has other edits."""
    same = msgspec.structs.replace(wanted, cluster="")
    return pipeline.test(pipeline.build(wanted), wanted.where, shell.quote(("invoke", "test", *words(same))))


try_ = options.boots(options.selection_task(_try, {"tree": "the kernel tree: a git checkout"}))


def _watch(wanted: Selection, tree: str | None) -> None:
    """Do the same as try, at once and at every save, until it is interrupted; the last verdict stays on the screen."""
    vms.sweep()
    top = edited.folder(tree or "")
    edited.check(wanted)
    for patch in watches.saves(top, shown.say):
        shown.CONSOLE.clear()
        shown.say(f"{top}: {'testing what is edited' if patch else 'nothing is edited'}; Ctrl-C ends this.")
        try:
            if patch:
                shown.print_outcome(_tried(edited.selected(wanted, str(top))))
        except RigError as error:
            shown.say(uncaught.sentence(error))


watch = options.boots(options.selection_task(_watch, {"tree": "the kernel tree: a git checkout"}))


def _sweep(wanted: Selection, ktap: bool) -> None:
    """Measure how the cost of an operation grows with the number of busy areas and of free holes."""
    vms.sweep()
    shown.show_each(_outcomes(pipeline.sweeping(wanted), ktap=ktap))


sweep = options.boots(options.selection_task(_sweep, switches={live_ktap.OPTION: live_ktap.HELP}))


def _soak(wanted: Selection, hours: str | None, seed: str | None) -> None:
    """Stress every cell for hours in one VM each, all at once, and tell whether memory grows."""
    vms.sweep()
    wanted = msgspec.structs.replace(wanted, tests=wanted.tests or "stress")
    soaks.check(wanted)
    lasts, chosen = (
        number("hours", "1" if hours is None else hours, least=0.001, most=_LONGEST),
        whole("seed", "0" if seed is None else seed),
    )
    shown.show(soaks.run(built(wanted), wanted, shown.command(), lasts, chosen))


soak = options.boots(
    options.selection_task(
        _soak,
        {
            "hours": "how long, such as 0.5 or 72 (default: 1)",
            "seed": "of the rounds: the same ones as in the soak that printed it (default: drawn anew)",
        },
    )
)


def _trace(wanted: Selection, test: str, events: str | None, buffer: str | None, output: str | None) -> None:
    """Run one test while the kernel's ftrace records, and write what it recorded for trace-cmd and for Perfetto."""
    vms.sweep()
    wish = traces.wish(test, events or "", buffer or "", output or "")
    every = traces.run(built(traces.selected(wanted, wish)), wish)
    for traced in every:
        for sentence in traces.sentences(traced, wish.folder):
            shown.say(sentence)
    if not all(traced.good for traced in every):
        raise Exit(code=ExitCode.FINDING)


trace = options.boots(
    options.selection_task(
        _trace,
        {
            "test": "the test to run",
            "events": "what to record: events as SYSTEM:EVENT, functions, and patterns of both, with commas between them",
            "buffer": f"MiB that each CPU has to record in (default: {traces.BUFFER})",
            "output": "a new folder for the files (default: one in results/trace/)",
        },
        positional=("test",),
    )
)
