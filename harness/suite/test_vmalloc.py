# SPDX-License-Identifier: GPL-2.0-only
"""Every cell boots without a complaint, and runs the test module's tests without one."""

from __future__ import annotations

from harness.plan import Plan, Session, Step
from harness.suite import trial
from harness.suite.lab import Lab
from harness.suite.trial import Judge


def test_boot(judge: Judge, lab: Lab, chosen: Plan, session: Session) -> None:
    """The kernel reaches SSH, and reports nothing on its way."""
    judge(trial.boot(lab, chosen, session))


def test_module(judge: Judge, lab: Lab, chosen: Plan, session: Session, step: Step) -> None:
    """The test passes, and the kernel reports nothing while it runs."""
    judge(trial.run(lab, chosen, session, step))


def test_end(judge: Judge, lab: Lab, chosen: Plan, session: Session) -> None:
    """The kernel is still alive after the tests, and has reported nothing since."""
    judge(trial.end(lab, chosen, session))
