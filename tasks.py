# SPDX-License-Identifier: GPL-2.0-only
"""Invoke tasks: read options, call the harness, print."""

from __future__ import annotations

import functools
import inspect
import os
import sys
from collections.abc import Callable
from typing import Any

from invoke.context import Context
from invoke.exceptions import Exit
from invoke.main import program
from invoke.tasks import Task, task
from rich.console import Console
from rich.table import Table

from harness import check as checks
from harness import pipeline, report, shell, vm
from harness.errors import RigError
from harness.outcome import ExitCode, Outcome, exit_code
from harness.selection import Selection, refine

_WIDTH = 110
"""columns where no terminal has a say: enough for a table without broken lines"""
_CONSOLE = Console() if sys.stdout.isatty() else Console(width=_WIDTH, soft_wrap=True)
_OPTIONS = {
    "machine": "machines to use, as in qemu_configs/ (default: all)",
    "variant": "kernels to compare: stock, a series in kernel_patches/, NAME@2 for its first two patches"
    " (default: stock and the default series)",
    "profile": "what the kernels are configured for (default: perf)",
    "tests": "tests by name, or performance, stress, all (default: all)",
    "clock": "of the performance tests: icount or wall (default: icount)",
    "scale": "quick, default or published (default: default)",
    "jobs": "how many compilers, and how many VMs, at once (default: one a core)",
    "keep": "leave up the VMs that are booted",
    "source": "kernel source: a folder, a tarball, or URL#REF of a git repository (default: RIG_SOURCE, the cache, kernel.org)",
    "series": "a series outside of the project: a folder, an mbox or a patch; it takes the place of the default one",
    "kernel": "kernel base, as in kernel_patches/; forbids the fallback to the distribution's kernel (default: 4.18)",
    "threshold": "slow-down in per cent from which on a change is a regression (default: 5)",
}
_chosen = Selection()


def _selection_task(body: Callable[[Selection], None]) -> Task[Any]:
    """Make a task that takes all the options of a selection, over what `invoke select` said."""

    @functools.wraps(body)
    def run(_: Context, **options: Any) -> None:
        given = {name: value for name, value in options.items() if value not in (None, False)}
        with _errors():
            body(refine(_chosen, given))

    context = inspect.Parameter("context", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    flags = {name: False if name == "keep" else None for name in _OPTIONS}
    parameters = [inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default) for name, default in flags.items()]
    run.__signature__ = inspect.Signature([context, *parameters])  # type: ignore[attr-defined]
    made: Task[Any] = task(help=_OPTIONS, auto_shortflags=False)(run)
    return made


class _errors:  # noqa: N801 - reads as a statement
    """Turns the rig's errors into one line and an exit code."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, where: object) -> None:
        if isinstance(error, RigError):
            raise Exit(f"kernel-patch-rig: {error}", code=ExitCode.RIG_FAILED) from error
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
    followed = "test" in names[names.index("boot") :]
    pipeline.boot(_built(wanted), wanted, keep=wanted.keep or not followed)
    if not followed:
        _show_running()


@_selection_task
def test(wanted: Selection) -> None:
    """Run the suite, booting what is not up; compare, and write the report."""
    vm.sweep()
    outcome = pipeline.test(_built(wanted), wanted, _command())
    _show(outcome)


@task(name="report", positional=["run"], help={"run": "a run's name or folder such as latest"}, auto_shortflags=False)
def report_(_: Context, run: str) -> None:
    """Write a run's report again from its records, without booting."""
    with _errors():
        _show(pipeline.finish(pipeline.find_run(run)))


@task(
    positional=["machine", "variant"],
    help={
        "machine": "the VM's machine",
        "variant": "its variant",
        "profile": "its profile",
        "clock": "icount or wall (default: any)",
        "command": "run this and return, instead of a shell",
    },
    auto_shortflags=False,
)
def ssh(_: Context, machine: str, variant: str, profile: str = "perf", clock: str = "", command: str = "") -> None:
    """Open a shell in a VM that is up."""
    with _errors():
        words = pipeline.ssh(f"{machine}/{variant}/{profile}", clock)
    os.execvp(words[0], [*words, *([command] if command else [])])


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
        for machine in up:
            machine.stop()
        _CONSOLE.print(f"{len(up)} taken down, {swept} swept.")


@task(help={"fast": "leave out the end-to-end tests, which build and boot kernels"}, auto_shortflags=False)
def check(_: Context, fast: bool = False) -> None:
    """Run the project's own lint, types and tests."""
    with _errors():
        failed = checks.run(fast=fast, say=lambda line: _CONSOLE.print(line, markup=False, highlight=False))
    if failed:
        raise Exit(f"kernel-patch-rig: failed: {', '.join(failed)}", code=ExitCode.RIG_FAILED)


def _show(outcome: Outcome) -> None:
    _CONSOLE.print(report.comparison(outcome.comparisons))
    _CONSOLE.print(report.summary(outcome.provenance, outcome.comparisons, outcome.findings, outcome.results))
    _CONSOLE.print(f"Report: {outcome.run / 'report.html'}", highlight=False)
    code = exit_code(outcome)
    if code:
        raise Exit(code=code)


def _show_running() -> None:
    table = Table("machine/variant/profile", "clock", "state", "SSH port", "accelerator", box=None)
    for machine in vm.running():
        table.add_row(machine.state.cell, machine.state.clock, machine.status(), str(machine.state.port), machine.state.accelerator)
    _CONSOLE.print(table if table.row_count else "No VM is up.")


def _command() -> str:
    """Return what repeats this invocation."""
    source = os.environ.get("RIG_SOURCE")
    return shell.quote((*(["env", f"RIG_SOURCE={source}"] if source else []), "invoke", *sys.argv[1:]))
