# SPDX-License-Identifier: GPL-2.0-only
"""The records and judgements that a report is made from."""

from __future__ import annotations

import msgspec

from harness.model.attribution import LockedSection
from harness.model.changes import CellChanges
from harness.model.records import (
    Booted,
    CriticalSection,
    Finding,
    Histogram,
    Look,
    Memory,
    Point,
    Provenance,
    Result,
    Sample,
    Scaled,
    Within,
)
from harness.stats.compare import Comparison
from harness.stats.coverage import Coverage
from harness.stats.published import PublishedRow
from harness.stats.slopes import Slope
from harness.stats.why import Why


class Content(msgspec.Struct, frozen=True):
    """All that a page or a mail shows. An empty part is left out, or listed as missing."""

    provenance: Provenance
    comparisons: tuple[Comparison, ...] = ()
    steps: tuple[Comparison, ...] = ()
    """of each prefix of a series with the one before it"""
    findings: tuple[Finding, ...] = ()
    results: tuple[Result, ...] = ()
    within: tuple[Within, ...] = ()
    """results of tests within a foreign module"""
    samples: tuple[Sample, ...] = ()
    """also of tests that are not compared"""
    histograms: tuple[Histogram, ...] = ()
    sections: tuple[CriticalSection, ...] = ()
    memory: tuple[Memory, ...] = ()
    scaled: tuple[Scaled, ...] = ()
    points: tuple[Point, ...] = ()
    looks: tuple[Look, ...] = ()
    """of a soak"""
    boots: tuple[Booted, ...] = ()
    slopes: tuple[Slope, ...] = ()
    changes: tuple[CellChanges, ...] = ()
    """of each kernel by its variant"""
    whys: tuple[Why, ...] = ()
    """differences by function"""
    locked: tuple[LockedSection, ...] = ()
    coverages: tuple[Coverage, ...] = ()
    """lines of each variant that ran"""
    published: tuple[PublishedRow, ...] = ()
    before: Provenance | None = None
    """the other run, where two are compared"""
