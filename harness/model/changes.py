# SPDX-License-Identifier: GPL-2.0-only
"""Changes that a variant makes: the functions and data objects that differ from those of the variant before it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from typing import Literal

import msgspec

from harness.model.matrix import STOCK, patch_count

ChangeKind = Literal["changed", "added", "removed"]


class Symbol(msgspec.Struct, frozen=True, array_like=True):
    """A function or a data object of a kernel, independent of its address."""

    name: str
    """name without the suffixes that the compiler adds"""
    file: str
    """name of its source file; empty for a global symbol"""
    size: int
    """bytes"""
    digest: str
    """digest of its bytes, with the targets of its references in place of their addresses"""


class KernelContents(msgspec.Struct, frozen=True):
    """The functions and data objects of a kernel."""

    loaded: str
    """digest of all sections that are loaded into memory: kernels with equal digests run the same code"""
    functions: tuple[Symbol, ...]
    data: tuple[Symbol, ...]


class Change(msgspec.Struct, frozen=True):
    """A function or data object that differs between two kernels."""

    kind: ChangeKind
    name: str
    file: str
    before: int
    """bytes; 0 for one that was added"""
    after: int
    """bytes; 0 for one that was removed"""


class Changes(msgspec.Struct, frozen=True):
    """The differences between two kernels."""

    functions: tuple[Change, ...] = ()
    data: tuple[Change, ...] = ()
    same_image: bool = False
    """True if all that is loaded into memory is the same"""

    @property
    def sentence(self) -> str:
        """A summary."""
        if self.same_image:
            return "these patches change nothing in this configuration"
        if not self.functions:
            return "these patches change no function's code in this configuration, only data or line numbers"
        counts = Counter(change.kind for change in self.functions)
        parts = [f"{counts[kind]} {kind}" for kind in ("changed", "added", "removed") if counts[kind]]
        return f"functions: {', '.join(parts)}"


class CellChanges(msgspec.Struct, frozen=True):
    """The differences between the kernel of a cell and that of its predecessor."""

    machine: str
    variant: str
    profile: str
    against: str
    """the variant that it is compared with"""
    changes: Changes


def changes(before: KernelContents, after: KernelContents) -> Changes:
    """Return the differences of `after` from `before`, by file and name."""
    return Changes(
        _differing(before.functions, after.functions), _differing(before.data, after.data), before.loaded == after.loaded
    )


def _differing(before: Sequence[Symbol], after: Sequence[Symbol]) -> tuple[Change, ...]:
    """Compare the symbols of each file and name; several may share a name, in any order."""
    old, new = _by_name(before), _by_name(after)
    differing = []
    for file, name in sorted(old.keys() | new.keys()):
        was, is_ = old.get((file, name), Counter()), new.get((file, name), Counter())
        if was == is_:
            continue
        kind: ChangeKind = "added" if not was else "removed" if not is_ else "changed"
        differing.append(Change(kind, name, file, _size(was), _size(is_)))
    return tuple(differing)


def _by_name(symbols: Iterable[Symbol]) -> dict[tuple[str, str], Counter[tuple[int, str]]]:
    counts: dict[tuple[str, str], Counter[tuple[int, str]]] = defaultdict(Counter)
    for symbol in symbols:
        counts[symbol.file, symbol.name][symbol.size, symbol.digest] += 1
    return counts


def _size(symbols: Counter[tuple[int, str]]) -> int:
    return sum(size * count for (size, _), count in symbols.items())


def predecessor(variant: str, variants: Collection[str]) -> str | None:
    """Return the variant of `variants` to compare `variant` with, to see what its last patches change.

    That is the longest shorter prefix of the same series, else stock; None if there is neither, and for stock itself.
    """
    if variant == STOCK:
        return None
    series, _, _ = variant.partition("@")
    whole = patch_count(variant)
    counts = {other: patch_count(other) for other in variants if other.startswith(f"{series}@")}
    prefixes = {number: other for other, number in counts.items() if number is not None}
    shorter = [number for number in prefixes if whole is None or number < whole]
    if shorter:
        return prefixes[max(shorter)]
    return STOCK if STOCK in variants else None
