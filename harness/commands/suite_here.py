# SPDX-License-Identifier: GPL-2.0-only
"""Runs a suite's sessions on this host, beside each other as far as it has cores and memory."""

from __future__ import annotations

import os

import pytest

from harness.commands.progress import Progress, SuiteProgress
from harness.errors import RigError, UsageError
from harness.host import parallel
from harness.model.run_folder import HOSTS, Run
from harness.suite import calling
from harness.suite.plan import Plan
from harness.vm import vms


def run(run: Run, planned: Plan, log: str, jobs: int) -> None:
    """Run the sessions of a plan that have no results yet; `log` is the name of pytest's own log in the run's folder.

    Raises UsageError where time is to be measured and something disturbs it, or it was measured elsewhere; RigError if
    pytest itself fails, KeyboardInterrupt if the user interrupts it.
    """
    if not planned.at_once and (up := [machine.state.cell for machine in vms.running()]):
        raise UsageError(f"Time is measured with one VM at a time, but {', '.join(up)} is up; run `invoke down` first.")
    if (run.folder / HOSTS).exists():
        raise UsageError(f"{run.folder.name} was measured on other hosts so far; finish it with --cluster.")
    arguments = [
        *calling.arguments(run.folder / "plan.json", run.folder, log),
        *("-n", str(at_once(planned, jobs)), "--dist", "loadscope", "--no-loadscope-reorder", "--max-worker-restart", "8"),
    ]
    with Progress("test") as progress:
        shown = SuiteProgress(progress)
        try:
            code = pytest.main(arguments, plugins=[shown])
        except (OSError, RuntimeError) as error:
            shown.stopped = shown.stopped or calling.given_up(error)
            if not shown.stopped:
                raise
        finally:
            vms.stop_own()
            vms.sweep()  # VMs of a worker that did not end as it should
    if shown.stopped:
        raise RigError(shown.stopped)
    if code == pytest.ExitCode.INTERRUPTED:
        raise KeyboardInterrupt
    if code not in calling.GOOD:
        raise RigError(f"pytest ended with {pytest.ExitCode(code).name}.")


def at_once(planned: Plan, jobs: int) -> int:
    """Return how many sessions of a plan run at once on this host; one, where time is measured."""
    return workers(planned, jobs, len(planned.sessions)) if planned.at_once else 1


def workers(planned: Plan, jobs: int, most: int) -> int:
    """Return how many of `most` VMs may run at once: one a core, or `jobs`, and no more than fit into the free memory."""
    largest = max((session.size for session in planned.sessions), default=1)
    return max(1, min(most, jobs or os.cpu_count() or 1, parallel.free_memory() // largest))
