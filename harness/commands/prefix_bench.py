# SPDX-License-Identifier: GPL-2.0-only
"""Builds the prefixes of a series one by one, each machine for itself, so that one that does not build stops no other."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from harness import paths
from harness.build import cells, patches, source
from harness.build.series import Patch
from harness.errors import BuildError, UsageError
from harness.host import shortage
from harness.model import matrix
from harness.model.matrix import STOCK, Base, Variant
from harness.model.selection import Selection
from harness.suite.plan import Plan

Build = Callable[[Selection, tuple[Variant, ...]], Plan]
"""builds the cells of a selection with other variants than it names"""


class SeriesPrefixes(msgspec.Struct, frozen=True):
    """A series with all its prefixes, stock first."""

    base: Base
    name: str
    variants: tuple[Variant, ...]
    """by the number of patches"""
    patches: tuple[Patch, ...]


def find(wanted: Selection, name: str, task: str) -> SeriesPrefixes:
    """Return the series `name`, or its first patches as ``NAME@COUNT``; if empty, that of --series or the default one.

    Raises UsageError if there is none, or for options that choose other kernels. `task` is the one that they are given to.
    """
    for option in ("variant", "each_patch"):
        if getattr(wanted, option) != getattr(Selection(), option):
            raise UsageError(
                f"--{option.replace('_', '-')} has no meaning in `invoke {task}`, which takes each patch of one series;"
                f" name the series: `invoke {task} NAME`."
            )
    base = source.expected(wanted)
    path = paths.expanded(wanted.series, "--series") if wanted.series else None
    name = name or (matrix.series_name(path) if path else base.default_series)
    if not name or name == STOCK:
        raise UsageError(
            f"`invoke {task}` needs a series; name one of kernel_patches/{base.folder.name}, or another one with --series."
        )
    whole = matrix.find_variant(base, name, path)
    if path and whole.series != path:
        raise UsageError(f"'{name}' and --series {wanted.series} are two series; `invoke {task}` takes one of them.")
    series = patches.read(whole)
    names = [STOCK, *matrix.prefixes(name.partition("@")[0], len(series))[:-1], name]
    return SeriesPrefixes(base, name, tuple(matrix.find_variant(base, each, path) for each in names), series)


def machines(wanted: Selection, series: SeriesPrefixes) -> tuple[str, ...]:
    """Return the machines of a selection, which is checked as for these kernels; UsageError if it is not valid."""
    whole = msgspec.structs.replace(wanted, variant=series.name)
    cells.check(whole)
    return tuple(dict.fromkeys(cell.machine.name for cell in cells.cells(whole, series.base)))


def built(wanted: Selection, variant: Variant, on: Sequence[str], build: Build) -> tuple[dict[str, Plan], dict[str, str]]:
    """Return a plan for each machine whose kernel of `variant` builds, and for each of the others the reason.

    Raises what a build raises, but for a kernel that does not compile: also where the host lacks something.
    """
    plans, reasons = {}, {}
    for machine in on:
        try:
            plans[machine] = build(msgspec.structs.replace(wanted, machine=machine, variant=variant.name), (variant,))
        except BuildError as error:
            # That of a root filesystem, or of a disk that is full, says nothing of the kernel.
            if not str(error).startswith(f"{machine}/{variant.name}/") or shortage.reason([str(error)]):
                raise
            reasons[machine] = paths.shown(str(error))
    return plans, reasons


def together(plans: Sequence[Plan]) -> Plan:
    """Return one plan with the cells of all, which are of the same selection."""
    return msgspec.structs.replace(
        plans[0],
        cells=tuple(cell for plan in plans for cell in plan.cells),
        lines=tuple(line for plan in plans for line in plan.lines),
        notes=tuple(dict.fromkeys(note for plan in plans for note in plan.notes)),
    )
