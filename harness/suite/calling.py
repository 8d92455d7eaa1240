# SPDX-License-Identifier: GPL-2.0-only
"""The call of pytest that runs a suite, and the reason for which it was given up."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness import paths
from harness.host import shortage

GOOD = (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.NO_TESTS_COLLECTED)
"""exit codes of a suite that came to its end"""


def arguments(plan: Path, folder: Path, log: str) -> list[str]:
    """Return pytest's arguments for a stored plan and the run in `folder`, in which `log` is the name of pytest's own log."""
    return [
        str(paths.PROJECT / "harness" / "suite"),
        *("--rootdir", str(paths.PROJECT)),
        *("-p", "no:cacheprovider", "-p", "no:terminal"),
        *("--rig-plan", str(plan), "--rig-run", str(folder)),
        *("--report-log", str(folder / log)),
    ]


def given_up(error: BaseException) -> str:
    """Return why a suite is given up for an error of the system; empty if it is another one."""
    if known := shortage.said(error):
        return f"The suite cannot go on: {known}"
    return f"The run cannot be recorded: {error.strerror}." if isinstance(error, OSError) else ""


class Stopped:
    """A pytest plugin that notes why the suite was given up."""

    def __init__(self) -> None:
        """It was not, so far."""
        self.stopped = ""
        """the reason; empty if the suite was not given up"""

    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        """Note the reason, if there is one; then it is no interrupt."""
        if isinstance(excinfo.value, pytest.exit.Exception):
            self.stopped = str(excinfo.value)

    def pytest_internalerror(self, excinfo: pytest.ExceptionInfo[BaseException]) -> bool:
        """Note the reason if it is an error of the system, which needs no traceback."""
        self.stopped = self.stopped or given_up(excinfo.value)
        return bool(self.stopped)
