# SPDX-License-Identifier: GPL-2.0-only
"""Invoke tasks: read options, call the harness, print."""

from __future__ import annotations

from harness.commands import uncaught

uncaught.install()  # before the other imports, which can fail as well

import functools
import os
import sys
from collections.abc import Mapping, Sequence

import msgspec
from invoke.collection import Collection
from invoke.context import Context
from invoke.exceptions import Exit
from invoke.main import program
from invoke.tasks import Task, task
from rich.console import Console
from rich.table import Table

from harness import text
from harness.commands import arguments, attach, edited, options, output, pipeline
from harness.commands import audit as audits
from harness.commands import bisect as bisects
from harness.commands import cache as caches
from harness.commands import check as checks
from harness.commands import kernlog as kernel_logs
from harness.commands import mutants as mutation_runs
from harness.commands import nightly as nights
from harness.commands import selfcheck as selfchecks
from harness.commands import series_add as series_adds
from harness.commands import series_check as series_checks
from harness.commands import series_each as each_patch
from harness.commands import soak as soaks
from harness.commands import userspace as userspaces
from harness.commands import watch as watches
from harness.commands import why as reasons
from harness.errors import RigError, UsageError
from harness.host import shell
from harness.model import catalog
from harness.model.clock import Clock
from harness.model.order import asked
from harness.model.run_folder import Run
from harness.model.selection import DEFAULT, Selection, number, whole, words
from harness.report import audit as audit_tables
from harness.report import cache as cache_tables
from harness.report import catalog as catalog_tables
from harness.report import coverage as coverage_tables
from harness.report import dismissals as dismissal_tables
from harness.report import kernlog as log_tables
from harness.report import level_steps, patch_table, sensitivity, terminal, trend
from harness.report import mutants as mutant_tables
from harness.report import series_check as check_tables
from harness.report import soak as soak_tables
from harness.report import userspace as userspace_tables
from harness.report import why as why_tables
from harness.runs import conclude, dismissals, lifecycle
from harness.runs import history as histories
from harness.runs.retention import Limits
from harness.stats import growth
from harness.stats.outcome import ExitCode, Outcome, exit_code
from harness.vm import vms

_WIDTH = 110
"""columns where no terminal has a say: enough for a table without broken lines"""
_CONSOLE = Console() if sys.stdout.isatty() else Console(width=_WIDTH, soft_wrap=True)
_LONGEST = 24.0 * 365
"""hours of a soak"""
_LARGEST = float(1 << 30)
"""GiB that nights may keep"""
_built = functools.lru_cache(pipeline.build)


@options.selection_task
def select(wanted: Selection) -> None:
    """Say the options once for all tasks that follow: invoke select --scale quick build boot test."""
    options.choose(wanted)


@options.selection_task
def build(wanted: Selection) -> None:
    """Build the kernels and the test module."""
    for note in _built(wanted).notes:
        _say(f"note: {note}")


@options.selection_task
def boot(wanted: Selection) -> None:
    """Boot the kernels and leave their VMs up, unless a test task follows that takes them down."""
    vms.sweep()
    names = [called.name for called in program.tasks]
    followed = any(options.boots_itself(program.collection[name]) for name in names[names.index("boot") + 1 :])
    pipeline.boot(_built(wanted), wanted.jobs, keep=wanted.keep or not followed)
    if not followed:
        _show_running()


def _test(wanted: Selection, resume: str | bool | None) -> None:
    """Run the suite, booting what is not up; compare, and write the report."""
    vms.sweep()
    if not resume:
        outcome = pipeline.test(_built(wanted), wanted.jobs, _command())
    elif msgspec.structs.replace(wanted, jobs=0) != Selection():
        raise UsageError("--resume finishes a run as it was begun; of the other options only --jobs goes with it.")
    else:
        outcome = pipeline.resume("" if resume is True else str(resume), wanted.jobs, _say)
    _show(outcome)


test = options.boots(
    options.selection_task(
        _test, {"resume": "finish a run that was interrupted instead: the one named, or the newest"}, ("resume",)
    )
)


def _try(wanted: Selection, tree: str | None) -> None:
    """Test what is edited in a kernel tree of yours, and not committed: stress tests at scale quick, or those of --tests."""
    vms.sweep()
    _show(_tried(edited.selected(wanted, tree or "")))


def _tried(wanted: Selection) -> Outcome:
    """Build and test a series of edits; the run's command is one that repeats it when the tree has other edits."""
    return pipeline.test(pipeline.build(wanted), wanted.jobs, shell.quote(("invoke", "test", *words(wanted))))


try_ = options.boots(options.selection_task(_try, {"tree": "the kernel tree: a git checkout"}))


def _watch(wanted: Selection, tree: str | None) -> None:
    """Do the same as try, at once and at every save, until it is interrupted; the last verdict stays on the screen."""
    vms.sweep()
    top = edited.folder(tree or "")
    edited.check(wanted)
    for patch in watches.saves(top, _say):
        _CONSOLE.clear()
        _say(f"{top}: {'testing what is edited' if patch else 'nothing is edited'}; Ctrl-C ends this.")
        try:
            if patch:
                _print(_tried(edited.selected(wanted, str(top))))
        except RigError as error:
            _say(uncaught.sentence(error))


watch = options.boots(options.selection_task(_watch, {"tree": "the kernel tree: a git checkout"}))


@options.boots
@options.selection_task
def sweep(wanted: Selection) -> None:
    """Measure how the cost of an operation grows with the number of busy areas and of free holes."""
    vms.sweep()
    wanted = pipeline.sweeping(wanted)
    _show(pipeline.test(_built(wanted), wanted.jobs, _command()))


def _soak(wanted: Selection, hours: str | None, seed: str | None) -> None:
    """Stress every cell for hours in one VM each, all at once, and tell whether memory grows."""
    vms.sweep()
    wanted = msgspec.structs.replace(wanted, tests=wanted.tests or "stress")
    soaks.check(wanted)
    lasts, chosen = (
        number("hours", "1" if hours is None else hours, least=0.001, most=_LONGEST),
        whole("seed", "0" if seed is None else seed),
    )
    _show(soaks.run(_built(wanted), wanted, _command(), lasts, chosen))


soak = options.boots(
    options.selection_task(
        _soak,
        {
            "hours": "how long, such as 0.5 or 72 (default: 1)",
            "seed": "of the rounds: the same ones as in the soak that printed it (default: drawn anew)",
        },
    )
)


def _selfcheck(wanted: Selection, experiments: str | None) -> None:
    """Measure the rig itself: twins of stock must be the same, and kernels slowed down on purpose slower."""
    vms.sweep()
    clocks = (wanted.timed,) if wanted.clock else tuple(Clock)
    result = selfchecks.run(wanted, clocks, whole("experiments", "3" if experiments is None else experiments, least=1), _command())
    _CONSOLE.print(sensitivity.tables(result))
    alarms = [trial for trial in result.trials if trial.false_alarm]
    if alarms:
        raise Exit("kernel-patch-rig: the self check failed: it saw differences between twins.", code=ExitCode.RIG_FAILED)


selfcheck = options.boots(
    options.selection_task(_selfcheck, {"experiments": "how often to repeat it, each time with boots of its own (default: 3)"})
)


def _mutants(wanted: Selection, only: str | None, resume: bool | None, all: bool | None) -> None:  # noqa: A002 - the option
    """Build kernels with bugs made on purpose, and tell which of them the stress tests catch."""
    vms.sweep()
    results = mutation_runs.run(wanted, only or "", _command(), resume=bool(resume), everything=bool(all))
    _CONSOLE.print(mutant_tables.tables(results))
    _say(f"Page: {mutation_runs.file(results.series).with_suffix('.md')}")
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
        done = bisects.run(msgspec.structs.replace(wanted, tests=test or wanted.tests), wish, _command(), _say)
    elif test or wish != bisects.Wish() or msgspec.structs.replace(wanted, jobs=0) != Selection():
        raise UsageError("--resume goes on with a bisect as it was begun; of the other options only --jobs goes with it.")
    else:
        done = bisects.resume("" if resume is True else str(resume), wanted.jobs, _say)
    for sentence in done.sentences:
        _say(sentence)
    _say(f"Log: {done.log}")
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
    done = each_patch.run(wanted, name, _command(), _say)
    _CONSOLE.print(terminal.findings(done.outcome.provenance, done.outcome.findings))
    _CONSOLE.print(patch_table.table(done.rows))
    _say(f"Report: {done.outcome.run / 'report.html'}")
    if done.exit_code:
        raise Exit(code=done.exit_code)


series_each = options.boots(options.selection_task(_each, {"name": _SERIES}, (), ("name",)))


def _userspace(wanted: Selection, operations: str | None, seed: str | None) -> None:
    """Run mm/vmalloc.c as a program, without a VM: random operations, judged by a model, under the sanitizers."""
    count = whole("operations", operations, least=1) if operations else userspaces.OPERATIONS
    outcomes = userspaces.run(wanted, count, whole("seed", seed) if seed else 1)
    _CONSOLE.print(userspace_tables.tables(outcomes))
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
    for done in audits.run(_built(wanted), wanted):
        _CONSOLE.print(audit_tables.tables(done))
        failed += [done.cell] if done.differing else []
    if failed:
        raise Exit(f"kernel-patch-rig: the audit failed: {', '.join(failed)} in the cache differs.", code=ExitCode.RIG_FAILED)


@task(name="report", positional=["run"], help={"run": "a run's name or folder (default: latest)"}, auto_shortflags=False)
def report_(_: Context, run: str) -> None:
    """Write a run's report again from its records, without booting."""
    with options.errors():
        _show(conclude.conclude(lifecycle.find(run)))


_VM = {"machine": "the VM's machine", "variant": "its variant", "profile": "its profile", "clock": "icount or wall (default: any)"}


@task(
    positional=["machine", "variant"],
    help={**_VM, "command": "run this and return, instead of a shell"},
    auto_shortflags=False,
)
def ssh(_: Context, machine: str, variant: str, profile: str = "perf", clock: str = "", command: str = "") -> None:
    """Open a shell in a VM that is up; one that was kept after a failure comes first."""
    with options.errors():
        words = attach.ssh(f"{machine}/{variant}/{profile}", clock)
    os.execvp(words[0], [*words, *([command] if command else [])])


@task(
    positional=["machine", "variant"],
    iterable=["command"],
    help={**_VM, "command": "have gdb do this and return, instead of a prompt; may be given more than once"},
    auto_shortflags=False,
)
def gdb(_: Context, machine: str, variant: str, command: Sequence[str], profile: str = "perf", clock: str = "") -> None:
    """Debug the kernel of a VM that is up, which stands still meanwhile; one that was kept after a failure comes first."""
    with options.errors():
        words = attach.debug(f"{machine}/{variant}/{profile}", clock, command)
    os.execvp(words[0], words)


@task
def status(_: Context) -> None:
    """Show the VMs that are up."""
    with options.errors():
        vms.sweep()
        _show_running()


@task
def down(_: Context) -> None:
    """Take down the VMs that are up."""
    with options.errors():
        swept = vms.sweep()
        up = list(vms.running())
        free = [machine for machine in up if machine.claim()]
        for machine in free:
            machine.stop()
        _say(f"{len(free)} taken down, {swept} swept.")
        for machine in up:
            if machine not in free:
                _say(f"{machine.state.cell} is in use by a rig, and stays up.")


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
        failed = checks.run(checks.commands(fast=fast, everything=all), _say)
    if failed:
        raise Exit(f"kernel-patch-rig: failed: {', '.join(failed)}", code=ExitCode.RIG_FAILED)


@task(help={"tests": options.HELP["tests"]}, auto_shortflags=False)
def tests(_: Context, tests: str = "performance,stress,sweep") -> None:  # noqa: PT028 - no test
    """Show the tests, with what one operation of each is."""
    with options.errors():
        _CONSOLE.print(catalog_tables.tables(catalog.choose(tests)))


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
        limit = int(number("keep", keep, most=_LARGEST) * (1 << 30)) if keep else Limits().cache
        for entry in caches.prune(limit) if prune else ():
            _say(f"removed: {entry.path}, {text.size(entry.size)}")
        _CONSOLE.print(cache_tables.tables(caches.entries()))


def _nightly(
    wanted: Selection, keep_runs: str | None, keep_size: str | None, keep_cache: str | None, no_audit: bool | None
) -> None:
    """Build and test everything unattended, keep it in the history, and hold it against the baseline."""
    limits = Limits(
        runs=whole("keep-runs", keep_runs, least=1) if keep_runs is not None else Limits().runs,
        size=int(number("keep-size", keep_size, most=_LARGEST) * (1 << 30)) if keep_size is not None else Limits().size,
        cache=int(number("keep-cache", keep_cache, most=_LARGEST) * (1 << 30)) if keep_cache is not None else Limits().cache,
    )
    parts = nights.Parts(
        pipeline.build,
        pipeline.test,
        _print,
        lambda outcome: (outcome.run / "report.md").read_text(),
        _say,
        None if no_audit else audits.in_turn,
    )
    code = nights.run(wanted, _command(), parts, limits)
    if code:
        raise Exit(code=code)


nightly = options.boots(
    options.selection_task(
        _nightly,
        {
            "keep_runs": f"nights whose folders to keep (default: {Limits().runs})",
            "keep_size": f"GiB of nights' folders to keep (default: {Limits().size >> 30})",
            "keep_cache": f"GiB of the cache to keep (default: {Limits().cache >> 30})",
            "no_audit": "do not build one cell again without any cache to compare (a night audits one in turn)",
        },
        ("no_audit",),
    )
)


@task(positional=["run"], help={"run": "a name in results/, a folder, or latest"}, auto_shortflags=False)
def baseline(_: Context, run: str) -> None:
    """Make a run the one that later nights are held against."""
    with options.errors():
        _say(f"{histories.accept(run)} is the baseline.")


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
        _show(outcome, conclude.report_name(old))


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
        output.write(why_tables.as_json(every, lines=lines) + "\n")
    else:
        _CONSOLE.print(why_tables.tables(every, lines=lines))


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
        output.write(coverage_tables.as_json(every) + "\n")
    else:
        _CONSOLE.print(coverage_tables.tables(every))


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
            _CONSOLE.print(dismissal_tables.table(dismissals.listed()))
        elif undo and why:
            raise UsageError("--why and --undo exclude each other: the one dismisses a finding, the other takes that back.")
        elif undo:
            _say(dismissal_tables.undone(dismissals.undo(fingerprint)))
        else:
            _say(dismissal_tables.done(dismissals.dismiss(fingerprint, why)))


def _kernlog(
    _: Context,
    log: str,
    json: bool = False,
    jsonl: bool = False,
    vmlinux: str = "",
    module: Sequence[str] = (),
    source: str = "",
) -> None:
    """Find what a kernel complained of in its log; the exit code is 2 if it did, 0 if not, 1 for an error."""
    with options.errors(), kernel_logs.opened(log) as file:
        given = kernel_logs.debug(vmlinux, module, source)
        if jsonl:
            code = kernel_logs.convert(file, given, output.write, lambda error: print(error, file=sys.stderr))
        else:
            troubles = kernel_logs.look(file, given)
            code = ExitCode.FINDING if troubles else ExitCode.GOOD
            sys.stdout.write(log_tables.as_json(troubles) + "\n") if json else _CONSOLE.print(log_tables.table(troubles))
    if code:
        raise Exit(code=code)


_kernlog.__doc__ = f"{_kernlog.__doc__}\n\nKinds of finding:\n\n{log_tables.kinds()}"
kernlog = task(
    name="kernlog",
    positional=["log"],
    iterable=["module"],
    auto_shortflags=False,
    help={
        "log": "a file, or - for standard input",
        "json": "print the findings as a JSON array",
        "jsonl": 'the input\'s lines are {"id": ..., "log": ...}; print a line {"id": ..., "findings": [...]} for each',
        "vmlinux": "the kernel with debug information: source lines are shown",
        "module": "a module with debug information; may be given more than once",
        "source": "the kernel's source: the text of the lines is shown",
    },
)(_kernlog)


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
        for sentence in series_adds.add(source, name, message_id, kernel, _say).sentences:
            _say(sentence)


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
    output.write(check_tables.mail(checked)) if mail else _CONSOLE.print(check_tables.table(checked))
    if checked.found:
        raise Exit(code=ExitCode.FINDING)


def _show(outcome: Outcome, report: str = "report") -> None:
    _print(outcome, report)
    code = exit_code(outcome)
    if code:
        raise Exit(code=code)


def _print(outcome: Outcome, report: str = "report") -> None:
    points = asked(outcome.provenance).arranged(Run(outcome.run).points())
    _CONSOLE.print(terminal.headlines(outcome))
    _CONSOLE.print(terminal.machines(outcome, points))
    _CONSOLE.print(terminal.findings(outcome.provenance, outcome.findings))
    _CONSOLE.print(terminal.comparison(outcome.comparisons, outcome.results))
    _CONSOLE.print(terminal.patches(outcome))
    _CONSOLE.print(soak_tables.tables(outcome.slopes))
    _CONSOLE.print(terminal.growth(growth.fit(points)))
    _CONSOLE.print(terminal.summary(outcome.provenance, outcome.comparisons, outcome.findings, outcome.results))
    for sentence in reasons.next_steps(Run(outcome.run)):
        _say(sentence)
    _say(f"Report: {outcome.run / report}.html, and for a mail {report}.md")


def _say(line: str) -> None:
    _CONSOLE.print(line, markup=False, highlight=False)


def _show_running() -> None:
    table = Table("machine/variant/profile", "clock", "state", "SSH port", "accelerator", "kept after", box=None)
    for machine in vms.running():
        state = machine.state
        table.add_row(state.cell, state.clock, _state(machine), str(state.port), state.accelerator, state.kept)
    _CONSOLE.print(table if table.row_count else "No VM is up.")


def _state(machine: vms.Vm) -> str:
    try:
        return machine.status()
    except RigError:
        return "does not answer"


def _command() -> str:
    """Return what repeats this invocation."""
    source = os.environ.get("RIG_SOURCE")
    return shell.quote((*(["env", f"RIG_SOURCE={source}"] if source else []), "invoke", *sys.argv[1:]))


@task(help={"test": "one test, which may be a stress test (default: each performance test)"}, auto_shortflags=False)
def history(_: Context, test: str = "") -> None:
    """Show how each performance test's figure went from run to run, or that of one test."""
    with options.errors():
        seen = histories.look(test)
    _CONSOLE.print(trend.runs(seen.runs))
    _CONSOLE.print(trend.terminal(seen.trends))
    _CONSOLE.print(level_steps.terminal(seen.trends))
    for sentence in seen.unread:
        _say(f"note: not in the history: {sentence}")
    _say(f"Page: {seen.page}")


LEFT_OUT: Mapping[str, str] = {
    "why": "latest",
    "coverage": "latest",
    "report": "latest",
    "dismiss": "",
    "bisect": "",
    "series.check": "",
    "series.each": "",
}
"""tasks that may be called without their word, and the word that they have then"""
series_tasks = Collection("series")
_OF_SERIES = {"add": series_add, "check": series_check, "each": series_each}
for _name, _task in _OF_SERIES.items():
    series_tasks.add_task(_task, _name)
_alone = [each for each in globals().values() if isinstance(each, Task) and each not in _OF_SERIES.values()]
namespace = Collection(*dict.fromkeys(_alone), series_tasks)
arguments.complete(program, LEFT_OUT, {name: namespace[name] for name in namespace.task_names})
