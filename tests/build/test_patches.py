# SPDX-License-Identifier: GPL-2.0-only
"""Applying a series: in every form that one comes in, whole or not at all, and never outside of the tree."""

from __future__ import annotations

import contextlib
import os
import subprocess
import threading
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.build import git, patches
from harness.build.kernel_tree import Tree
from harness.build.patches import Patched
from harness.errors import RigError, UsageError
from harness.host import debug_info
from harness.model.matrix import Variant
from tests.support.series import diff, hunk, message

BEYOND = "--- /dev/null\n+++ {path}\n@@ -0,0 +1 @@\n+x\n"


@pytest.fixture
def series(tmp_path: Path) -> Path:
    folder = tmp_path / "mine"
    folder.mkdir()
    return folder


def of(path: Path, count: int | None = None) -> Variant:
    return Variant("mine", path, count)


def text(patched: Patched | Tree, path: str = "mm/vmalloc.c") -> str:
    return (git.blob(patched.commit, path) or b"").decode()


def refused(tree: Tree, path: Path) -> str:
    """Return what is said when the series at `path` is refused; nothing may be left of it."""
    before = git.run("for-each-ref"), git.run("rev-parse", tree.commit), text(tree)
    with pytest.raises(UsageError) as caught:
        patches.apply(tree, of(path))
    assert (git.run("for-each-ref"), git.run("rev-parse", tree.commit), text(tree)) == before
    assert not list(git.repository().glob("*.lock"))
    return str(caught.value)


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


@pytest.mark.parametrize(
    "content",
    [diff(10).replace("@@ -9,3", "@@ -9,7"), diff(10).replace("@@ -9,3 +9,3 @@", "@@ @@"), diff(10)[:-12]],
    ids=["wrong count", "no numbers", "cut off"],
)
def test_a_malformed_patch_is_refused(tree: Tree, tmp_path: Path, content: str) -> None:
    file = tmp_path / "odd.patch"
    file.write_text(content)
    assert "odd.patch does not apply: " in refused(tree, file)


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


def test_the_work_tree_is_that_of_the_patches(tree: Tree, tmp_path: Path, cache: Path) -> None:
    file = tmp_path / "fix.patch"
    file.write_text(diff(10))
    patched = patches.apply(tree, of(file))
    place = cache / "trees/4.18/mine"
    git.worktree(place, tree.commit)
    untouched = (place / "Makefile").stat().st_mtime_ns
    git.worktree(place, patched.commit)
    assert "LINE 10" in (place / "mm/vmalloc.c").read_text()
    assert (place / "Makefile").stat().st_mtime_ns == untouched
    (place / "mm/vmalloc.c").write_text("edited by hand\n")
    git.worktree(place, patched.commit)
    assert "LINE 10" in (place / "mm/vmalloc.c").read_text()
    assert not subprocess.run(("git", "-C", place, "status", "--porcelain"), capture_output=True, check=True).stdout


def test_a_work_tree_loses_what_is_in_no_commit_but_for_builds(tree: Tree, cache: Path) -> None:
    place = cache / "trees/4.18/mine"
    git.worktree(place, tree.commit)
    (place / "include").mkdir()
    for name in ("include/stray.h", "mm/stray.c", "build-x86_64-perf"):
        (place / name).touch()
    with git.held(place, tree.commit, lambda _: None):
        assert sorted(file.name for file in place.iterdir()) == [".git", "Makefile", "build-x86_64-perf", "mm"]
        assert [file.name for file in (place / "mm").iterdir()] == ["vmalloc.c"]


def test_a_work_tree_that_does_not_stay_as_it_is_is_given_up(tree: Tree, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(git, "worktree", lambda *_: None)
    with (
        pytest.raises(RigError, match="remove it"),
        git.held(cache / "trees/4.18/mine", tree.commit, lambda _: None),
    ):
        pass


def test_a_work_tree_stays_as_it_is_while_something_is_built_from_it(tree: Tree, tmp_path: Path, cache: Path) -> None:
    file = tmp_path / "fix.patch"
    file.write_text(diff(10))
    patched = patches.apply(tree, of(file))
    place = cache / "trees/4.18/mine"
    order: list[str] = []

    def build(commit: str, name: str) -> None:
        with git.held(place, commit, order.append):
            assert ("LINE 10" in (place / "mm/vmalloc.c").read_text()) == (commit == patched.commit)
            order.append(name)

    other = threading.Thread(target=build, args=(patched.commit, "patched"))
    with git.held(place, tree.commit, order.append):
        build(tree.commit, "stock beside it")
        other.start()
        other.join(0.5)
        assert "LINE 10" not in (place / "mm/vmalloc.c").read_text()
        order.append("stock")
    other.join(30)
    assert [said for said in order if "checking out" not in said] == ["stock beside it", "stock", "patched"]


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
