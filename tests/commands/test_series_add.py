# SPDX-License-Identifier: GPL-2.0-only
"""A series that is added: from where it was sent or saved, to the base that it fits, whole or not at all."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import msgspec
import pytest

from harness import paths
from harness.build import git, series
from harness.build.kernel_tree import Tree
from harness.commands import series_add
from harness.commands.series_add import Added
from harness.errors import UsageError
from tests.support.series import diff, message

BASES = {"4.18": "", "6.1": "other "}
"""bases, with the beginning of each line of mm/vmalloc.c"""


@pytest.fixture(autouse=True)
def bases(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two bases without series, whose sources differ."""
    folder = tmp_path / "kernel_patches"
    for name in BASES:
        (folder / name).mkdir(parents=True)
        (folder / name / "base.toml").write_text(f'release = "{name}"\n[source]\n')
    monkeypatch.setattr(paths, "SERIES", folder)
    monkeypatch.setattr("harness.build.source.is_here", lambda base: True)
    return folder


def run_git(folder: Path, *command: str | Path) -> None:
    who = ("-c", "user.name=Ä", "-c", "user.email=a@kernel.invalid")
    subprocess.run(("git", *who, *command), cwd=folder, check=True, env={**os.environ, "GIT_CONFIG_GLOBAL": os.devnull})


@pytest.fixture
def commits(trees: dict[str, Tree], kernel_source: Path) -> Path:
    """A git tree of the tiny source, with two commits on the tag base."""
    for command in (("init", "--quiet"), ("add", "."), ("commit", "--quiet", "-m", "base"), ("tag", "base")):
        run_git(kernel_source, *command)
    for line in (10, 20):
        text = (kernel_source / "mm/vmalloc.c").read_text()
        (kernel_source / "mm/vmalloc.c").write_text(text.replace(f"line {line}\n", f"LINE {line}\n"))
        run_git(kernel_source, "commit", "--quiet", "-a", "-m", f"mm: change {line}\n\nFrom here on.\n")
    # A program that the tree's configuration names must not run.
    with (kernel_source / ".git/config").open("a") as config:
        config.write("[diff]\n\texternal = /bin/false\n\tnoprefix = true\n")
    return kernel_source


@pytest.fixture
def trees(tree: Tree) -> dict[str, Tree]:
    """The sources of both bases."""
    lines = (git.blob(tree.commit, "mm/vmalloc.c") or b"").decode().splitlines(keepends=True)
    made = {"4.18": tree}
    commit = git.with_files(tree.commit, {"mm/vmalloc.c": "".join(f"other {line}" for line in lines)}, "other")
    made["6.1"] = msgspec.structs.replace(tree, commit=commit, tree=git.tree_of(commit))
    return made


def add(source: Path | str, trees: dict[str, Tree], *, name: str = "", identity: str = "", kernel: str = "") -> Added:
    return series_add.add(str(source), name, identity, kernel, print, lambda base, own, say: trees[base.name])


def refused(source: Path | str, trees: dict[str, Tree], **options: str) -> str:
    before = sorted(paths.SERIES.rglob("*"))
    with pytest.raises(UsageError) as caught:
        add(source, trees, **options)
    assert sorted(paths.SERIES.rglob("*")) == before, "a series that is refused leaves nothing"
    return str(caught.value)


def indexed(tree: Tree, line: int, **options: str) -> str:
    """Return a patch whose index line names the file of `tree`."""
    blob = git.run("rev-parse", f"{tree.commit}:mm/vmalloc.c")
    return diff(line, **options).replace("--- a", f"index {blob[:12]}..{'1' * 12} 100644\n--- a", 1)  # type: ignore[arg-type]


def mbox(tmp_path: Path, *sent: str) -> Path:
    (tmp_path / "t.mbox").write_text("".join(sent))
    return tmp_path / "t.mbox"


def test_an_mbox_becomes_a_quilt_series_with_its_cover_letter(tmp_path: Path, trees: dict[str, Tree]) -> None:
    cover = message("[PATCH v2 0/2] mm: Two Lines", "", "Blurb ä.", Message_ID="<c@x>")
    first = message("[PATCH v2 1/2] mm: first", indexed(trees["4.18"], 10), "Why.\n\nReviewed-by: Ä <a@x>", Message_ID="<1@x>")
    done = add(mbox(tmp_path, cover, first, message("[PATCH v2 2/2] mm: second", diff(20))), trees)
    assert done.folder == paths.SERIES / "4.18/mm-two-lines"
    assert (done.folder / "series").read_text() == "0001-mm-first.patch\n0002-mm-second.patch\n"
    letter = (done.folder / "cover").read_text()
    assert "Message-ID: <c@x>\n" in letter
    assert "\n\nBlurb ä.\n" in letter
    patch = (done.folder / "0001-mm-first.patch").read_text()
    assert patch.startswith(
        "From: A <a@kernel.invalid>\nDate: Fri, 27 Nov 2026 01:07:06 +0000\nSubject: [PATCH v2 1/2] mm: first\n"
    )
    assert "\nReviewed-by: Ä <a@x>\n---\n" in patch
    assert done.sentences[0] == (
        "kernel_patches/4.18/mm-two-lines: 2 patches with the cover letter '[PATCH v2 0/2] mm: Two Lines';"
        " the file that it starts from is that of Linux 4.18."
    )
    again = series.read(done.folder)
    assert again.cover
    assert (again.cover.identity, len(again.patches)) == ("c@x", 2)


def test_what_was_added_is_taken_by_git_am(tmp_path: Path, commits: Path, trees: dict[str, Tree]) -> None:
    odd = "From 1 Mon Sep 17 00:00:00 2001 on, ä"
    done = add(mbox(tmp_path, message("[PATCH] a", diff(30), f"Why.\n>{odd}")), trees)
    run_git(commits, "am", "-q", *done.folder.glob("*.patch"))
    assert "LINE 30\n" in (commits / "mm/vmalloc.c").read_text()


def test_a_range_of_commits(commits: Path, trees: dict[str, Tree]) -> None:
    done = add(f"{commits}:base..HEAD", trees, name="mine")
    assert (done.folder / "series").read_text() == "0001-mm-change-10.patch\n0002-mm-change-20.patch\n"
    assert "it was written on the source of Linux 4.18" in done.sentences[0]
    assert [patch.mail.author for patch in series.read(done.folder).patches] == ["Ä <a@kernel.invalid>"] * 2


@pytest.mark.parametrize("kind", ["shallow", "worktree"])
def test_a_range_of_a_tree_that_is_not_whole(commits: Path, trees: dict[str, Tree], tmp_path: Path, kind: str) -> None:
    other = tmp_path / kind
    if kind == "shallow":
        run_git(tmp_path, "clone", "-q", "--depth", "2", f"file://{commits}", other)
    else:
        run_git(commits, "worktree", "add", "-q", "--detach", other, "HEAD")
    done = add(f"{other}:HEAD~1..HEAD", trees, name="mine", kernel="4.18")
    assert (done.folder / "series").read_text() == "0001-mm-change-20.patch\n"


def test_a_range_that_is_no_line_of_changes(commits: Path, trees: dict[str, Tree]) -> None:
    assert "holds no commits" in refused(f"{commits}:HEAD..base", trees)
    assert f"There is no commit 'nowhere' in {commits}" in refused(f"{commits}:base..nowhere", trees)
    run_git(commits, "commit", "-q", "--allow-empty", "-m", "cover")
    assert "has 3 commits, of which 1 change nothing" in refused(f"{commits}:base..HEAD", trees)
    run_git(commits, "checkout", "-q", "-b", "side", "base")
    run_git(commits, "merge", "-q", "--no-ff", "-m", "m", "@{-1}")
    assert "has the merge" in refused(f"{commits}:base..HEAD", trees)


def test_the_base_is_the_one_whose_files_the_series_names(tmp_path: Path, trees: dict[str, Tree]) -> None:
    there = diff(20).replace(" line", " other line").replace("-line", "-other line")
    named = indexed(trees["6.1"], 10).replace(" line", " other line").replace("-line", "-other line")
    done = add(mbox(tmp_path, message("[PATCH 1/2] a", named), message("[PATCH 2/2] b", there)), trees, name="mine")
    assert done.folder == paths.SERIES / "6.1/mine"
    assert "--kernel 6.1" in done.sentences[-1]


def test_a_file_that_the_series_renames_is_none_of_the_base(tmp_path: Path, trees: dict[str, Tree]) -> None:
    moved = "diff --git a/mm/vmalloc.c b/mm/v.c\nsimilarity index 100%\nrename from mm/vmalloc.c\nrename to mm/v.c\n"
    there = [indexed(trees["4.18"], line, path="mm/v.c") for line in (10, 20)]
    made = [message(f"[PATCH {n}/4] {n}", body) for n, body in enumerate([indexed(trees["4.18"], 30), moved, *there], 1)]
    done = add(mbox(tmp_path, *made), trees, name="mine")
    assert "the file that it starts from is that of Linux 4.18" in done.sentences[0]


def test_another_source_is_told_with_the_file_that_differs(tmp_path: Path, trees: dict[str, Tree]) -> None:
    sent = mbox(tmp_path, message("[PATCH] a", indexed(trees["4.18"], 10).replace("index ", "index 12345678")))
    done = add(sent, trees)
    assert done.folder.parent.name == "4.18"
    assert "it was written for another source than Linux 4.18 (mm/vmalloc.c is" in done.sentences[0]
    none = mbox(tmp_path, message("[PATCH] b", indexed(trees["4.18"], 10, old="gone").replace("index ", "index 12345678")))
    said = refused(none, trees)
    assert "b fits no base that the rig knows: on 4.18 b does not apply: hunk 1 of mm/vmalloc.c" in said
    assert "where mm/vmalloc.c is" in said
    assert "; on 6.1 " in said


def test_a_series_for_several_bases_asks_which(tmp_path: Path, trees: dict[str, Tree]) -> None:
    made = "diff --git a/new.c b/new.c\nnew file mode 100644\n--- /dev/null\n+++ b/new.c\n@@ -0,0 +1 @@\n+int i;\n"
    sent = mbox(tmp_path, message("[PATCH] a", made))
    assert "applies to 4.18 and 6.1; choose one with --kernel" in refused(sent, trees)
    assert add(sent, trees, kernel="6.1").folder == paths.SERIES / "6.1/a"
    assert "There is no kernel '9'" in refused(sent, trees, kernel="9", name="b")


@pytest.mark.parametrize(("patchlevel", "added"), [("18", "4.18"), ("19", "")])
def test_a_source_of_ones_own_has_to_be_a_bases(
    tmp_path: Path, trees: dict[str, Tree], kernel_source: Path, monkeypatch: pytest.MonkeyPatch, patchlevel: str, added: str
) -> None:
    makefile = kernel_source / "Makefile"
    makefile.write_text(makefile.read_text().replace("PATCHLEVEL = 18", f"PATCHLEVEL = {patchlevel}"))
    monkeypatch.setenv("RIG_SOURCE", str(kernel_source))
    patch = mbox(tmp_path, message("[PATCH] mm: one", diff(10)))
    if added:
        assert add(patch, trees).folder.parent == paths.SERIES / added
    else:
        with pytest.raises(
            UsageError, match=r"RIG_SOURCE is Linux 4\.19, which is no base that a series can be added to; unset it"
        ):
            add(patch, trees)


def test_a_base_commit_that_the_rig_has(tmp_path: Path, trees: dict[str, Tree]) -> None:
    cover = message("[PATCH 0/1] all", "", f"Blurb.\n\nbase-commit: {trees['4.18'].commit}")
    done = add(mbox(tmp_path, cover, message("[PATCH 1/1] a", diff(10))), trees)
    assert "it was written on the source of Linux 4.18" in done.sentences[0]


def test_a_series_that_is_not_whole_is_not_added(tmp_path: Path, trees: dict[str, Tree]) -> None:
    said = refused(mbox(tmp_path, message("[PATCH 1/2] a", diff(10))), trees)
    assert said == "t.mbox lacks 2/2 of its series, so it is not added; to test what is there, use --series."


def test_one_of_several_series(tmp_path: Path, trees: dict[str, Tree]) -> None:
    several = [message(f"[PATCH 1/1] {name}", diff(line), Message_ID=f"<{name}@x>") for name, line in (("a", 10), ("b", 20))]
    assert "--message-id" in refused(mbox(tmp_path, *several), trees)
    assert add(mbox(tmp_path, *several), trees, identity="<b@x>").name == "b"


def test_a_quilt_series_keeps_its_options(tmp_path: Path, trees: dict[str, Tree]) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "a.patch").write_text(diff(10, prefixes=("", "")))
    (folder / "b.diff").write_text(diff(20, old="LINE 20", new="line 20"))
    (folder / "series").write_text("a.patch -p0\nb.diff -R\n")
    done = add(folder, trees, name="kept", kernel="4.18")
    assert (done.folder / "series").read_text() == "0001-a.patch -p0\n0002-b.patch -R\n"
    assert "has no index lines, and applies to Linux 4.18" in done.sentences[0]


def test_a_name_that_is_taken_is_refused(tmp_path: Path, trees: dict[str, Tree]) -> None:
    sent = mbox(tmp_path, message("[PATCH] a", diff(10)))
    add(sent, trees, name="mine", kernel="4.18")
    assert f"There is a series {paths.SERIES}/4.18/mine already; remove it, or say another --name." in refused(
        sent, trees, name="mine"
    )
    (paths.SERIES / "4.18/half").mkdir()
    assert "half already" in refused(sent, trees, name="half", kernel="4.18")


@pytest.mark.parametrize("name", ["stock", "a@2", "../a", "-a", ".a", "ä"])
def test_a_name_that_no_series_can_have(tmp_path: Path, trees: dict[str, Tree], name: str) -> None:
    sent = mbox(tmp_path, message("[PATCH] a", diff(10)))
    assert f"A series cannot be called '{name}'" in refused(sent, trees, name=name)


@pytest.mark.parametrize("source", ["nowhere", "nowhere:a..b", "~/nowhere", "a b@c d"])
def test_a_source_that_is_none(source: str, trees: dict[str, Tree]) -> None:
    assert f"There is no series at {source}; name a file" in refused(source, trees)


def test_a_home_of_nobody(trees: dict[str, Tree]) -> None:
    for source in ("~no-such-user/x", "~no-such-user/x:a..b"):
        assert "but there is no such user" in refused(source, trees)


def test_a_folder_that_is_no_git_tree(tmp_path: Path, trees: dict[str, Tree]) -> None:
    (tmp_path / "plain").mkdir()
    assert "not a git repository" in refused(f"{tmp_path / 'plain'}:a..b", trees)


def test_no_source_at_all(trees: dict[str, Tree]) -> None:
    assert "Say what to add" in refused("", trees)


FAKE = """#!/bin/sh
[ "$1" != --version ] || { echo "$VERSION"; exit; }
while [ "$1" != -o ]; do shift; done
mkdir "$2"
[ "$3" = 1@x ] || { echo "Could not retrieve thread" >&2; exit 1; }
echo "$XDG_CONFIG_HOME" > "$SAID"
[ ! -e "$MBOX" ] || cp "$MBOX" "$2/it.mbx"
[ ! -e "$COVER" ] || cp "$COVER" "$2/it.cover"
"""


@pytest.fixture
def b4(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A b4 that gives what lies in the folder it is handed."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "b4").write_text(FAKE)
    (folder / "b4").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    for name, value in (("VERSION", "0.16.1"), ("MBOX", "t.mbox"), ("COVER", "t.cover"), ("SAID", "said")):
        monkeypatch.setenv(name, value if name == "VERSION" else str(tmp_path / value))
    return tmp_path


def test_a_thread_of_lore(b4: Path, trees: dict[str, Tree]) -> None:
    mbox(b4, message("[PATCH 1/1] a", indexed(trees["4.18"], 10)))
    (b4 / "t.cover").write_text("Subject: [PATCH 0/1] all\nFrom: A <a@x>\nMessage-Id: <c@x>\n\nBlurb.\n")
    done = add("1@x", trees)
    assert (done.name, done.subject) == ("all", "[PATCH 0/1] all")
    assert (b4 / "said").read_text().strip() not in (os.environ.get("XDG_CONFIG_HOME", ""), "")


def test_b4_that_finds_nothing_or_not_all(b4: Path, trees: dict[str, Tree], monkeypatch: pytest.MonkeyPatch) -> None:
    assert "b4 finds no series in 1@x" in refused("1@x", trees)
    assert "Could not retrieve thread" in refused("https://lore.kernel.org/r/2@x", trees)
    mbox(b4, message("[PATCH 1/2] a", diff(10)))
    assert "lacks 2/2 of its series" in refused("1@x", trees), "b4 ends well where a patch is missing"
    monkeypatch.setenv("VERSION", "0.12.3")
    assert "is older than 0.16; `.venv/bin/python -m pip install 'b4>=0.16'` installs it" in refused("1@x", trees)


def test_without_b4(trees: dict[str, Tree], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda name, path=None: None)
    assert "needs b4, which is not installed; `.venv/bin/python -m pip install" in refused("1@x", trees)
