# SPDX-License-Identifier: GPL-2.0-only
"""Makes a series of what is not committed in a kernel tree of the user's, to be compared with the tree's own HEAD."""

from __future__ import annotations

from pathlib import Path

import msgspec

from harness import paths
from harness.build import checkout
from harness.errors import UsageError
from harness.host import files
from harness.model import catalog, matrix
from harness.model.matrix import STOCK
from harness.model.selection import Selection

FOLDER = "edits"
"""the folder of the cache's in which the series are, by content"""


def folder(tree: str) -> Path:
    """Return the topmost folder of the checkout at `tree`; UsageError if there is none."""
    if not tree:
        raise UsageError("Which kernel tree has the edits? Name it with --tree.")
    return checkout.top(paths.expanded(tree, "--tree"))


def selected(wanted: Selection, tree: str) -> Selection:
    """Return the selection that tests what is edited in the checkout at `tree`: as a series, on top of the tree's HEAD.

    Stress tests are tried of the edited kernel alone, the others of both. What the user did not choose is the quickest.
    Raises UsageError for options that contradict this, if there is no checkout, and if nothing is edited.
    """
    for name, option in (("source", wanted.source), ("series", wanted.series), ("variant", wanted.variant)):
        if option or (name == "series" and wanted.each_patch):
            raise UsageError(f"--{name} has no meaning here: what is not committed in --tree is tried on top of its HEAD.")
    top = folder(tree)
    head = checkout.head(top)
    patch = checkout.edits(top, head)
    if not patch:
        raise UsageError(f"Nothing is edited in {top}: all its files are as in HEAD; edit some, or test commits with --source.")
    series = paths.cache() / FOLDER / files.digest(patch)[:16] / f"{top.name}-edits.patch"
    if not series.exists():
        series.parent.mkdir(parents=True, exist_ok=True)
        files.write(series, patch)
    tests = wanted.tests or "stress"
    compared = set(catalog.choose(tests)) - set(catalog.choose("stress"))
    name = matrix.series_name(series)
    return msgspec.structs.replace(
        wanted,
        source=f"{top}#{head}",
        series=str(series),
        variant=f"{STOCK},{name}" if compared else name,
        tests=tests,
        scale=wanted.scale or "quick",
        plain=True,
    )
