# SPDX-License-Identifier: GPL-2.0-only
"""Puts findings together that have one cause, and results that have one reason: of a variant, wherever and however often."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence

import msgspec

from harness.model.matrix import variant_order
from harness.model.records import DuringTest, Finding, Result
from harness.model.trouble import OWN, Severity, Trouble

_NUMBER = re.compile(r"\b0x[0-9a-f]+\b|\b[0-9a-f]{8,16}\b|(?<=pfn:)[0-9a-f]+|(?<!-)\b\d+")
"""addresses and amounts; a number with a minus is an errno, which is part of the cause"""
_CLONE = re.compile(r"(?<=\w)(?:\.(?:isra|constprop|part|cold)(?:\.\d+)?)+\b")
"""the end of a function's name that a compiler chose"""
_COUNTED = re.compile(r"\bat least (?=#)|(?<=# leaked object)s\b| \(# times\)$")
"""words that depend on a number"""
DIGITS = 8
"""hexadecimal digits of a fingerprint"""


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
    def key(self) -> str:
        """Key that no other cause of the variant has: its fingerprint, or the known bug that it is."""
        return _key(self.first)

    @property
    def fingerprint(self) -> str:
        """The fingerprint of its findings. The same trouble of another variant, run or build has the same."""
        return fingerprint(self.first)

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
    def dismissed(self) -> str:
        """Date and reason of its dismissal; empty if nobody dismissed it."""
        return self.first.dismissed

    @property
    def unexpected(self) -> bool:
        """True if no known bug explains it, and nobody dismissed it."""
        return self.first.unexpected


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
    """Return the causes of findings: the unexpected, the dismissed, the known; by variant as `variants` are, warnings last.

    A known bug is one cause, even if it shows in several ways.
    """
    groups: dict[tuple[str, str], list[Finding]] = {}
    for finding in findings:
        groups.setdefault((finding.variant, _key(finding)), []).append(finding)
    merged = [Cause(variant, tuple(members)) for (variant, _), members in groups.items()]
    places = {name: place for place, name in enumerate(variants)}

    def place(cause: Cause) -> tuple[object, ...]:
        return (
            bool(cause.expected),
            bool(cause.dismissed),
            places.get(cause.variant, len(places)),
            variant_order(cause.variant),
            cause.mild,
        )

    return sorted(merged, key=place)


def groups(of: Iterable[Cause]) -> list[tuple[Cause, ...]]:
    """Return causes with those of other variants that have the same key, in the order in which the first of them comes."""
    alike: dict[str, list[Cause]] = {}
    for cause in of:
        alike.setdefault(cause.key, []).append(cause)
    return [tuple(members) for members in alike.values()]


def fingerprint(of: Finding) -> str:
    """Return hexadecimal digits that are the same for the same trouble in another test run, build, cell or variant.

    They follow from its kind, the function to blame and its title without numbers, addresses and names of processes. Without a
    function, what `kernlog` made of its call trace takes its place; for what only the rig saw, the test does.
    """
    trouble = of.trouble
    if trouble.kind in OWN:
        # Of a sweep, all sizes count as one test.
        parts = [trouble.kind, of.test.partition("@")[0], _title(trouble)]
    elif trouble.function:
        parts = [trouble.kind, _CLONE.sub("", trouble.function), _title(trouble)]
    else:
        parts = [trouble.kind, trouble.fingerprint or _title(trouble)]
    return hashlib.sha256("\n".join(parts).encode(errors="replace")).hexdigest()[:DIGITS]


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


def _title(of: Trouble) -> str:
    """Return a title without what differs from one boot, build or process to the next."""
    name, _, pid = of.process.rpartition("/")
    title = re.sub(rf"(?<!\w){re.escape(name)}(?:[/:]{re.escape(pid)})?(?!\w)", "#", of.title) if name else of.title
    return _COUNTED.sub("", alike(_CLONE.sub("", title)))


def _key(of: Finding) -> str:
    return f"known bug: {of.expected}" if of.expected else fingerprint(of)
