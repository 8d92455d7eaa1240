# SPDX-License-Identifier: GPL-2.0-only
"""A machine that is used only where it is named: one kernel is built, booted and tested, and stock shows its bugs."""

from __future__ import annotations

import pytest

from harness.model import matrix
from harness.runs import lifecycle
from harness.stats.outcome import ExitCode
from tests.support.rig import rig

pytestmark = [pytest.mark.kernel, pytest.mark.usefixtures("own_results")]
BUGS = {"align_shift_alloc_test", "exact_hole_test"}
TESTS = {"le_fit_alloc_test", "pcpu_areas_test", *BUGS}


@pytest.mark.parametrize("machine", sorted(set(matrix.machine_names()) - set(matrix.default_machines())))
def test_stock_is_built_and_booted_and_shows_its_bugs(machine: str, has_series: None) -> None:
    done = rig(
        *("select", "--machine", machine, "--variant", "stock", "--scale", "quick", "--boots", "1", "--plain"),
        *("--tests", ",".join(sorted(TESTS)), "build", "test"),
    )
    assert done.returncode == ExitCode.GOOD, done.stdout + done.stderr
    run = lifecycle.find("latest")
    findings = run.findings()
    assert {finding.test for finding in findings} == BUGS
    assert all(finding.expected for finding in findings)
    outcomes = {result.test: result.outcome for result in run.results() if result.test in TESTS}
    assert outcomes == {test: "xfailed" if test in BUGS else "passed" for test in TESTS}
