# SPDX-License-Identifier: GPL-2.0-only
"""Puts findings together that have one cause, and results that have one reason: of a variant, wherever and however often."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import msgspec

from harness.model.matrix import variant_order
from harness.model.records import DuringTest, Finding, Result
from harness.model.trouble import OWN, Severity

_NUMBER = re.compile(r"\b0x[0-9a-f]+\b|\b[0-9a-f]{8,16}\b|(?<!-)\b\d+")
"""addresses and amounts; a number with a minus is an errno, which is part of the cause"""
Key = tuple[str, ...]
"""the fields that all findings of one cause share besides the variant"""


class Recurring(msgspec.Struct, frozen=True):
    """Trouble of a variant that was seen once or more often."""

    variant: str

    @property
    def seen(self) -> Sequence[DuringTest]:
        """Each time that it was seen, in the order in which they came."""
        raise NotImplementedError

    @property
    def machines(self) -> tuple[str, ...]:
        """On which it was seen."""
        return tuple(dict.fromkeys(one.machine for one in self.seen))

    @property
    def profiles(self) -> tuple[str, ...]:
        """In whose kernels it was seen."""
        return tuple(dict.fromkeys(one.profile for one in self.seen))

    @property
    def tests(self) -> tuple[str, ...]:
        """In which it was seen; of a sweep each size is one."""
        return tuple(dict.fromkeys(one.test for one in self.seen))

    @property
    def boots(self) -> int:
        """In how many boots it was seen."""
        return len({(one.machine, one.profile, one.clock, one.boot) for one in self.seen})


class Cause(Recurring, frozen=True):
    """One trouble of a variant."""

    findings: tuple[Finding, ...]
    """in which it showed, never empty; in the order in which they came"""

    @property
    def seen(self) -> Sequence[DuringTest]:
        """Its findings."""
        return self.findings

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


class Reason(Recurring, frozen=True):
    """One reason for which tests of a variant ended as they did."""

    results: tuple[Result, ...]
    """that have it, never empty; in the order in which they came"""

    @property
    def seen(self) -> Sequence[DuringTest]:
        """Its results."""
        return self.results

    @property
    def first(self) -> Result:
        """The result that stands for all."""
        return self.results[0]


def causes(findings: Iterable[Finding], variants: Sequence[str] = ()) -> list[Cause]:
    """Return the causes of findings: the unexpected first, by variant in the order of `variants`, then of patches, warnings last.

    A known bug is one cause, even if it shows in several ways.
    """
    groups: dict[tuple[str, Key], list[Finding]] = {}
    for finding in findings:
        groups.setdefault((finding.variant, _key(finding)), []).append(finding)
    merged = [Cause(variant, tuple(members)) for (variant, _), members in groups.items()]
    places = {name: place for place, name in enumerate(variants)}

    def place(cause: Cause) -> tuple[object, ...]:
        return bool(cause.expected), places.get(cause.variant, len(places)), variant_order(cause.variant), cause.mild

    return sorted(merged, key=place)


def reasons(results: Iterable[Result], outcome: str) -> list[Reason]:
    """Return why tests ended with `outcome`: each reason of a variant once, in the order in which they came."""
    groups: dict[tuple[str, str], list[Result]] = {}
    for result in results:
        if result.outcome == outcome:
            groups.setdefault((result.variant, alike(result.reason)), []).append(result)
    return [Reason(variant, tuple(members)) for (variant, _), members in groups.items()]


def alike(reason: str) -> str:
    """Return what is the same for the same words with other addresses and amounts in them."""
    return _NUMBER.sub("#", reason)


def _key(of: Finding) -> Key:
    if of.expected:
        return ("known", of.expected)
    trouble = of.trouble
    title = alike(trouble.title)
    if trouble.kind in OWN:
        # Of a sweep, all sizes count as one test.
        return (trouble.kind, of.test.partition("@")[0], title)
    return (trouble.kind, trouble.fingerprint or title)
