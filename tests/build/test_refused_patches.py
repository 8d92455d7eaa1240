# SPDX-License-Identifier: GPL-2.0-only
"""Patches that do not apply, or reach out of the tree: all of a series is refused, and nothing is left of it."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.build import patches
from harness.build.kernel_tree import Tree
from harness.errors import UsageError
from tests.support.applied import BEYOND, of, refused, text
from tests.support.series import diff, hunk, message


@pytest.mark.parametrize("prefixes", [("a/", "b/"), ("linux-4.18.orig/", "linux-4.18/")], ids=["git", "diff -u"])
def test_what_does_not_apply_is_named_with_file_and_hunk(tree: Tree, series: Path, prefixes: tuple[str, str]) -> None:
    body = diff(10, prefixes=prefixes) + hunk(20) + hunk(30, old="no such line")
    other = diff(2, path="Makefile", old="VERSION = 4", new="VERSION = 5").replace("line 1\n", "# a comment\n")
    body = other.replace("line 3\n", "PATCHLEVEL = 18\n") + body
    if prefixes[0] != "a/":
        body = "".join(line for line in body.splitlines(keepends=True) if not line.startswith("diff --git"))
    (series / "good.patch").write_text(diff(50))
    (series / "bad.patch").write_text(body)
    (series / "series").write_text("good.patch\nbad.patch\n")
    said = refused(tree, series)
    assert "bad.patch does not apply" in said
    assert "hunk 3 of mm/vmalloc.c" in said
    assert "line 29" in said
    assert "nothing was changed" in said


def test_hunks_are_counted_without_prefixes_too(tree: Tree, series: Path) -> None:
    (series / "bad.patch").write_text(diff(10, prefixes=("", "")) + hunk(30, old="no such line"))
    (series / "series").write_text("bad.patch -p0\n")
    assert "hunk 2 of mm/vmalloc.c" in refused(tree, series)


def test_no_fuzz(tree: Tree, tmp_path: Path) -> None:
    file = tmp_path / "fuzzy.patch"
    file.write_text(diff(10).replace(" line 9\n", " line nine\n"))
    assert "fuzzy.patch does not apply" in refused(tree, file)


def test_a_patch_of_a_missing_file_names_it(tree: Tree, tmp_path: Path) -> None:
    file = tmp_path / "lost.patch"
    file.write_text(diff(10, path="mm/nothing.c"))
    said = refused(tree, file)
    assert "lost.patch does not apply" in said
    assert "mm/nothing.c" in said


@pytest.mark.parametrize("path", ["../../etc/passwd", "/etc/passwd", "mm/../../passwd", ".git/config"])
def test_a_patch_that_reaches_outside_is_refused(tree: Tree, series: Path, path: str) -> None:
    (series / "evil.patch").write_text(BEYOND.format(path=path))
    (series / "series").write_text("evil.patch -p0\n")
    said = refused(tree, series)
    assert "evil.patch is refused: it reaches outside of the source tree" in said
    assert f"({path})" in said


def test_a_patch_that_reaches_through_a_link_is_refused(tree: Tree, tmp_path: Path) -> None:
    file = tmp_path / "evil.patch"
    link = "diff --git a/away b/away\nnew file mode 120000\n--- /dev/null\n+++ b/away\n@@ -0,0 +1 @@\n+/etc\n"
    link += "\\ No newline at end of file\n"
    file.write_text(link + "diff --git a/away/passwd b/away/passwd\nnew file mode 100644\n" + BEYOND.format(path="b/away/passwd"))
    said = refused(tree, file)
    assert "evil.patch is refused: it reaches outside of the source tree" in said
    assert "away/passwd" in said


@pytest.mark.parametrize(
    ("path", "target", "good"),
    [
        ("away", "/etc", False),
        ("mm/away", "../../secret", False),
        ("away", "..", False),
        ("mm/x/../near", "vmalloc.c", None),
        ("mm/near", "vmalloc.c", True),
        ("mm/near", "../mm/vmalloc.c", True),
    ],
)
def test_a_link_may_not_lead_out_of_the_tree(tree: Tree, tmp_path: Path, path: str, target: str, good: bool | None) -> None:
    file = tmp_path / "link.patch"
    file.write_text(
        f"diff --git a/{path} b/{path}\nnew file mode 120000\n--- /dev/null\n+++ b/{path}\n@@ -0,0 +1 @@\n+{target}\n"
        "\\ No newline at end of file\n"
    )
    if good:
        assert text(patches.apply(tree, of(file)), path) == target
    elif good is None:
        assert "link.patch is refused: it reaches outside" in refused(tree, file)
    else:
        assert f"link.patch is refused: it makes {path} a link to '{target}', outside" in refused(tree, file)


def test_a_giant_is_no_patch(tree: Tree, tmp_path: Path) -> None:
    with (tmp_path / "giant.patch").open("wb") as file:
        file.truncate(65 << 20)
    assert "giant.patch has 65 MiB; more than 64 MiB are no series" in refused(tree, tmp_path / "giant.patch")


def test_a_pipe_is_no_patch(tree: Tree, series: Path) -> None:
    os.mkfifo(series / "pipe.patch")
    assert f"The patch {series / 'pipe.patch'} is not a file" in refused(tree, series)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=300), st.integers(0, 200), st.booleans())
def test_no_patch_makes_anything_but_a_tree_or_an_error(tree: Tree, tmp_path: Path, noise: bytes, at: int, mail: bool) -> None:
    good = (message("a subject", diff(10)) if mail else diff(10)).encode()
    file = tmp_path / "noise.patch"
    file.write_bytes(good[:at] + noise + good[at:])
    with contextlib.suppress(UsageError):
        assert len(patches.apply(tree, of(file)).tree) == 40


@pytest.mark.parametrize(
    "content",
    [diff(10).replace("@@ -9,3", "@@ -9,7"), diff(10).replace("@@ -9,3 +9,3 @@", "@@ @@"), diff(10)[:-12]],
    ids=["wrong count", "no numbers", "cut off"],
)
def test_a_malformed_patch_is_refused(tree: Tree, tmp_path: Path, content: str) -> None:
    file = tmp_path / "odd.patch"
    file.write_text(content)
    assert "odd.patch does not apply: " in refused(tree, file)
