# SPDX-License-Identifier: GPL-2.0-only
"""The outcome of a run, and its exit code."""

from __future__ import annotations

from pathlib import Path

import msgspec

from harness.model.records import Finding, Provenance, Result
from harness.stats.compare import Comparison
from harness.stats.slopes import Slope


class Outcome(msgspec.Struct, frozen=True):
    """The outcome of a run: comparisons, findings and results."""

    run: Path
    comparisons: tuple[Comparison, ...]
    findings: tuple[Finding, ...]
    results: tuple[Result, ...]
    provenance: Provenance
    slopes: tuple[Slope, ...] = ()
    """of a soak"""
    steps: tuple[Comparison, ...] = ()
    """of each prefix of a series with the one before it"""

    @property
    def complete(self) -> bool:
        """True if every test that was planned has a result."""
        return len(self.results) >= self.provenance.planned

    @property
    def errors(self) -> tuple[Result, ...]:
        """Tests that the rig itself could not run."""
        return tuple(result for result in self.results if result.outcome == "error")

    @property
    def unexpected(self) -> tuple[Finding, ...]:
        """Findings that no known bug explains, and that nobody dismissed."""
        return tuple(finding for finding in self.findings if finding.unexpected)

    @property
    def regressions(self) -> tuple[Comparison, ...]:
        """Tests in which a variant costs more than what it is compared with, past the threshold."""
        return tuple(c for c in self.comparisons if c.regression)


class ExitCode:
    """The exit codes of the rig. If several apply it is the first of: RIG_FAILED, FINDING, REGRESSION."""

    GOOD = 0
    RIG_FAILED = 1
    FINDING = 2
    REGRESSION = 3


MEANINGS = {
    ExitCode.GOOD: "no regression and no unexpected finding",
    ExitCode.RIG_FAILED: "the rig itself failed, results are missing, or records could not be read",
    ExitCode.FINDING: "an unexpected finding that is not dismissed: a kernel reported a problem, or a test failed",
    ExitCode.REGRESSION: "a test is slower than the threshold allows",
}
"""of each exit code, for programs and people"""
WORDS = {
    ExitCode.GOOD: "good",
    ExitCode.RIG_FAILED: "rig-failed",
    ExitCode.FINDING: "finding",
    ExitCode.REGRESSION: "regression",
}
"""of each exit code, for programs"""
BUILD_FAILED = "build-failed"
"""word in place of that of ``RIG_FAILED`` for a kernel that a series keeps from being built or booted"""


def exit_code(outcome: Outcome) -> int:
    """Return the exit code for a run."""
    if outcome.errors or not outcome.complete or outcome.provenance.left_out:
        return ExitCode.RIG_FAILED
    if outcome.unexpected:
        return ExitCode.FINDING
    return ExitCode.REGRESSION if outcome.regressions else ExitCode.GOOD
