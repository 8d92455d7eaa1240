# SPDX-License-Identifier: GPL-2.0-only
"""Applying a series: in every form that one comes in, and what is noted of it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from harness.build import git, patches
from harness.build.kernel_tree import Tree
from harness.errors import UsageError
from harness.host import debug_info
from harness.model.matrix import Variant
from tests.support.applied import BEYOND, of, text
from tests.support.series import diff, hunk, message


def test_stock_is_the_source_itself(tree: Tree) -> None:
    patched = patches.apply(tree, Variant("stock"))
    assert (patched.commit, patched.tree, patched.patches, patched.notes) == (tree.commit, tree.tree, (), ())


def test_a_quilt_series_is_applied_in_its_order(tree: Tree, series: Path) -> None:
    (series / "z-first.patch").write_text(diff(10))
    (series / "sub").mkdir()
    (series / "sub/second.diff").write_text(diff(10, old="LINE 10", new="twice", prefixes=("", "")))
    (series / "not-named.patch").write_text(diff(20))
    (series / "series").write_text("# my work\n\nz-first.patch # why\n  sub/second.diff -p0\n#not-named.patch\n")
    patched = patches.apply(tree, of(series))
    assert patched.patches == ("z-first.patch", "sub/second.diff")
    assert "line 9\ntwice\nline 11\n" in text(patched)
    assert "line 20\n" in text(patched)


def test_a_commit_has_the_lines_of_its_files_whatever_a_work_tree_holds(tree: Tree, series: Path) -> None:
    (series / "a.patch").write_text(diff(10))
    patched = patches.apply(tree, of(series))
    told = [debug_info.text("mm/vmalloc.c", 10, [git.sources(commit)]) for commit in (tree.commit, patched.commit)]
    assert told == ["line 10", "LINE 10"]
    assert debug_info.text("mm/nowhere.c", 1, [git.sources(tree.commit)]) == ""
    assert debug_info.text("mm/vmalloc.c", 10, [git.sources("")]) == "", "as of a kernel that an older rig built"


def test_the_first_patches_of_a_series(tree: Tree, series: Path) -> None:
    (series / "a.patch").write_text(diff(10))
    (series / "b.patch").write_text(diff(20))
    (series / "series").write_text("a.patch\nb.patch\n")
    patched = patches.apply(tree, of(series, 1))
    assert patched.patches == ("a.patch",)
    assert "LINE 10" in text(patched)
    assert "LINE 20" not in text(patched)


def test_a_patch_set_has_the_hash_of_its_patches_hashes(series: Path) -> None:
    (series / "a.patch").write_text(diff(10))
    (series / "b.patch").write_text(diff(20))
    shell = "sha256sum a.patch b.patch | cut -c-64 | sha256sum | cut -c-64"
    told = subprocess.run(("sh", "-c", shell), cwd=series, capture_output=True, text=True, check=True).stdout.strip()
    assert patches.digest(patches.read(of(series))) == told
    assert patches.digest(patches.read(of(series, 1))) not in ("", told)
    assert patches.digest(()) == "", "stock"


def test_more_patches_than_there_are(tree: Tree, series: Path) -> None:
    (series / "a.patch").write_text(diff(10))
    with pytest.raises(UsageError, match=r"'mine@3' asks for 3 patches; .*mine has 1\."):
        patches.apply(tree, Variant("mine@3", series, 3))


def test_a_folder_of_patches_is_applied_by_name(tree: Tree, series: Path) -> None:
    (series / "0002-b.patch").write_text(diff(10, old="LINE 10", new="twice"))
    (series / "0001-a.patch").write_text(diff(10))
    (series / "README").write_text("no patch\n")
    patched = patches.apply(tree, of(series))
    assert patched.patches == ("0001-a.patch", "0002-b.patch")
    assert "twice\n" in text(patched)


def test_a_cover_letter_is_no_patch(tree: Tree, series: Path) -> None:
    (series / "0000-cover-letter.patch").write_text(message("[PATCH 0/1] Mine", ""))
    (series / "0001-a.patch").write_text(message("[PATCH 1/1] a", diff(10)))
    assert patches.apply(tree, of(series)).patches == ("0001-a.patch",)


def test_an_mbox_is_a_patch_per_message(tree: Tree, tmp_path: Path) -> None:
    file = tmp_path / "v2.mbox"
    letters = [
        message("[PATCH 0/2] Mine", ""),
        message("[PATCH 1/2] mm: a\n long subject", diff(10)),
        message("[PATCH 2/2] b", diff(20)),
    ]
    file.write_text("".join(letters))
    patched = patches.apply(tree, of(file))
    assert patched.patches == ("mm: a long subject", "b")
    assert "LINE 10" in text(patched)
    assert "LINE 20" in text(patched)


def test_a_message_in_the_encoding_of_mail(tree: Tree, tmp_path: Path) -> None:
    file = tmp_path / "v2.mbox"
    coded = diff(10, new="a =3D b")
    headers = {"MIME_Version": "1.0", "Content_Type": "text/plain; charset=UTF-8", "Content_Transfer_Encoding": "quoted-printable"}
    file.write_text(message("[PATCH] a", coded, **headers))
    assert "line 9\na = b\nline 11\n" in text(patches.apply(tree, of(file)))


def test_a_single_patch(tree: Tree, tmp_path: Path) -> None:
    file = tmp_path / "fix.patch"
    file.write_text(diff(10))
    patched = patches.apply(tree, of(file))
    assert patched.patches == ("fix.patch",)
    assert patched.tree != tree.tree
    assert "line 9\nLINE 10\nline 11\n" in text(patched)


def test_the_same_patches_make_the_same_commit(tree: Tree, series: Path) -> None:
    (series / "a.patch").write_text(diff(10))
    (series / "b.patch").write_text(diff(20))
    assert patches.apply(tree, of(series)) == patches.apply(tree, of(series))


@pytest.mark.parametrize("side", ["starts from", "makes"])
def test_another_source_than_the_index_line_names_is_noted(tree: Tree, tmp_path: Path, side: str) -> None:
    plain = tmp_path / "plain.patch"
    plain.write_text(diff(10))
    before, after = (
        git.run("rev-parse", f"{tree.commit}:mm/vmalloc.c"),
        git.run("rev-parse", f"{patches.apply(tree, of(plain)).commit}:mm/vmalloc.c"),
    )
    wrong = ("f" * 40, after) if side == "starts from" else (before, "f" * 40)
    file = tmp_path / "noted.patch"
    for index, expected in ((wrong, 1), ((before, after), 0), (("f" * 7, "e" * 7), 0)):
        file.write_text(diff(10).replace("--- a", "index {}..{} 100644\n--- a".format(*index)))
        notes = patches.apply(tree, of(file)).notes
        assert len(notes) == expected
        assert all(f"noted.patch {side} mm/vmalloc.c {'f' * 12} by its index line" in note for note in notes)


def test_a_renamed_file_starts_from_its_old_name(tree: Tree, tmp_path: Path) -> None:
    blob = git.run("rev-parse", f"{tree.commit}:mm/vmalloc.c")
    file = tmp_path / "move.patch"
    head = "diff --git a/mm/vmalloc.c b/mm/moved.c\nsimilarity index 98%\nrename from mm/vmalloc.c\nrename to mm/moved.c\n"
    body = "--- a/mm/vmalloc.c\n+++ b/mm/moved.c\n" + hunk(10)
    file.write_text(head + body)
    made = git.run("rev-parse", f"{patches.apply(tree, of(file)).commit}:mm/moved.c")
    file.write_text(f"{head}index {blob}..{made} 100644\n{body}")
    assert patches.apply(tree, of(file)).notes == ()


def test_the_files_of_each_patch_are_those_that_it_makes_or_changes(tree: Tree, series: Path) -> None:
    (series / "1.patch").write_text(diff(10) + BEYOND.format(path="b/mm/new.c"))
    (series / "2.patch").write_text(
        "--- a/mm/new.c\n+++ /dev/null\n@@ -1 +0,0 @@\n-x\n" + BEYOND.format(path="b/Documentation/mm.txt")
    )
    (series / "3.patch").write_text("--- a/Documentation/mm.txt\n+++ /dev/null\n@@ -1 +0,0 @@\n-x\n")
    files = (("mm/new.c", "mm/vmalloc.c"), ("Documentation/mm.txt",), ())
    assert patches.apply(tree, of(series)).files == files
    assert patches.apply(tree, of(series, 1)).files == files[:1]
    assert patches.apply(tree, Variant("stock")).files == ()


def test_a_file_that_becomes_a_link_starts_from_the_file(tree: Tree, tmp_path: Path) -> None:
    blob = git.run("rev-parse", f"{tree.commit}:mm/vmalloc.c")
    link = git.run("hash-object", "--stdin", stdin=b"slab.c")
    old = git.run("cat-file", "blob", blob).splitlines()
    head = "diff --git a/mm/vmalloc.c b/mm/vmalloc.c\n"
    gone = f"deleted file mode 100644\nindex {blob}..{'0' * 40}\n--- a/mm/vmalloc.c\n+++ /dev/null\n@@ -1,{len(old)} +0,0 @@\n"
    made = f"new file mode 120000\nindex {'0' * 40}..{link}\n--- /dev/null\n+++ b/mm/vmalloc.c\n@@ -0,0 +1 @@\n+slab.c\n"
    lines = "".join(f"-{line}\n" for line in old)
    file = tmp_path / "link.patch"
    file.write_text(f"{head}{gone}{lines}{head}{made}\\ No newline at end of file\n")
    assert patches.apply(tree, of(file)).notes == ()
