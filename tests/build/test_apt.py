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


BROKEN = """\
#!/bin/sh
case "$*" in
*update)
    : > {lists}/main_Packages
    [ -e {place}/good ] || exit 100
    : > {lists}/security_Packages ;;
*)
    [ ! -e {lists}/security_Packages ] || [ -e {place}/good ] || {{ echo "E: new.deb: 404" >&2; exit 100; }}
    {fails}
    touch new.deb ;;
esac
"""
"""stands in for apt-get: unless the server is good, one list cannot be had, and what an old one of it names is gone"""


def test_a_list_that_is_broken_does_not_stop_what_the_others_have(lists: Path, tmp_path: Path) -> None:
    (tmp_path / "good").touch()
    (tmp_path / "bin/apt-get").write_text(BROKEN.format(lists=lists, place=tmp_path, fails=""))
    apt.download("amd64", ["busybox"], tmp_path / "into")
    (tmp_path / "good").unlink()
    assert [deb.name for deb in apt.download("amd64", ["busybox"], tmp_path / "more")] == ["new.deb"]
    assert not (lists / "security_Packages").exists(), "the old list is gone, until the server has a good one"


def test_if_no_list_has_it_the_broken_one_is_the_reason(lists: Path, tmp_path: Path) -> None:
    script = BROKEN.format(lists=lists, place=tmp_path, fails="echo 'E: no such package' >&2; exit 100")
    (tmp_path / "bin/apt-get").write_text(
        script.replace("|| exit 100", "|| { echo 'E: security has an unexpected size' >&2; exit 100; }")
    )
    with pytest.raises(RigError, match=r"Debian's packages for amd64 cannot be had: .*security has an unexpected size"):
        apt.download("amd64", ["busybox"], tmp_path / "into")
