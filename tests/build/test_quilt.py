# SPDX-License-Identifier: GPL-2.0-only
"""The file `series` of a folder of patches: what it may name, and what is no series."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.build import patches
from harness.build.kernel_tree import Tree
from tests.support.applied import of, refused, text
from tests.support.series import diff, message


def test_a_series_may_share_the_patches_of_one_beside_it(tree: Tree, series: Path) -> None:
    fixes = series.parent / "fixes"
    fixes.mkdir()
    (fixes / "fix.patch").write_text(diff(10))
    (fixes / "series").write_text("fix.patch\n")
    (series / "a.patch").write_text(diff(20))
    (series / "series").write_text("../fixes/fix.patch\na.patch\n")
    patched = patches.apply(tree, of(series))
    assert patched.patches == ("../fixes/fix.patch", "a.patch")
    assert "LINE 10" in text(patched)
    assert "LINE 20" in text(patched)
    first = patches.apply(tree, of(series, 1))
    assert first.patches == ("../fixes/fix.patch",)
    assert first.tree == patches.apply(tree, of(fixes)).tree


@pytest.mark.parametrize("name", ["../other/a.patch", "../fixes/../../far/a.patch", "../fixes/link.patch", "../../far/a.patch"])
def test_a_series_may_not_share_what_is_no_series_beside_it(tree: Tree, tmp_path: Path, name: str) -> None:
    series = tmp_path / "near/mine"
    for folder in (series, tmp_path / "near/other", tmp_path / "near/fixes", tmp_path / "far"):
        folder.mkdir(parents=True)
        (folder / "a.patch").write_text(diff(10))
    for folder in (tmp_path / "near/fixes", tmp_path / "far"):
        (folder / "series").write_text("a.patch\n")
    (tmp_path / "near/fixes/link.patch").symlink_to(tmp_path / "far/a.patch")
    (series / "series").write_text(f"{name}\n")
    assert f"'{name}', which lies outside of the folder" in refused(tree, series)


@pytest.mark.parametrize("name", ["../outside.patch", "/etc/passwd", "link.patch"])
def test_a_series_may_not_name_files_outside_of_its_folder(tree: Tree, series: Path, name: str) -> None:
    (series.parent / "outside.patch").write_text(diff(10))
    (series / "link.patch").symlink_to(series.parent / "outside.patch")
    (series / "series").write_text(f"{name}\n")
    said = refused(tree, series)
    assert str(series / "series") in said
    assert f"'{name}', which lies outside of the folder" in said


def test_a_name_with_a_nul_is_refused(tree: Tree, series: Path) -> None:
    (series / "series").write_bytes(b"a\0b.patch\n")
    said = refused(tree, series)
    assert f"{series / 'series'} names 'ab.patch', with a NUL in it" in said


def test_a_series_that_names_a_missing_patch(tree: Tree, series: Path) -> None:
    (series / "series").write_text("missing.patch\n")
    assert "missing.patch cannot be read: No such file" in refused(tree, series)


def test_a_series_with_an_odd_strip(tree: Tree, series: Path) -> None:
    (series / "a.patch").write_text(diff(10))
    (series / "series").write_text("a.patch -pab\n")
    assert "'-pab' of 'a.patch' is not a number" in refused(tree, series)


@pytest.mark.parametrize("content", ["", "# nothing yet\n\n"])
def test_an_empty_series_is_refused(tree: Tree, series: Path, content: str) -> None:
    (series / "series").write_text(content)
    said = refused(tree, series)
    assert str(series) in said
    assert "holds no patches; a series is" in said


def test_an_empty_folder_and_an_mbox_of_talk_hold_no_patches(tree: Tree, series: Path, tmp_path: Path) -> None:
    assert "holds no patches" in refused(tree, series)
    (tmp_path / "talk.mbox").write_text(message("Re: mine", "> --- a/mm/vmalloc.c\n\nNack.\n"))
    assert "holds no patches" in refused(tree, tmp_path / "talk.mbox")
