# SPDX-License-Identifier: GPL-2.0-only
"""Compares the built kernels with each other: the changes of each variant, and the patches without any effect."""

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
    """Return the differences between the kernel of each cell and that of its predecessor, if there is one.

    A kernel without a functions.json is left out.
    """
    differences = []
    for alike in _alike(cells):
        contents = _contents(alike)
        for name, built in alike.items():
            before = changes.predecessor(name, contents)
            if before and name in contents:
                changed = changes.changes(contents[before], contents[name])
                differences.append(CellChanges(built.cell.machine.name, name, built.cell.profile, before, changed))
    return tuple(differences)


def notes(cells: Sequence[BuiltCell], patched: Mapping[Variant, Patched]) -> tuple[str, ...]:
    """Return a sentence for each patch that no kernel compiles, and for each kernel that is identical to an earlier one."""
    return tuple(note for alike in _alike(cells) for note in (*_untested(alike, patched), *_same(alike)))


def _alike(cells: Sequence[BuiltCell]) -> list[dict[str, BuiltCell]]:
    """Return the cells of each machine and profile by variant."""
    groups: dict[tuple[str, str], dict[str, BuiltCell]] = defaultdict(dict)
    for built in cells:
        groups[built.cell.machine.name, built.cell.profile][built.cell.variant.name] = built
    return list(groups.values())


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
    """Yield a sentence for each patch that changes no file that any kernel of its series was compiled from."""
    used: dict[str, set[str]] = defaultdict(set)
    for name, built in alike.items():
        if built.cell.variant.series is not None and built.kernel.sources.exists():
            used[_series(name)].update(msgspec.json.decode(built.kernel.sources.read_bytes(), type=list[str]))
    sentences = []
    for name, built in alike.items():
        done, where = patched[built.cell.variant], f"{built.cell.machine.name}, profile {built.cell.profile}"
        if _series(name) in used:
            pairs = zip(done.patches, done.files, strict=True)
            sentences += [compiled.untested(patch, files, used[_series(name)], where) for patch, files in pairs]
    yield from dict.fromkeys(sentence for sentence in sentences if sentence)


def _series(variant: str) -> str:
    return variant.partition("@")[0]
