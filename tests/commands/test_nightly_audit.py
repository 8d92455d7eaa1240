# SPDX-License-Identifier: GPL-2.0-only
"""The audit of a cell that a night makes after its tests."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from harness import paths
from harness.errors import BuildError
from harness.model.audit import Audit, Compared, Difference
from harness.model.selection import Selection
from harness.runs.retention import LOG
from harness.stats.outcome import ExitCode
from harness.suite.plan import Plan
from tests.support.night import TONIGHT, Night, baseline, measured


def audit(difference: Difference | None = None) -> Audit:
    """Return what the audit of stock found."""
    compared = (Compared("image", "/cache/kernels/1/image", difference, remove=("/cache/kernels/1",)), Compared("vmlinux", "/v"))
    return Audit("x86_64/stock/perf", "1" * 16, "2", "2026-01-03T04:05:06+00:00", "here", 200.0, compared)


def audited(night: Night, found: Audit | Exception) -> None:
    """Have the night make an audit that finds this, after its tests."""

    def made(_: Plan, wanted: Selection) -> Audit:
        assert wanted.jobs == 3
        assert (paths.RESULTS / TONIGHT / LOG).exists()
        night.seen.append("audited")
        if isinstance(found, Exception):
            raise found
        return found

    night.parts = msgspec.structs.replace(night.parts, audit=made)


def test_a_night_audits_a_cell_after_its_tests(night: Night, summary: Path) -> None:
    audited(night, audit())
    assert night.run() == ExitCode.GOOD
    assert night.seen[-1] == "audited"
    assert "Audit of x86_64/stock/perf: same.\n" in night.log
    assert "\n\nAudit of x86_64/stock/perf: same.\n\n# Report of" in summary.read_text()


def test_what_an_audit_finds_fails_the_rig(night: Night, summary: Path) -> None:
    baseline(measured(100.0))
    night.samples = measured(120.0)
    audited(night, audit(Difference(16, "byte 0x10", "00", "01")))
    assert night.run() == ExitCode.RIG_FAILED
    page = summary.read_text()
    assert "the rig failed, or the run is not complete (exit code 1)" in page
    for said in (page, night.log):
        assert "REGRESSION: x86_64/stock/perf" in said
        assert "AUDIT of x86_64/stock/perf: differs in image." in said
        assert "image: byte 0x10: 00 in the cache, 01 built again; vmlinux is the same: the cached image was not made" in said
        assert (
            "Do not trust what was tested with /cache/kernels/1: remove /cache/kernels/1; build, audit, and run the tests again."
            in said
        )


@pytest.mark.parametrize("error", [BuildError("It does not build."), OSError(28, "No space left on device")])
def test_an_audit_that_cannot_be_made_fails_the_rig_and_loses_nothing(night: Night, summary: Path, error: Exception) -> None:
    audited(night, error)
    assert night.run() == ExitCode.RIG_FAILED
    assert f"AUDIT: it could not be made: {error}" in night.log
    page = summary.read_text()
    assert f"AUDIT: it could not be made: {error}" in page
    assert "No regressions" in page
    assert page.endswith(f"# Report of {TONIGHT}\n")
