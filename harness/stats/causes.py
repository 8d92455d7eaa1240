# SPDX-License-Identifier: GPL-2.0-only
"""Puts findings together that have one cause: the same trouble of a variant, wherever and however often it was seen."""

from __future__ import annotations

import re
from collections.abc import Iterable

import msgspec

from harness.model.matrix import variant_order
from harness.model.records import Finding
from harness.model.trouble import OWN, Severity

_NUMBER = re.compile(r"\b0x[0-9a-f]+\b|\b[0-9a-f]{8,16}\b|(?<!-)\b\d+")
"""addresses and amounts; a number with a minus is an errno, which is part of the cause"""
Key = tuple[str, ...]
"""the fields that all findings of one cause share besides the variant"""


class Cause(msgspec.Struct, frozen=True):
    """One trouble of a variant."""

    variant: str
    findings: tuple[Finding, ...]
    """in which it showed, never empty; in the order in which they came"""

    @property
    def key(self) -> Key:
        """Key that no other cause of the variant has. The same trouble of another variant has the same key."""
        return _key(self.first)

    @property
    def first(self) -> Finding:
        """The finding that stands for all."""
        return self.findings[0]

    @property
    def mild(self) -> bool:
        """True if the kernel only warns."""
        return all(finding.trouble.severity is Severity.WARNING for finding in self.findings)

    @property
    def expected(self) -> str:
        """The known bug that it is; empty for what was not to be expected."""
        return self.first.expected

    @property
    def machines(self) -> tuple[str, ...]:
        """Machines on which it was seen."""
        return tuple(dict.fromkeys(finding.machine for finding in self.findings))

    @property
    def profiles(self) -> tuple[str, ...]:
        """Profiles in whose kernels it was seen."""
        return tuple(dict.fromkeys(finding.profile for finding in self.findings))

    @property
    def tests(self) -> tuple[str, ...]:
        """Tests in which it was seen."""
        return tuple(dict.fromkeys(finding.test for finding in self.findings))

    @property
    def boots(self) -> int:
        """Number of boots in which it was seen."""
        return len({(f.machine, f.profile, f.clock, f.boot) for f in self.findings})


def causes(findings: Iterable[Finding]) -> list[Cause]:
    """Return the causes of findings: the unexpected first, by variant in the order of patches, warnings last.

    A known bug is one cause, even if it shows in several ways.
    """
    groups: dict[tuple[str, Key], list[Finding]] = {}
    for finding in findings:
        groups.setdefault((finding.variant, _key(finding)), []).append(finding)
    merged = [Cause(variant, tuple(members)) for (variant, _), members in groups.items()]
    return sorted(merged, key=lambda cause: (bool(cause.expected), variant_order(cause.variant), cause.mild))


def _key(of: Finding) -> Key:
    if of.expected:
        return ("known", of.expected)
    trouble = of.trouble
    title = _NUMBER.sub("#", trouble.title)
    if trouble.kind in OWN:
        return (trouble.kind, of.test, title)
    return (trouble.kind, trouble.fingerprint or title)
