# SPDX-License-Identifier: GPL-2.0-only
"""Output of the tasks, and the command that repeats them."""

from __future__ import annotations

import itertools
import os
import sys
from collections.abc import Iterable

from invoke.exceptions import Exit
from rich.console import Console
from rich.table import Table

from harness.commands import why as reasons
from harness.errors import RigError
from harness.host import shell
from harness.model.order import asked
from harness.model.run_folder import Run
from harness.report import lock_growth as lock_tables
from harness.report import scaled, terminal, within
from harness.report import soak as soak_tables
from harness.stats import growth, lock_growth
from harness.stats import within as inner
from harness.stats.outcome import Outcome, exit_code
from harness.vm import vms

_WIDTH = 110
"""columns where no terminal has a say: enough for a table without broken lines"""
CONSOLE = Console() if sys.stdout.isatty() else Console(width=_WIDTH, soft_wrap=True)


def show(outcome: Outcome, report: str = "report") -> None:
    """Print an outcome, and end with its exit code; `report` is the name of its report without suffix."""
    print_outcome(outcome, report)
    if code := exit_code(outcome):
        raise Exit(code=code)


def show_each(outcomes: Iterable[Outcome]) -> None:
    """Print outcomes as they come, and how to compare their runs, and end with the gravest exit code."""
    seen = []
    for outcome in outcomes:
        print_outcome(outcome)
        seen.append(outcome)
    for before, after in itertools.pairwise(seen):
        say(f"What changed between their kernels: invoke compare {before.run.name} {after.run.name}")
    if codes := [code for code in map(exit_code, seen) if code]:
        raise Exit(code=min(codes))


def print_outcome(outcome: Outcome, report: str = "report") -> None:
    """Print an outcome: what is decided, what was found, the figures, and what to do next."""
    points = asked(outcome.provenance).arranged(Run(outcome.run).points())
    CONSOLE.print(terminal.headlines(outcome))
    CONSOLE.print(terminal.machines(outcome, points))
    CONSOLE.print(terminal.findings(outcome.provenance, outcome.findings))
    CONSOLE.print(within.shown(inner.tallies(asked(outcome.provenance).arranged(Run(outcome.run).within()), outcome.results)))
    CONSOLE.print(terminal.comparison(outcome.comparisons, outcome.results))
    CONSOLE.print(terminal.patches(outcome))
    CONSOLE.print(soak_tables.tables(outcome.slopes))
    CONSOLE.print(terminal.growth(growth.fit(points)))
    CONSOLE.print(lock_tables.tables(lock_growth.by_size(asked(outcome.provenance).arranged(Run(outcome.run).locked()))))
    for sentence in scaled.sentences(asked(outcome.provenance).arranged(Run(outcome.run).scaled())):
        say(sentence)
    CONSOLE.print(terminal.summary(outcome.provenance, outcome.comparisons, outcome.findings, outcome.results))
    for sentence in reasons.next_steps(Run(outcome.run)):
        say(sentence)
    say(f"Report: {outcome.run / report}.html, and for a mail {report}.md")


def say(line: str) -> None:
    """Print a sentence as it is."""
    CONSOLE.print(line, markup=False, highlight=False)


def command() -> str:
    """Return what repeats this invocation."""
    source = os.environ.get("RIG_SOURCE")
    return shell.quote((*(["env", f"RIG_SOURCE={source}"] if source else []), "invoke", *sys.argv[1:]))


def show_running() -> None:
    """Print a table of the VMs that are up."""
    table = Table("machine/variant/profile", "clock", "state", "SSH port", "accelerator", "kept after", box=None)
    for machine in vms.running():
        state = machine.state
        table.add_row(state.cell, state.clock, _state(machine), str(state.port), state.accelerator, state.kept)
    CONSOLE.print(table if table.row_count else "No VM is up.")


def _state(machine: vms.Vm) -> str:
    try:
        return machine.status()
    except RigError:
        return "does not answer"
