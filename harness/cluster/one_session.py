# SPDX-License-Identifier: GPL-2.0-only
"""Program that runs one session of a client's plan on a worker's host; its argument is the session's folder."""

from __future__ import annotations

import sys
from concurrent.futures import wait
from pathlib import Path
from typing import Any

import msgspec
import pytest

from harness import paths
from harness.build import plugin
from harness.build.built import BuiltCell
from harness.cluster import task
from harness.cluster.task import CUT_SHORT, PLAN, RUN, TASK, Task
from harness.errors import RigError
from harness.model import catalog
from harness.model.run_folder import Run
from harness.suite import calling, first_findings, plan, soak_cells
from harness.suite.plan import Plan, Session
from harness.suite.soak_cell import Soak
from harness.suite.vm_pool import Lab
from harness.vm import accel, vms


def run(folder: Path) -> None:
    """Run the session of `folder`, whose run's folder gets its records; RigError if it does not come to its end."""
    mine = msgspec.json.decode((folder / TASK).read_bytes(), type=Task)
    planned = at_home(task.moved(plan.load(folder / PLAN), Path(mine.cache), paths.cache()), mine.session)
    session = task.named(planned, mine.session)
    vms.sweep()  # those of a worker that was killed
    try:
        if mine.findings:
            _findings(folder / RUN, planned, session, everything=mine.findings == "all")
        elif planned.hours:
            _soak(folder, planned, session)
        else:
            _suite(folder, planned, session)
    finally:
        vms.stop_own()


def _suite(folder: Path, planned: Plan, session: Session) -> None:
    plan.save(planned, folder / "plan.json")
    shown = calling.Stopped()
    words = [*calling.arguments(folder / "plan.json", folder / RUN, task.REPORT_LOG), "--rig-session", session.name]
    code = pytest.main(words, plugins=[shown])
    if shown.stopped:
        raise RigError(shown.stopped)
    if code not in calling.GOOD:
        raise RigError(f"pytest ended with {pytest.ExitCode(code).name}.")


def _findings(run: Path, planned: Plan, session: Session, *, everything: bool) -> None:
    lab = Lab(run, keep=False)
    try:
        Run(run).add(first_findings.findings(lab, planned, session, everything=everything))
    finally:
        lab.close()


def _soak(folder: Path, planned: Plan, session: Session) -> None:
    """Soak one cell, until its time is over or a file says that it is to end."""
    own, run = msgspec.structs.replace(planned, cells=(session.built,)), Run(folder / RUN)
    tests = tuple(test for test in catalog.suite().tests if test.name in planned.tests)

    def waiting(*given: Any) -> Any:
        if (folder / CUT_SHORT).exists():
            raise KeyboardInterrupt
        return wait(*given)

    soak = Soak(own, tests, 1, lambda seen, result: run.add((*seen.records(), result)), lambda *_: None)
    soak_cells.run(soak, folder / RUN, waiting=waiting)


def at_home(planned: Plan, session: str) -> Plan:
    """Return a plan whose cell of `session` has what this host has: its accelerator, and the plugin for its QEMU."""
    cell = task.named(planned, session).built.cell
    return msgspec.structs.replace(planned, cells=tuple(_own(of) if of.cell == cell else of for of in planned.cells))


def _own(of: BuiltCell) -> BuiltCell:
    accelerator = accel.choose(of.cell.machine, of.kernel.image, of.rootfs)
    found = plugin.build(of.cell.machine.qemu.binary).file if of.plugin else None
    return msgspec.structs.replace(of, accelerator=accelerator, plugin=found)


if __name__ == "__main__":
    try:
        run(Path(sys.argv[1]))
    except RigError as error:
        sys.exit(str(error))
