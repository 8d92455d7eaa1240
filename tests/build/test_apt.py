# SPDX-License-Identifier: GPL-2.0-only
"""Debian's packages are downloaded with lists of the rig's own, which are complete or begun anew."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from harness.build import apt
from harness.errors import RigError

APT = """\
#!/bin/sh
case "$*" in
*update)
    echo lists >> {place}/asked
    find {lists} -name '*Packages' -size -8c | grep . >&2 && exit 100
    echo complete > {lists}/amd64_Packages ;;
*)
    touch new.deb ;;
esac
"""
"""stands in for apt-get: like it, it fails for ever if a list that it has is incomplete"""


@pytest.fixture
def lists(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = cache / "apt/amd64/state/lists"
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/apt-get").write_text(APT.format(lists=folder, place=tmp_path))
    (tmp_path / "bin/apt-get").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    return folder


def test_complete_lists_are_kept(lists: Path, tmp_path: Path) -> None:
    assert [deb.name for deb in apt.download("amd64", ["busybox"], tmp_path / "into")] == ["new.deb"]
    (lists / "more").touch()
    apt.download("amd64", ["busybox"], tmp_path / "into")
    assert (lists / "more").exists()


@pytest.mark.parametrize("left", ["", "comp"])
def test_lists_that_were_cut_off_are_begun_anew(lists: Path, tmp_path: Path, left: str) -> None:
    apt.download("amd64", ["busybox"], tmp_path / "into")
    (lists / "amd64_Packages").write_text(left)
    assert apt.download("amd64", ["busybox"], tmp_path / "into")
    assert (lists / "amd64_Packages").read_text() == "complete\n"


def test_lists_that_apt_was_killed_over_are_begun_anew(lists: Path, tmp_path: Path) -> None:
    lists.mkdir(parents=True)
    (lists / "amd64_Packages").write_text("comp")
    assert apt.download("amd64", ["busybox"], tmp_path / "into")


def test_a_source_that_cannot_be_reached_is_the_reason(lists: Path, tmp_path: Path) -> None:
    (tmp_path / "bin/apt-get").write_text("#!/bin/sh\necho \"E: no answer to $*\" | sed 's/-c [^ ]*//' >&2\nexit 100\n")
    with pytest.raises(RigError, match=r"Debian's packages for amd64 cannot be had: .*no answer to --quiet +update"):
        apt.download("amd64", ["busybox"], tmp_path / "into")


def test_a_source_that_is_not_needed_may_be_out_of_reach(lists: Path, tmp_path: Path) -> None:
    (tmp_path / "bin/apt-get").write_text('#!/bin/sh\ncase "$*" in *update) exit 100;; *) touch new.deb;; esac\n')
    assert [deb.name for deb in apt.download("amd64", ["busybox"], tmp_path / "into")] == ["new.deb"]
