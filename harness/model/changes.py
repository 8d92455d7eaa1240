# SPDX-License-Identifier: GPL-2.0-only
"""What a variant changes: the functions and data objects in which two kernels differ, and which two to compare."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from typing import Literal

import msgspec

from harness.model.matrix import STOCK

Kind = Literal["changed", "added", "removed"]


class Symbol(msgspec.Struct, frozen=True, array_like=True):
    """A function or a data object of a kernel, wherever it lies."""

    name: str
    """without what the compiler adds to tell copies apart"""
    file: str
    """its source file's name; empty for what other files can name too"""
    size: int
    """bytes"""
    digest: str
    """of its bytes, with the targets of its references in place of their addresses"""


class Contents(msgspec.Struct, frozen=True):
    """What a kernel holds."""

    loaded: str
    """digest of all that is loaded into memory: two kernels that have the same run the same code"""
    functions: tuple[Symbol, ...]
    data: tuple[Symbol, ...]


class Change(msgspec.Struct, frozen=True):
    """A function or data object that two kernels do not have alike."""

    kind: Kind
    name: str
    file: str
    before: int
    """bytes; 0 for one that was added"""
    after: int
    """bytes; 0 for one that was removed"""


class Changes(msgspec.Struct, frozen=True):
    """In what two kernels differ."""

    functions: tuple[Change, ...] = ()
    data: tuple[Change, ...] = ()
    same_image: bool = False
    """whether all that is loaded into memory is the same"""

    @property
    def sentence(self) -> str:
        """What they come to."""
        if self.same_image:
            return "these patches change nothing in this configuration"
        if not self.functions:
            return "these patches change no function's code in this configuration, only data or line numbers"
        counts = Counter(change.kind for change in self.functions)
        told = [f"{counts[kind]} {kind}" for kind in ("changed", "added", "removed") if counts[kind]]
        return f"functions: {', '.join(told)}"


class CellChanges(msgspec.Struct, frozen=True):
    """In what the kernel of a cell differs from that of its predecessor."""

    machine: str
    variant: str
    profile: str
    against: str
    """the variant before it"""
    changes: Changes


def changes(before: Contents, after: Contents) -> Changes:
    """Return in what `after` differs from `before`, by file and name."""
    return Changes(
        _differing(before.functions, after.functions), _differing(before.data, after.data), before.loaded == after.loaded
    )


def _differing(before: Sequence[Symbol], after: Sequence[Symbol]) -> tuple[Change, ...]:
    """Compare what bears a name in a file; several symbols may, of which the order says nothing."""
    old, new = _by_name(before), _by_name(after)
    found = []
    for file, name in sorted(old.keys() | new.keys()):
        was, is_ = old.get((file, name), Counter()), new.get((file, name), Counter())
        if was == is_:
            continue
        kind: Kind = "added" if not was else "removed" if not is_ else "changed"
        found.append(Change(kind, name, file, _size(was), _size(is_)))
    return tuple(found)


def _by_name(symbols: Iterable[Symbol]) -> dict[tuple[str, str], Counter[tuple[int, str]]]:
    found: dict[tuple[str, str], Counter[tuple[int, str]]] = defaultdict(Counter)
    for symbol in symbols:
        found[symbol.file, symbol.name][symbol.size, symbol.digest] += 1
    return found


def _size(symbols: Counter[tuple[int, str]]) -> int:
    return sum(size * count for (size, _), count in symbols.items())


def predecessor(variant: str, variants: Collection[str]) -> str | None:
    """Return which of `variants` to hold `variant` against, to see what its last patches change.

    It is the longest shorter prefix of the same series, else stock. None where there is neither, and for stock itself.
    """
    if variant == STOCK:
        return None
    series, _, count = variant.partition("@")
    prefixes = {int(other[len(series) + 1 :]): other for other in variants if other.startswith(f"{series}@")}
    shorter = [number for number in prefixes if not count or number < int(count)]
    if shorter:
        return prefixes[max(shorter)]
    return STOCK if STOCK in variants else None
