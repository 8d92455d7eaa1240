# SPDX-License-Identifier: GPL-2.0-only
"""Checks a series as maintainers do before they read it: its form, new warnings, and what becomes larger."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from harness import paths
from harness.build import kbuild, patch_checks, patches, series, series_folder, sizes, source, static_checks
from harness.build.jobserver import Jobserver
from harness.build.kbuild import KernelBuild
from harness.build.kernel_tree import Tree
from harness.build.patches import Patched
from harness.commands.progress import Progress
from harness.errors import UsageError
from harness.host import files
from harness.host.shell import Line
from harness.model import matrix
from harness.model.matrix import STOCK, Base, Cell, Machine, Variant
from harness.model.selection import PROFILE, Selection
from harness.model.series_check import Check, Checked, State

_TREE = "series-check"
"""name of the work tree in which single files are compiled"""


def check(name: str, path: str, machine: str, kernel: str) -> Checked:
    """Return the checks of the series `name`, or of the one at `path`, for a kernel on `machine`.

    Raises UsageError for a series that there is not, or that does not apply.
    """
    wanted = Selection(kernel=kernel, variant=name, series=path)
    _variant(source.expected(wanted), name, path)  # what is wrong with it is told before anything is fetched
    board = matrix.load_machine(machine or matrix.own_machine(os.uname().machine))
    with Progress("check") as progress:
        had = source.sources(wanted, lambda text: progress.say("source", text))
        base, tree, variant = had.base, had.tree, _variant(had.base, name, path)
        patched = patches.apply(tree, variant)
        progress.done("source", f"Linux {tree.version}")
        checks = [
            *_form(tree, variant, patched),
            *_warnings(base, board, tree, patched, lambda text: progress.say("compiler", text)),
            *_sizes(base, Cell(board, variant, PROFILE), tree, patched),
        ]
        progress.done("compiler", "done")
    return Checked(variant.name, base.name, len(patched.patches), tuple(checks))


def _variant(base: Base, name: str, path: str) -> Variant:
    if bool(name) == bool(path):
        raise UsageError("Name the series to check, as in kernel_patches/, or its path with --series; one of both.")
    outside = paths.expanded(path, "--series") if path else None
    variant = matrix.find_variant(base, matrix.series_name(outside) if outside else name, outside)
    if variant.series is None:
        raise UsageError(f"'{STOCK}' has no patches to check; name a series.")
    return variant


def _form(tree: Tree, variant: Variant, patched: Patched) -> list[Check]:
    """Check the patches as mails, written as `invoke series.add` writes them."""
    assert variant.series
    whole = series.read(variant.series)
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        series_folder.write(folder / "mails", whole)
        mails = sorted((folder / "mails").glob("*.patch"))[: len(patched.patches)]
        for name in ("am", "style"):
            (folder / name).mkdir()
        touched = sorted({change.path for patch in whole.patches for change in patches.changes(patch)} | set(_touched(patched)))
        return [
            patch_checks.checkpatch(tree.commit, mails, folder / "style"),
            patch_checks.am(tree.commit, touched, mails, folder / "am"),
        ]


def _warnings(base: Base, machine: Machine, tree: Tree, patched: Patched, say: Line) -> list[Check]:
    cell = Cell(machine, Variant(_TREE, tree=_TREE), PROFILE)
    stock = Patched(tree.commit, tree.tree, (), ())
    with Jobserver(os.cpu_count() or 1, 1) as jobs:
        before, after = (KernelBuild(base, cell, commit, jobs, say) for commit in (stock, patched))
        return static_checks.checks(before, after, _touched(patched))


def _sizes(base: Base, cell: Cell, tree: Tree, patched: Patched) -> list[Check]:
    """Compare the kernels of stock and of the series, if both are in the cache."""
    asked = kbuild.configuration(base, cell)
    old, new = (kbuild.cached(base, cell, of, asked) for of in (tree.tree, patched.tree))
    lacking = [name for name, folder in ((STOCK, old), (cell.variant.name, new)) if not files.whole(folder)]
    if lacking:
        path, name = cell.variant.series, cell.variant.name
        own = path is not None and path.is_relative_to(paths.SERIES)
        named = f"--variant {STOCK},{name}" if own else f"--series {path}"
        call = f"`invoke build --machine {cell.machine.name} {named}` makes it"
        reason = f"the cache has no kernel of {' and '.join(lacking)}; {call}"
        return [Check(name, State.NOT_CHECKED, reason) for name in ("size of vmlinux", "structures")]
    return [sizes.vmlinux(old, new), sizes.structures(tree.commit, patched.commit, _touched(patched), old, new)]


def _touched(patched: Patched) -> list[str]:
    return list(dict.fromkeys(file for changed in patched.files for file in changed))
