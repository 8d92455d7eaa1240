# SPDX-License-Identifier: GPL-2.0-only
"""Makes a series of what is not committed in a kernel tree of the user's, to be compared with the tree's own HEAD."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec

from harness import paths
from harness.build import cells, checkout
from harness.commands import timings
from harness.errors import UsageError
from harness.host import files
from harness.model import catalog, matrix
from harness.model.matrix import STOCK
from harness.model.selection import Selection

FOLDER = "edits"
"""the folder of the cache's in which the series are, by content"""
_TESTS = "stress"
"""tests that are done unless the user says otherwise"""
_BUILT = re.compile(rb"^diff --git a/(\.config|include/config/\S+) b/", re.M)
"""files that a kernel's build leaves in its source"""


def folder(tree: str) -> Path:
    """Return the topmost folder of the checkout at `tree`; UsageError if there is none."""
    if not tree:
        raise UsageError("Which kernel tree has the edits? Name it with --tree.")
    return checkout.top(paths.expanded(tree, "--tree"))


def check(wanted: Selection) -> None:
    """Raise UsageError for options that are wrong whatever is edited."""
    for name in ("source", "series", "variant", "each_patch"):
        if getattr(wanted, name):
            option = name.replace("_", "-")
            raise UsageError(f"--{option} has no meaning here: what is not committed in --tree is tried on top of its HEAD.")
    cells.check(msgspec.structs.replace(wanted, tests=_tests(wanted)))


def _tests(wanted: Selection) -> str:
    """Return the tests that are done; none of the rig's own where a foreign module takes their place."""
    return wanted.tests or ("" if wanted.module else _TESTS)


def selected(wanted: Selection, tree: str) -> Selection:
    """Return the selection that tests what is edited in the checkout at `tree`: as a series, on top of the tree's HEAD.

    Stress tests are tried of the edited kernel alone, the others and foreign modules of both. What the user did not choose is
    the quickest.
    Raises UsageError for options that contradict this, if there is no checkout, and if nothing is edited.
    """
    check(wanted)
    top = folder(tree)
    timings.HERE.at("try", top.name, "reading the edits")
    head = checkout.head(top)
    patch = checkout.edits(top, head)
    timings.HERE.ended("try", top.name)
    if not patch:
        raise UsageError(f"Nothing is edited in {top}: all its files are as in HEAD; edit some, or test commits with --source.")
    if _BUILT.search(patch):
        raise UsageError(
            f"{top} has been built in, and git does not ignore what the build left; run `make mrproper` there,"
            " or have git ignore it by the .gitignore files of the kernel."
        )
    series = paths.cache() / FOLDER / files.digest(patch)[:16] / f"{top.name}-edits.patch"
    if not series.exists():
        series.parent.mkdir(parents=True, exist_ok=True)
        files.write(series, patch)
    tests = _tests(wanted)
    compared = wanted.module or set(catalog.choose(tests)) - set(catalog.choose("stress"))
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
