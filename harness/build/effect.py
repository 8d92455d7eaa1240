# SPDX-License-Identifier: GPL-2.0-only
"""Holds the kernels that were built against each other: what each variant changes, and what is not tested of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from harness.build import compiled, functions
from harness.build.built import BuiltCell
from harness.build.patches import Patched
from harness.model import changes
from harness.model.changes import CellChanges, KernelContents
from harness.model.matrix import Variant


def between(cells: Sequence[BuiltCell]) -> tuple[CellChanges, ...]:
    """Return what the kernel of each cell changes against that of its predecessor, where there is one.

    A kernel that nothing is kept of but its files, as one that was not built here, is left out.
    """
    found = []
    for alike in _alike(cells):
        held = _contents(alike)
        for name, built in alike.items():
            before = changes.predecessor(name, held)
            if before and name in held:
                told = changes.changes(held[before], held[name])
                found.append(CellChanges(built.cell.machine.name, name, built.cell.profile, before, told))
    return tuple(found)


def notes(cells: Sequence[BuiltCell], patched: Mapping[Variant, Patched]) -> tuple[str, ...]:
    """Return a sentence for each kernel that is the same as one before it, and for each patch that nothing is tested of."""
    return tuple(note for alike in _alike(cells) for note in (*_untested(alike, patched), *_same(alike)))


def _alike(cells: Sequence[BuiltCell]) -> list[dict[str, BuiltCell]]:
    """Return the cells of each machine and profile by variant."""
    found: dict[tuple[str, str], dict[str, BuiltCell]] = defaultdict(dict)
    for built in cells:
        found[built.cell.machine.name, built.cell.profile][built.cell.variant.name] = built
    return list(found.values())


def _contents(alike: Mapping[str, BuiltCell]) -> dict[str, KernelContents]:
    return {name: functions.load(built.kernel.functions) for name, built in alike.items() if built.kernel.functions.exists()}


def _same(alike: Mapping[str, BuiltCell]) -> Iterator[str]:
    held = _contents(alike)
    for number, name in enumerate(held):
        against = changes.predecessor(name, held)
        others = [*([against] if against else []), *list(held)[:number]]
        twin = next((other for other in others if held[other].loaded == held[name].loaded), None)
        if twin is not None:
            yield f"{alike[name].cell.name} is the same image as {alike[twin].cell.name}: {_why(alike, name, twin, against)}"


def _why(alike: Mapping[str, BuiltCell], name: str, twin: str, against: str | None) -> str:
    if alike[name].kernel.key == alike[twin].kernel.key:
        return "their source is the same."
    if twin == against:
        return "these patches change nothing in this configuration."
    return "what their patches do differently changes nothing in this configuration."


def _untested(alike: Mapping[str, BuiltCell], patched: Mapping[Variant, Patched]) -> Iterator[str]:
    """Yield a sentence for each patch that changes nothing of any kernel of its series."""
    used: dict[str, set[str]] = defaultdict(set)
    for name, built in alike.items():
        if built.cell.variant.series is not None and built.kernel.sources.exists():
            used[_series(name)].update(msgspec.json.decode(built.kernel.sources.read_bytes(), type=list[str]))
    told = []
    for name, built in alike.items():
        done, where = patched[built.cell.variant], f"{built.cell.machine.name}, profile {built.cell.profile}"
        if _series(name) in used:
            pairs = zip(done.patches, done.files, strict=True)
            told += [compiled.untested(patch, files, used[_series(name)], where) for patch, files in pairs]
    yield from dict.fromkeys(sentence for sentence in told if sentence)


def _series(variant: str) -> str:
    return variant.partition("@")[0]
