# SPDX-License-Identifier: GPL-2.0-only
"""A bisect for real: of two patches the second has a slip, which a stress test catches."""

from __future__ import annotations

import pytest

from harness import paths
from harness.runs import bisect_log
from harness.stats.outcome import ExitCode
from tests.support.rig import rig

pytestmark = [pytest.mark.kernel, pytest.mark.usefixtures("own_results")]
PLANTED = paths.PROJECT / "tests" / "data" / "series" / "planted"


def test_a_planted_slip_is_found_and_what_was_judged_is_taken_over(has_series: None) -> None:
    words = ("--machine", "x86_64", "--scale", "quick", "--tries", "1")
    done = rig("bisect", "--series", str(PLANTED), "--test", "window_test", *words)
    assert done.returncode == ExitCode.GOOD, done.stdout + done.stderr
    assert 'x86_64: patch 2 of 2, "mm/vmalloc: compare the end of an area with that of its window" (0002-' in done.stdout
    assert "With it window_test failed in 1 of 1 boot" in done.stdout
    log = bisect_log.find("")
    tried = [(one.prefix, one.showed) for one in log.read()[1]]
    assert tried == [(2, "failed"), (0, "passed"), (1, "passed")]
    lines = log.file.read_bytes().splitlines(keepends=True)
    log.file.write_bytes(b"".join(lines[:-2]))  # as a kill before the last prefix leaves it
    again = rig("bisect", "--resume")
    assert again.returncode == ExitCode.GOOD, again.stdout + again.stderr
    assert again.stdout.count("bisect x86_64: planted") == 1, "the last prefix alone is tried again"
    assert [line for line in done.stdout.splitlines() if line.startswith("x86_64: ")] == [
        line for line in again.stdout.splitlines() if line.startswith("x86_64: ")
    ]
