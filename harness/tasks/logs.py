# SPDX-License-Identifier: GPL-2.0-only
"""The task that reads any kernel log: kernlog."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from invoke.context import Context
from invoke.exceptions import Exit
from invoke.tasks import task

from harness.commands import kernlog as kernel_logs
from harness.commands import options, output
from harness.report import kernlog as log_tables
from harness.stats.outcome import ExitCode
from harness.tasks import shown


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
            sys.stdout.write(log_tables.as_json(troubles) + "\n") if json else shown.CONSOLE.print(log_tables.table(troubles))
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
