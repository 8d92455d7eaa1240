# SPDX-License-Identifier: GPL-2.0-only
"""Runs a session up to its first step that has a finding: nobody wants to know what a broken kernel does after that."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from harness.errors import RigError
from harness.model.records import Finding
from harness.suite.execute import STEPS, Steps
from harness.suite.extract import Observed
from harness.suite.plan import Plan, Session
from harness.suite.vm_pool import Lab

BOOT = "boot"
"""test of the findings of a kernel that does not come up, after which no test is worth its time"""


def findings(
    lab: Lab,
    plan: Plan,
    session: Session,
    *,
    everything: bool,
    steps: Steps = STEPS,
    given_up: Callable[[], bool] = lambda: False,
) -> list[Finding]:
    """Return the findings of a session's steps, up to the first step that has one; with `everything` those of all steps.

    Raises VmLost or Mismatch as the steps do, and RigError once `given_up` returns True.
    """
    found: list[Finding] = []
    for seen in _observed(lab, plan, session, steps):
        if given_up():
            raise RigError("The attempt was given up.")
        found += seen.findings
        if enough(found, everything=everything):
            break
    return found


def enough(found: Sequence[Finding], *, everything: bool) -> bool:
    """Return whether these findings end a test of a kernel."""
    return bool(found and not everything) or any(finding.test == BOOT for finding in found)


def _observed(lab: Lab, plan: Plan, session: Session, steps: Steps) -> Iterator[Observed]:
    yield steps.boot(lab, plan, session)
    for step in session.steps:
        yield steps.run(lab, plan, session, step)
    yield steps.end(lab, plan, session)
