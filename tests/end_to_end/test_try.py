# SPDX-License-Identifier: GPL-2.0-only
"""A slip in a tree of the user's is found before it is committed."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from harness import paths
from harness.build import source
from harness.model import matrix
from harness.model.selection import DEFAULT
from harness.runs import lifecycle
from harness.stats.outcome import ExitCode
from tests.support.git import WHO
from tests.support.rig import rig

pytestmark = pytest.mark.kernel
OPTIONS = ("--machine", "x86_64", "--tests", "exact_hole_test", "--timings")
FIRST_FIT = "if (addr + cached_hole_size < first->va_start)"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A checkout of the base's source."""
    folder = paths.cache() / "sources" / f"linux-{DEFAULT}"
    if not folder.is_dir():
        pytest.skip("NOT TESTED: there is no source of Linux 4.18 on this machine, so no tree of it can be edited")
    found = source.resolve(matrix.load_base(DEFAULT), None, print)
    mine = tmp_path / "mine"
    subprocess.run(("git", "init", "--quiet", str(mine)), check=True)
    # No clone: git does not share the objects of a repository that somebody's shallow tree has been fetched into.
    (mine / ".git/objects/info/alternates").write_text(f"{paths.cache() / 'linux.git/objects'}\n")
    checkout = ("git", "-c", "advice.detachedHead=false", "-C", str(mine), "checkout", "--quiet", found.commit)
    subprocess.run(checkout, check=True, env={**os.environ, **WHO})
    return mine


def test_an_edit_is_tried(tree: Path, own_results: Path) -> None:
    nothing = rig("try", "--tree", str(tree), *OPTIONS)
    assert nothing.returncode == ExitCode.RIG_FAILED
    assert f"Nothing is edited in {tree}" in nothing.stderr
    file = tree / "mm/vmalloc.c"
    text = file.read_text()
    file.write_text(text.replace("while (addr + size > first->va_start", "while (addr + size > first->va_start + PAGE_SIZE"))
    slip = rig("try", "--tree", str(tree / "mm"), *OPTIONS)
    assert slip.returncode == ExitCode.FINDING, slip.stdout + slip.stderr
    assert lifecycle.find("latest").provenance().patches == {"mine-edits": ("mine-edits.patch",)}
    assert re.search(r"\d +test +x86_64/mine-edits/perf wall 0 +test 2 of 3: exact_hole_test", slip.stderr), slip.stderr
