# SPDX-License-Identifier: GPL-2.0-only
"""The base whose settings a source has, for sources of all releases."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from harness import paths
from harness.errors import UsageError
from harness.model import releases
from harness.model.matrix import load_base, series_names


@pytest.fixture(autouse=True)
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three bases, of which the second one's settings hold from 5.7 on."""
    monkeypatch.setattr(paths, "SERIES", tmp_path)
    bug = "[[known_bugs]]\ntest = 'a'\nkind = 'bug'\ntitle = 'b'\nreason = 'c'\n"
    for release, more in {"4.18": "default_series = 'mine'", "6.1": "since = '5.7'", "6.12": ""}.items():
        (tmp_path / release / "mine").mkdir(parents=True)
        (tmp_path / release / "mine/series").write_text("")
        head = f"release = '{release}'\nmake_variables = ['A={release}']\n{more}\n"
        text = f"{head}fragment = 'kernel-{release}.config'\n[source]\n{bug}"
        (tmp_path / release / "base.toml").write_text(text)


@pytest.mark.parametrize(
    ("version", "like"),
    [
        *[("4.19.0", "4.18"), ("4.20.17", "4.18"), ("5.4.59", "4.18"), ("5.6.19", "4.18")],
        *[("5.7.0", "6.1"), ("5.10.265", "6.1"), ("5.19.0", "6.1"), ("6.0.0", "6.1"), ("6.2.0", "6.1"), ("6.11.11", "6.1")],
        *[("6.13.0", "6.12"), ("6.120.0", "6.12"), ("7.0.0", "6.12"), ("10.1.0", "6.12")],
    ],
)
def test_another_release_has_the_settings_of_the_nearest_base(version: str, like: str) -> None:
    base = releases.nearest(version, "a tree")
    assert (base.name, base.release, base.like) == (releases.of(version), releases.of(version), like)
    assert (base.fragment, base.make_variables) == (f"kernel-{like}.config", (f"A={like}",))


@pytest.mark.parametrize("version", ["4.18.0", "4.18.20", "6.1.170", "6.12.0"])
def test_a_bases_own_release_is_that_base(version: str) -> None:
    base = releases.nearest(version, "a tree")
    assert base == load_base(releases.of(version))
    assert base.known_bugs
    assert not base.like


def test_neither_bugs_nor_the_default_series_of_a_neighbour_are_taken() -> None:
    base = releases.nearest("5.4.0", "a tree")
    assert (base.known_bugs, base.userspace_bugs, base.default_series) == ((), (), "")
    assert series_names(base) == ["mine"], "a series of the neighbour can be named all the same"


@pytest.mark.parametrize("version", ["4.17.19", "4.4.0", "3.18.0", "2.6.39"])
def test_what_is_older_than_all_bases_is_refused(version: str) -> None:
    said = re.escape(f"a tree is Linux {version}, but the rig tests releases from 4.18 on; name a newer source.")
    with pytest.raises(UsageError, match=said):
        releases.nearest(version, "a tree")


@pytest.mark.parametrize("version", ["?.?.?", "6.?.0", ""])
def test_a_makefile_without_a_release_is_no_kernels(version: str) -> None:
    with pytest.raises(UsageError, match="a tree holds no kernel source: its Makefile names no release"):
        releases.nearest(version, "a tree")


def test_the_sentence_names_the_version_and_the_base() -> None:
    said = releases.told(releases.nearest("5.4.59", "a tree"), "5.4.59")
    assert said.startswith("Linux 5.4.59 is no base of the rig's: it is built with the settings of 4.18,")
    assert "no finding in it is taken for a known bug" in said


@pytest.mark.parametrize("line", ["since = '5'", "since = 'v5.7'", "since = '5.7.1'"])
def test_a_first_release_that_is_none_is_refused(tmp_path: Path, line: str) -> None:
    (tmp_path / "6.1/base.toml").write_text(f"release = '6.1'\n{line}\n[source]\n")
    with pytest.raises(UsageError, match=r"6\.1/base\.toml: .*`\$\.since`"):
        releases.nearest("5.15.0", "a tree")
