# SPDX-License-Identifier: GPL-2.0-only
"""Every cell boots without a complaint, and runs the test module's tests without one."""

from __future__ import annotations

from harness.suite import execute
from harness.suite.execute import Judge
from harness.suite.plan import Plan, Session, Step
from harness.suite.vm_pool import Lab


def test_boot(judge: Judge, lab: Lab, chosen: Plan, session: Session) -> None:
    """The kernel reaches SSH, and reports nothing on its way."""
    judge(execute.boot(lab, chosen, session))


def test_module(judge: Judge, lab: Lab, chosen: Plan, session: Session, step: Step) -> None:
    """The test passes, and the kernel reports nothing while it runs."""
    judge(execute.run(lab, chosen, session, step))


def test_end(judge: Judge, lab: Lab, chosen: Plan, session: Session) -> None:
    """The kernel is still alive after the tests, and has reported nothing since."""
    judge(execute.end(lab, chosen, session))
