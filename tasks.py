# SPDX-License-Identifier: GPL-2.0-only
"""Invoke tasks: read options, call the harness, print."""

from __future__ import annotations

import functools
import inspect
import math
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from invoke.context import Context
from invoke.exceptions import Exit
from invoke.main import program
from invoke.tasks import Task, task
from rich.console import Console
from rich.table import Table

from harness import archive, growth, logs, pipeline, protocol, runs, shell, vm
from harness import check as checks
from harness import mutants as mutation_runs
from harness import nightly as nights
from harness import selfcheck as selfchecks
from harness import soak as soaks
from harness.errors import RigError, UsageError
from harness.matrix import Clock
from harness.outcome import ExitCode, Outcome, exit_code
from harness.records import Run
from harness.report import logs as log_tables
from harness.report import mutants as mutant_tables
from harness.report import sensitivity, terminal, text, trend
from harness.report import soak as soak_tables
from harness.retention import Limits
from harness.selection import Selection, refine

_WIDTH = 110
"""columns where no terminal has a say: enough for a table without broken lines"""
_CONSOLE = Console() if sys.stdout.isatty() else Console(width=_WIDTH, soft_wrap=True)
_OPTIONS = {
    "machine": "machines to use, as in qemu_configs/ (default: all)",
    "variant": "kernels to compare: stock, a series in kernel_patches/, NAME@2 for its first two patches"
    " (default: stock and the default series)",
    "profile": "what the kernels are configured for (default: perf)",
    "tests": "tests by name, or performance, stress, sweep, or all, which is all but sweeps (default: all)",
    "clock": "of the performance tests: icount or wall (default: icount)",
    "scale": "quick, default or published (default: default)",
    "boots": "boots of each cell for the performance tests (default: the scale's)",
    "loops": "share of the scale's operations to do, such as 0.1 (default: 1)",
    "unsettled": "let samples find what those before them left, as in a running system: stock swings then",
    "jobs": "how many compilers, and how many VMs, at once (default: one a core)",
    "keep": "leave up the first VM of each cell that is booted",
    "on_failure": "after a test that failed: keep, which leaves its VM up for invoke ssh and invoke gdb, or core, which writes its"
    " memory to the run's folder for crash and drgn (default: neither; a fresh VM is booted in any case)",
    "source": "kernel source: a folder, a tarball, or URL#REF of a git repository (default: RIG_SOURCE, the cache, kernel.org)",
    "series": "a series outside of the project: a folder, an mbox or a patch; it takes the place of the default one",
    "kernel": "kernel base, as in kernel_patches/; forbids the fallback to the distribution's kernel (default: 4.18)",
    "threshold": "slow-down in per cent from which on a change is a regression (default: 5)",
    "margin": "per cent within which figures count as the same (default: 1 for icount, 5 for wall)",
}
_chosen = Selection()


def _selection_task(body: Callable[..., None], more: dict[str, str] | None = None, optional: tuple[str, ...] = ()) -> Task[Any]:
    """Make a task that takes all the options of a selection, over what `invoke select` said.

    `more` are options of its own, with their help; `body` gets them by name. Those that are
    `optional` may be given without a value.
    """
    own = more or {}

    @functools.wraps(body)
    def run(_: Context, **options: Any) -> None:
        given = {name: value for name, value in options.items() if name in _OPTIONS and value not in (None, False)}
        with _errors():
            body(refine(_chosen, given), **{name: options[name] for name in own})

    context = inspect.Parameter("context", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    flags = {name: False if getattr(Selection(), name, None) is False else None for name in (*_OPTIONS, *own)}
    parameters = [inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default) for name, default in flags.items()]
    run.__signature__ = inspect.Signature([context, *parameters])  # type: ignore[attr-defined]
    made: Task[Any] = task(name=body.__name__.strip("_"), help={**_OPTIONS, **own}, optional=optional, auto_shortflags=False)(run)
    return made


class _errors:  # noqa: N801 - reads as a statement
    """Turns the rig's errors into one line and an exit code."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, where: object) -> None:
        if isinstance(error, RigError):
            raise Exit(text.plain(f"kernel-patch-rig: {error}"), code=ExitCode.RIG_FAILED) from error
        if isinstance(error, OSError):
            where = f"{error.filename} cannot be used" if error.filename else "the system refuses"
            raise Exit(f"kernel-patch-rig: {where}: {error.strerror or error}.", code=ExitCode.RIG_FAILED) from error
        if isinstance(error, KeyboardInterrupt):
            raise Exit("kernel-patch-rig: interrupted; what was recorded so far is kept.", code=130) from error


_built = functools.lru_cache(pipeline.build)


@_selection_task
def select(wanted: Selection) -> None:
    """Say the options once for all tasks that follow: invoke select --scale quick build boot test."""
    global _chosen
    _chosen = wanted


@_selection_task
def build(wanted: Selection) -> None:
    """Build the kernels and the test module."""
    _built(wanted)


@_selection_task
def boot(wanted: Selection) -> None:
    """Boot the kernels and leave their VMs up, unless a test task follows that takes them down."""
    vm.sweep()
    names = [called.name for called in program.tasks]
    followed = bool({"test", "sweep", "selfcheck", "mutants", "nightly", "soak"} & set(names[names.index("boot") :]))
    pipeline.boot(_built(wanted), wanted, keep=wanted.keep or not followed)
    if not followed:
        _show_running()


def _test(wanted: Selection, resume: str | bool | None) -> None:
    """Run the suite, booting what is not up; compare, and write the report."""
    vm.sweep()
    if not resume:
        outcome = pipeline.test(_built(wanted), wanted, _command())
    elif msgspec.structs.replace(wanted, jobs=0) != Selection():
        raise UsageError("--resume finishes a run as it was begun; of the other options only --jobs goes with it.")
    else:
        outcome = pipeline.resume("" if resume is True else str(resume), wanted.jobs)
    _show(outcome)


test = _selection_task(_test, {"resume": "finish a run that was interrupted instead: the one named, or the newest"}, ("resume",))


@_selection_task
def sweep(wanted: Selection) -> None:
    """Measure how the cost of an operation grows with the number of busy areas and of free holes."""
    vm.sweep()
    wanted = msgspec.structs.replace(wanted, tests="sweep" if wanted.tests == Selection().tests else wanted.tests)
    if not set(protocol.choose(wanted.tests)) <= set(protocol.choose("sweep")):
        raise UsageError(f"--tests {wanted.tests} has tests that are no sweep; `invoke test` runs those.")
    _show(pipeline.test(_built(wanted), wanted, _command()))


def _soak(wanted: Selection, hours: str | None, seed: str | None) -> None:
    """Stress every cell for hours in one VM each, all at once, and tell whether memory grows."""
    vm.sweep()
    wanted = msgspec.structs.replace(wanted, tests="stress" if wanted.tests == Selection().tests else wanted.tests)
    soaks.check(wanted)
    lasts, chosen = _number("hours", hours or "1", least=0.001), _whole("seed", seed or "0")
    _show(soaks.run(_built(wanted), wanted, _command(), lasts, chosen))


soak = _selection_task(
    _soak,
    {
        "hours": "how long, such as 0.5 or 72 (default: 1)",
        "seed": "of the rounds: the same ones as in the soak that printed it (default: drawn anew)",
    },
)


def _selfcheck(wanted: Selection, experiments: str | None) -> None:
    """Measure the rig itself: twins of stock must be the same, and kernels slowed down on purpose slower."""
    vm.sweep()
    clocks = (wanted.timed,) if wanted.clock else tuple(Clock)
    found = selfchecks.run(wanted, clocks, int(_number("experiments", experiments or "3", least=1)), _command())
    _CONSOLE.print(sensitivity.tables(found))
    alarms = [trial for trial in found.trials if trial.false_alarm]
    if alarms:
        raise Exit("kernel-patch-rig: the self check failed: it saw differences between twins.", code=ExitCode.RIG_FAILED)


selfcheck = _selection_task(_selfcheck, {"experiments": "how often to repeat it, each time with boots of its own (default: 3)"})


def _mutants(wanted: Selection, only: str | None, resume: bool | None, all: bool | None) -> None:  # noqa: A002 - the option
    """Build kernels with bugs made on purpose, and tell which of them the stress tests catch."""
    vm.sweep()
    found = mutation_runs.run(wanted, only or "", _command(), resume=bool(resume), everything=bool(all))
    _CONSOLE.print(mutant_tables.tables(found))
    _say(f"Page: {mutation_runs.file().with_suffix('.md')}")
    if code := mutation_runs.exit_code(found):
        raise Exit(code=code)


mutants = _selection_task(
    _mutants,
    {
        "only": "mutants by name, as in mutants.toml in the kernel's folder (default: all)",
        "resume": "take over what the last call found out of mutants, kernels and tests that are still the same",
        "all": "go on after a mutant's first finding, to learn of every test that catches it",
    },
    ("resume", "all"),
)


@task(name="report", positional=["run"], help={"run": "a run's name or folder such as latest"}, auto_shortflags=False)
def report_(_: Context, run: str) -> None:
    """Write a run's report again from its records, without booting."""
    with _errors():
        _show(runs.conclude(runs.find(run)))


_VM = {"machine": "the VM's machine", "variant": "its variant", "profile": "its profile", "clock": "icount or wall (default: any)"}


@task(
    positional=["machine", "variant"],
    help={**_VM, "command": "run this and return, instead of a shell"},
    auto_shortflags=False,
)
def ssh(_: Context, machine: str, variant: str, profile: str = "perf", clock: str = "", command: str = "") -> None:
    """Open a shell in a VM that is up; one that was kept after a failure comes first."""
    with _errors():
        words = pipeline.ssh(f"{machine}/{variant}/{profile}", clock)
    os.execvp(words[0], [*words, *([command] if command else [])])


@task(
    positional=["machine", "variant"],
    iterable=["command"],
    help={**_VM, "command": "have gdb do this and return, instead of a prompt; may be given more than once"},
    auto_shortflags=False,
)
def gdb(_: Context, machine: str, variant: str, command: Sequence[str], profile: str = "perf", clock: str = "") -> None:
    """Debug the kernel of a VM that is up, which stands still meanwhile; one that was kept after a failure comes first."""
    with _errors():
        words = pipeline.debug(f"{machine}/{variant}/{profile}", clock, command)
    os.execvp(words[0], words)


@task
def status(_: Context) -> None:
    """Show the VMs that are up."""
    with _errors():
        vm.sweep()
        _show_running()


@task
def down(_: Context) -> None:
    """Take down the VMs that are up."""
    with _errors():
        swept = vm.sweep()
        up = list(vm.running())
        free = [machine for machine in up if machine.claim()]
        for machine in free:
            machine.stop()
        _say(f"{len(free)} taken down, {swept} swept.")
        for machine in up:
            if machine not in free:
                _say(f"{machine.state.cell} is in use by a rig, and stays up.")


@task(help={"fast": "leave out the end-to-end tests, which build and boot kernels"}, auto_shortflags=False)
def check(_: Context, fast: bool = False) -> None:
    """Run the project's own lint, types and tests."""
    with _errors():
        failed = checks.run(fast=fast, say=_say)
    if failed:
        raise Exit(f"kernel-patch-rig: failed: {', '.join(failed)}", code=ExitCode.RIG_FAILED)


def _nightly(wanted: Selection, keep_runs: str | None, keep_size: str | None) -> None:
    """Build and test everything unattended, keep it in the history, and hold it against the baseline."""
    limits = Limits(
        runs=int(_number("keep-runs", keep_runs, least=1)) if keep_runs else Limits().runs,
        size=int(_number("keep-size", keep_size) * (1 << 30)) if keep_size else Limits().size,
    )
    parts = nights.Parts(pipeline.build, pipeline.test, _print, lambda outcome: (outcome.run / "report.md").read_text(), _say)
    code = nights.run(wanted, _command(), parts, limits)
    if code:
        raise Exit(code=code)


nightly = _selection_task(
    _nightly,
    {
        "keep_runs": f"nights whose folders to keep (default: {Limits().runs})",
        "keep_size": f"GiB of nights' folders to keep (default: {Limits().size >> 30})",
    },
)


@task(positional=["run"], help={"run": "a name in results/, a folder, or latest"}, auto_shortflags=False)
def baseline(_: Context, run: str) -> None:
    """Make a run the one that later nights are held against."""
    with _errors():
        _say(f"{archive.accept(run)} is the baseline.")


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
    with _errors():
        old, new = runs.find(before), runs.find(after)
        outcome = runs.across(old, new, _number("threshold", threshold) if threshold else None)
        _show(outcome, runs.report_name(old))


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
    with _errors(), logs.opened(log) as file:
        given = logs.debug(vmlinux, module, source)
        if jsonl:
            code = logs.convert(file, given, sys.stdout.write, lambda error: print(error, file=sys.stderr))
        else:
            troubles = logs.look(file, given)
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


def _show(outcome: Outcome, report: str = "report") -> None:
    _print(outcome, report)
    code = exit_code(outcome)
    if code:
        raise Exit(code=code)


def _print(outcome: Outcome, report: str = "report") -> None:
    _CONSOLE.print(terminal.comparison(outcome.comparisons))
    _CONSOLE.print(soak_tables.tables(outcome.slopes))
    _CONSOLE.print(terminal.growth(growth.fit(Run(outcome.run).points())))
    _CONSOLE.print(terminal.summary(outcome.provenance, outcome.comparisons, outcome.findings, outcome.results))
    _say(f"Report: {outcome.run / report}.html, and for a mail {report}.md")


def _say(line: str) -> None:
    _CONSOLE.print(line, markup=False, highlight=False)


def _number(option: str, given: str, least: float = 0) -> float:
    """Return the value of an option; UsageError if it is none."""
    try:
        value = float(given)
    except ValueError:
        value = math.nan
    if not least <= value < math.inf:
        raise UsageError(f"--{option} has to be a number of at least {least:g}, not '{given}'.")
    return value


def _whole(option: str, given: str) -> int:
    """Return the value of an option that can be kept as an integer of 32 bits; UsageError if it cannot."""
    value = _number(option, given)
    if value != int(value) or value >= 1 << 32:
        raise UsageError(f"--{option} has to be a whole number below 2 to the power of 32, not '{given}'.")
    return int(value)


def _show_running() -> None:
    table = Table("machine/variant/profile", "clock", "state", "SSH port", "accelerator", "kept after", box=None)
    for machine in vm.running():
        state = machine.state
        table.add_row(state.cell, state.clock, _state(machine), str(state.port), state.accelerator, state.kept)
    _CONSOLE.print(table if table.row_count else "No VM is up.")


def _state(machine: vm.Vm) -> str:
    try:
        return machine.status()
    except RigError:
        return "does not answer"


def _command() -> str:
    """Return what repeats this invocation."""
    source = os.environ.get("RIG_SOURCE")
    return shell.quote((*(["env", f"RIG_SOURCE={source}"] if source else []), "invoke", *sys.argv[1:]))


def _history(test: str) -> None:
    with _errors():
        seen = archive.look(test)
    _CONSOLE.print(trend.runs(seen.runs))
    _CONSOLE.print(trend.terminal(seen.trends))
    if seen.unread:
        _say(f"{len(seen.unread)} of the runs in results/ cannot be read, the first of them: {seen.unread[0]}")
    _say(f"Page: {seen.page}")


def _word_after(task_name: str) -> str:
    """Return the word after a task's name on the command line, if it is neither an option nor another task."""
    follows = dict(zip(sys.argv, sys.argv[1:], strict=False)).get(task_name, "")
    others = {known.name for known in globals().values() if isinstance(known, Task)}
    return "" if follows.startswith("-") or follows in others else follows


# Invoke knows no positional arguments that may be left out.
if _word_after("history"):

    @task(positional=["test"], help={"test": "one test, which may be a stress test"}, auto_shortflags=False)
    def history(_: Context, test: str) -> None:
        """Show how each performance test's figure went from run to run, or that of one TEST."""
        _history(test)

else:

    @task
    def history(_: Context) -> None:
        """Show how each performance test's figure went from run to run, or that of one TEST."""
        _history("")
