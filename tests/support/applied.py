# SPDX-License-Identifier: GPL-2.0-only
"""Series that are applied to the tiny source, or refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.build import git, patches
from harness.build.kernel_tree import Tree
from harness.build.patches import Patched
from harness.errors import UsageError
from harness.model.matrix import Variant

BEYOND = "--- /dev/null\n+++ {path}\n@@ -0,0 +1 @@\n+x\n"
"""a patch that makes the file `path`"""


def of(path: Path, count: int | None = None) -> Variant:
    """Return the first `count` patches of the series at `path`, or all."""
    return Variant("mine", path, count)


def text(patched: Patched | Tree, path: str = "mm/vmalloc.c") -> str:
    """Return a file of a commit, empty if it has none."""
    return (git.blob(patched.commit, path) or b"").decode()


def refused(tree: Tree, path: Path) -> str:
    """Return what is said when the series at `path` is refused; nothing may be left of it."""
    before = git.run("for-each-ref"), git.run("rev-parse", tree.commit), text(tree)
    with pytest.raises(UsageError) as caught:
        patches.apply(tree, of(path))
    assert (git.run("for-each-ref"), git.run("rev-parse", tree.commit), text(tree)) == before
    assert not list(git.repository().glob("*.lock"))
    return str(caught.value)
