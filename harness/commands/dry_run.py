# SPDX-License-Identifier: GPL-2.0-only
"""Prints all that a command line would run as one shell script, and runs nothing of it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from invoke.parser.context import ParserContext

from harness.build import cells
from harness.build.jobserver import Own
from harness.commands import dry_vms, edited, live_ktap, output, pipeline
from harness.commands.dry_cells import Makings
from harness.errors import UsageError
from harness.host import shell
from harness.model.selection import Selection, each_kernel
from harness.report import shell_text as sh
from harness.suite.plan import Plan
from harness.vm import accel

OPTION = "dry_run"
HELP = "print all that the command line would run as a shell script, and run nothing of it"
_FLAG = "--dry-run"
_BOOTING = ("test", "sweep", "try")
"""tasks that boot VMs of their own, so that `boot` before them leaves none up"""
_HEAD = """\
What `{command}` runs, as text. `sh -e FILE` runs all of it, and ends with another exit code than 0 if a test fails that stock
is not known to fail. To do a part of it by hand, paste the lines above the first title, then that part, line by line.
What the rig does beside it is left out: it checks that Kconfig took each symbol and that a guest runs what was built,
judges what its kernel reports, measures and compares. `invoke kernlog` reads the consoles' logs.
"""


class Script:
    """The script of a command line, to which its tasks add one after the other."""

    def __init__(self, called: Sequence[ParserContext]) -> None:
        """Begin the script of these tasks; UsageError for one that has no dry run."""
        names = [context.name for context in called]
        if other := next((name for name in names if name not in TASKS), None):
            raise UsageError(f"{_FLAG} goes with {', '.join(TASKS)} alone, and not with {other}; leave one of them out.")
        self._waiting = len({(context.name, str(context.as_kwargs)) for context in called})  # Invoke calls no task twice
        after = names[names.index("boot") + 1 :] if "boot" in names else names
        self._tested = any(name in _BOOTING for name in after)
        self._makings = Makings()
        self._plans: dict[Selection, Plan] = {}
        self._vms: list[str] = []

    def add(self, task: str, wanted: Selection, own: Mapping[str, Any]) -> str:
        """Add what a task does with its selection and its `own` options; return the script once it is whole, else nothing."""
        TASKS[task](self, wanted, own)
        self._waiting -= 1
        if self._waiting:
            return ""
        if len({tuple(built.cell.name for built in planned.cells) for planned in self._plans.values()}) > 1:
            _note("The tasks have different kernels, since options of a task hold for it alone; those of `select` hold for all.")
        return self._text()

    def built(self, wanted: Selection) -> Plan:
        """Add what builds the selected cells, and return the plan for a suite in them."""
        if wanted in self._plans:
            return self._plans[wanted]
        for option, value in (("--keep", wanted.keep), ("--on-failure", wanted.on_failure)):
            if value:
                raise UsageError(f"{option} has no meaning with {_FLAG}, because its script ends each VM; leave it out.")
        if wanted.cluster:
            raise UsageError(f"--cluster has no meaning with {_FLAG}, because its script runs on this host; leave it out.")
        if wanted.module:
            raise UsageError(f"--module and {_FLAG} exclude each other: leave one of them out.")
        if len(each_kernel(wanted)) > 1:
            raise UsageError(f"A script of {_FLAG} is for one kernel base; name one with --kernel.")
        cells.check(wanted)
        prepared = pipeline.prepare(wanted, (), _note)
        for note in (*prepared.sources.notes, *(note for done in prepared.patched.values() for note in done.notes)):
            _note(note)
        jobs = Own(wanted.jobs or os.cpu_count() or 1)
        self._makings.begin(prepared, jobs)
        made = tuple(self._makings.cell(cell, accel.chosen(cell.machine)) for cell in prepared.cells)
        self._plans[wanted] = pipeline.plan_of(wanted, prepared.sources, made)
        return self._plans[wanted]

    def boot(self, wanted: Selection, own: Mapping[str, Any]) -> None:
        """Add the VMs that `boot` leaves up; where tests follow, they boot theirs."""
        planned = self.built(wanted)
        if not self._tested:
            self._vms += [dry_vms.session(planned, of, (), left=True) for of in pipeline.booted(planned)]

    def test(self, wanted: Selection, own: Mapping[str, Any]) -> None:
        """Add all VMs of a suite, with their tests."""
        if own.get("resume"):
            raise UsageError(f"--resume and {_FLAG} exclude each other: a run goes on in its own folder; leave one of them out.")
        if own.get(live_ktap.OPTION):
            raise UsageError(f"--ktap and {_FLAG} exclude each other: a script has no results yet; leave one of them out.")
        planned = self.built(wanted)
        pipeline.check_tests(planned)
        self._vms += [dry_vms.session(planned, of, of.steps, left=False) for of in planned.sessions]

    def _text(self) -> str:
        """Return the whole script."""
        head = [
            "#!/bin/sh",
            sh.comment(_HEAD.format(command=shell.quote(("invoke", *sys.argv[1:])))),
            "work=$(mktemp -d -t rig.XXXXXX)",
            "failed=",
            "qemu=",
        ]
        shared = [dry_vms.functions(), *_ENDING] if self._vms else []
        return "\n".join([*head, *shared, *self._makings.text, *self._vms, *_END]) + "\n"


_ENDING = (
    "trap stop EXIT",
    sh.comment("Ctrl-C ends the script with its VM, also where a shell would go on because the command did not die of it."),
    "case $- in *i*) ;; *) trap 'exit 130' INT ;; esac",
)
_END = (
    sh.title("end"),
    'echo "logs, and what was made: $work"',
    '[ -z "$failed" ] || { echo "failed:$failed" >&2; false; }',
)
_Adding = Callable[[Script, Selection, Mapping[str, Any]], object]
TASKS: Mapping[str, _Adding] = {
    "select": lambda *_: None,
    "build": lambda script, wanted, _: script.built(wanted),
    "boot": Script.boot,
    "test": Script.test,
    "sweep": lambda script, wanted, own: script.test(pipeline.sweeping(wanted), own),
    "try": lambda script, wanted, own: script.test(edited.selected(wanted, own["tree"] or ""), own),
}
"""additions to a script by the tasks that have a dry run"""
_script: Script | None = None
"""of this process's command line"""


def asked(called: Sequence[ParserContext]) -> bool:
    """Return True if one of the tasks of a command line has the option: it holds for all of them."""
    return any(context.as_kwargs.get(OPTION) for context in called)


def add(task: str, wanted: Selection, own: Mapping[str, Any], called: Sequence[ParserContext]) -> None:
    """Add a task to the script of the command line, and print that with its last task; raises the errors of a build."""
    global _script
    _script = _script or Script(called)
    output.write(_script.add(task, wanted, own))


def _note(text: str) -> None:
    print(f"note: {text}", file=sys.stderr)
