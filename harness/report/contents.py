# SPDX-License-Identifier: GPL-2.0-only
"""What a report is made of."""

from __future__ import annotations

import msgspec

from harness.model.changes import CellChanges
from harness.model.records import Booted, Finding, Histogram, Look, Memory, Point, Provenance, Result, Sample, Section
from harness.stats.compare import Comparison
from harness.stats.published import PublishedRow
from harness.stats.slopes import Slope


class Content(msgspec.Struct, frozen=True):
    """All that a page or a mail shows; what is empty is left out, or said to be missing."""

    provenance: Provenance
    comparisons: tuple[Comparison, ...] = ()
    steps: tuple[Comparison, ...] = ()
    """of each prefix of a series with the one before it"""
    findings: tuple[Finding, ...] = ()
    results: tuple[Result, ...] = ()
    samples: tuple[Sample, ...] = ()
    """for what the tests did that are not compared"""
    histograms: tuple[Histogram, ...] = ()
    sections: tuple[Section, ...] = ()
    memory: tuple[Memory, ...] = ()
    points: tuple[Point, ...] = ()
    looks: tuple[Look, ...] = ()
    """of a soak"""
    boots: tuple[Booted, ...] = ()
    slopes: tuple[Slope, ...] = ()
    changes: tuple[CellChanges, ...] = ()
    """what each variant changes in each kernel"""
    published: tuple[PublishedRow, ...] = ()
    before: Provenance | None = None
    """the other run, where two are compared"""
