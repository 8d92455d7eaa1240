# SPDX-License-Identifier: GPL-2.0-only
"""The outcome of a run, or of a build that failed, for programs: summary.json, from which the formats of CI services are made."""

from __future__ import annotations

import msgspec

from harness.model.clock import Clock
from harness.model.toolchains import Toolchain

VERSION = 1
"""of the format: it grows when a field changes its meaning or goes, and not when one is added"""


class ExitStatus(msgspec.Struct, frozen=True):
    """The exit code of `invoke test` and `invoke report` for a run, of `invoke compare`, or of a build that failed."""

    code: int
    meaning: str
    word: str
    """``good``, ``rig-failed``, ``finding``, ``regression`` or ``build-failed``, whose code is that of ``rig-failed``"""


class Settled(msgspec.Struct, frozen=True):
    """Settings by which a run measured and judged."""

    profiles: tuple[str, ...]
    """that its kernels were configured for"""
    clock: Clock
    """of the performance tests"""
    scale: str
    loops: float
    """share of the scale's operations"""
    boots: int
    """of each cell; 0 for as many as the scale says"""
    threshold: float
    """per cent of slow-down from which on a change is a regression"""
    margins: dict[Clock, float]
    """per cent by clock within which two figures are the same"""
    hours: float
    """planned duration of a soak; 0 for a run that is none"""


class Kernel(msgspec.Struct, frozen=True):
    """The source of a run's kernels."""

    base: str
    """name of the folder in kernel_patches/"""
    release: str
    source: str
    """folder, tarball or URL that it comes from"""
    tree: str
    """git's hash of the source's files"""
    toolchain: Toolchain
    """that built it"""


class Times(msgspec.Struct, frozen=True):
    """Times of a run, in UTC and the format of ISO 8601."""

    started: str
    finished: str
    """empty if it did not come to its end"""
    resumed: tuple[str, ...]
    tests: float
    """seconds of the host that the tests took, those that ran beside each other one after the other"""


class VariantOutcome(msgspec.Struct, frozen=True):
    """A variant and its headline."""

    name: str
    patches: tuple[str, ...]
    """names, in their order; empty for stock"""
    patchset: str
    """SHA-256 over the lines with the SHA-256 of each patch; empty for stock, and for a run that did not record it"""
    folder: str
    """the series' folder relative to the project; empty for stock, and for a series from elsewhere"""
    word: str
    """such as ``FASTER``; empty for a variant without a headline, which is stock that is only compared with"""
    why: str
    """reason for the word, in one line"""


class CellOutcome(msgspec.Struct, frozen=True):
    """A kernel that was booted, or was to be."""

    name: str
    machine: str
    variant: str
    profile: str
    kernel: str
    """key of the kernel in the rig's cache; empty where a build failed"""


class InPatch(msgspec.Struct, frozen=True):
    """The line of a patch that a kernel's report or a compiler's error points to, or where a hunk begins that does not apply."""

    patch: str
    path: str
    """file of the patch relative to the project; empty if it lies elsewhere"""
    line: int
    """number in that file, from 1; 0 if it is not known"""


class CompileError(msgspec.Struct, frozen=True):
    """An error of the compiler."""

    where: str
    """``file:line`` in the kernel's source or the module's"""
    text: str
    patch: InPatch | None


class Failure(msgspec.Struct, frozen=True):
    """The reason for which there is no kernel to test."""

    stage: str
    """``series`` if one does not apply, ``build``, ``boot``, or ``rig`` for what has nothing to do with a series"""
    variant: str
    """empty for ``rig``"""
    cell: str
    """``machine/variant/profile``; empty if all cells of the variant are concerned"""
    reason: str
    """sentence that the rig ended with"""
    patch: InPatch | None
    """hunk that does not match; None where that is not the reason"""
    errors: tuple[CompileError, ...]
    excerpt: str
    """that hunk, the compiler's errors, or the end of the console's log"""
    log: str
    """file in the folder with all that the build or the console said; empty if there is none"""


class FoundCause(msgspec.Struct, frozen=True):
    """Findings of one variant that have one cause."""

    state: str
    """``unexpected``, ``dismissed`` or ``known``"""
    reason: str
    """of the dismissal, or of the known bug; empty for an unexpected one"""
    variant: str
    fingerprint: str
    kind: str
    severity: str
    title: str
    function: str
    where: str
    """``file:line`` in the kernel's source or the module's; empty if unknown"""
    patch: InPatch | None
    machines: tuple[str, ...]
    profiles: tuple[str, ...]
    tests: tuple[str, ...]
    boots: int
    log: str
    """file of the first finding's console in the run's folder"""
    lines: tuple[int, int]
    """first and last line of the report in it, from 1"""
    excerpt: str
    """lines of the report that matter"""
    repeat: str
    """command that repeats it"""


class Side(msgspec.Struct, frozen=True):
    """Figures of one kernel in a test."""

    median: float
    spread: float
    """half of the range of the samples, in per cent of the median"""
    samples: int
    boots: int


class Compared(msgspec.Struct, frozen=True):
    """A test of a variant, compared with that of stock."""

    test: str
    machine: str
    profile: str
    clock: Clock
    variant: str
    """empty where stock alone was measured"""
    against: str
    unit: str
    ratio: float | None
    """measured by baseline: below 1 is cheaper; None without both sides"""
    interval: tuple[float, float] | None
    """of the ratio, 95 % confidence"""
    verdict: str
    """faster, slower, same, undecided or ``not compared``"""
    regression: bool
    """True if it is slower, and past the threshold"""
    baseline: Side | None
    measured: Side | None


class SeenIn(msgspec.Struct, frozen=True):
    """Result for a known bug in the kernels of a variant on a machine."""

    variant: str
    machine: str
    word: str
    """such as ``seen`` or ``not seen``"""
    fixed: bool
    """True if it was not seen where stock shows it"""
    new: bool
    """True if it was seen where stock does not show it"""


class BugOutcome(msgspec.Struct, frozen=True):
    """A known bug of stock."""

    reason: str
    tests: tuple[str, ...]
    shown: tuple[SeenIn, ...]


class Summary(msgspec.Struct, frozen=True):
    """All that a program has to know of a run, of a comparison of two, or of a build that failed."""

    version: int
    run: str
    before: str
    """the other run, where two are compared; else empty"""
    rig: str
    """version and commit of the rig"""
    command: str
    """that repeats the run"""
    host: str
    status: ExitStatus
    kernel: Kernel
    settings: Settled
    times: Times
    proven: bool
    """True if each boot proved that it runs what was built for it"""
    planned: int
    """number of results of a complete run; 0 for a soak"""
    machines: dict[str, str]
    """description by name"""
    variants: tuple[VariantOutcome, ...]
    cells: tuple[CellOutcome, ...]
    results: dict[str, int]
    """number of results by outcome, of which all are there, also those with 0"""
    failures: tuple[Failure, ...]
    """of a build that failed; none of a run"""
    findings: tuple[FoundCause, ...]
    """the unexpected first, then the dismissed, then known bugs"""
    comparisons: tuple[Compared, ...]
    known_bugs: tuple[BugOutcome, ...]
    notes: tuple[str, ...]
    """sentences about the limits of the run"""
    files: tuple[str, ...]
    """of the run's folder"""

    @property
    def unexpected(self) -> tuple[FoundCause, ...]:
        """The causes that no known bug explains, and that nobody dismissed."""
        return tuple(found for found in self.findings if found.state == "unexpected")

    def variant(self, name: str) -> VariantOutcome | None:
        """Return a variant by its name; None if the run has none of that name."""
        return next((variant for variant in self.variants if variant.name == name), None)
