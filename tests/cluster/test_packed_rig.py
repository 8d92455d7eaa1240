# SPDX-License-Identifier: GPL-2.0-only
"""The rig's archive has the files of the checkout, and is the same for the same ones."""

from __future__ import annotations

import io
import os
import subprocess
import tarfile
from pathlib import Path

import pytest

from harness import paths
from harness.cluster import packed_rig, revision
from harness.errors import UsageError


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout with a file that git knows, a new one, one that it ignores, and one that was removed."""
    folder = tmp_path / "checkout"
    (folder / "harness").mkdir(parents=True)
    for name in ("bootstrap", "harness/old.py", "harness/gone.py", ".gitignore"):
        (folder / name).write_text("*.log\n")
    (folder / "bootstrap").chmod(0o755)
    for words in (("init", "-q"), ("add", ".")):
        subprocess.run(("git", *words), cwd=folder, check=True)
    (folder / "harness/gone.py").unlink()
    for name in ("harness/new.py", "run.log"):
        (folder / name).write_text("new\n")
    return folder


def test_it_has_what_git_has_or_would_take(checkout: Path) -> None:
    with tarfile.open(fileobj=io.BytesIO(packed_rig.archive(checkout))) as packed:
        modes = {member.name: member.mode for member in packed}
    assert modes == {".gitignore": 0o644, "bootstrap": 0o755, "harness/new.py": 0o644, "harness/old.py": 0o644}


def test_it_is_the_same_for_the_same_files(checkout: Path) -> None:
    first = packed_rig.archive(checkout)
    os.utime(checkout / "bootstrap", (1, 1))
    (checkout / "harness/old.py").chmod(0o600)
    assert packed_rig.archive(checkout) == first
    (checkout / "harness/new.py").write_text("newer\n")
    assert packed_rig.archive(checkout) != first


def test_a_folder_that_is_no_checkout_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"^The rig is installed on other hosts from a git checkout, but .* is none; clone it\.$"):
        packed_rig.archive(tmp_path)


def test_another_host_has_the_same_revision_of_it(tmp_path: Path) -> None:
    if not (paths.PROJECT / ".git").exists():
        pytest.skip("NOT TESTED: this is no git checkout, of which there could be an archive")
    with tarfile.open(fileobj=io.BytesIO(packed_rig.archive())) as packed:
        packed.extractall(tmp_path)
    assert revision.revision(tmp_path) == revision.revision()
    assert os.access(tmp_path / "bootstrap", os.X_OK)
