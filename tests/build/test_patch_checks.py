# SPDX-License-Identifier: GPL-2.0-only
"""Patches as their receivers check them: by the checkpatch of their kernel, and by git am."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.build import patch_checks, source
from harness.build.kernel_tree import Tree
from harness.model.matrix import Base
from harness.model.series_check import Check, State
from tests.support.series import diff, message

SCRIPT = """\
print "called @ARGV[0..4]\\n";
open(F, "<", $ARGV[5]); my $text = join("", <F>);
if ($text =~ /BAD/) { print "$ARGV[5]:7: WARNING:LONG_LINE: too long\\n$ARGV[5]:9: CHECK:SPACING: blanks\\n"; exit 1; }
if ($text =~ /DIE/) { print "No such thing\\n"; exit 2; }
open(F, ">", ".left-behind");
"""


@pytest.fixture
def patch(tmp_path: Path) -> Path:
    file = tmp_path / "0001-a.patch"
    file.write_text(message("[PATCH] a", diff(10)))
    return file


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "work"
    made.mkdir()
    return made


def checked(base: Base, kernel_source: Path, patch: Path, folder: Path) -> Check:
    (kernel_source / "scripts").mkdir()
    (kernel_source / "scripts/checkpatch.pl").write_text(SCRIPT)
    return patch_checks.checkpatch(source.resolve(base, str(kernel_source), print).commit, [patch], folder)


def test_what_checkpatch_says_is_listed(base: Base, kernel_source: Path, patch: Path, folder: Path) -> None:
    patch.write_text("BAD")
    check = checked(base, kernel_source, patch, folder)
    assert (check.state, check.summary) == (State.FOUND, "0 ERROR, 1 WARNING, 1 CHECK")
    assert check.details == (
        "0001-a.patch:7: WARNING:LONG_LINE: too long",
        "0001-a.patch:9: CHECK:SPACING: blanks",
    )


def test_a_clean_patch_passes_and_nothing_is_left_beside_it(base: Base, kernel_source: Path, patch: Path, folder: Path) -> None:
    assert checked(base, kernel_source, patch, folder).state is State.GOOD
    assert "called --strict --no-tree --terse" in (folder / "checkpatch.log").read_text()
    assert (folder / ".left-behind").exists()
    assert not (patch.parent / ".left-behind").exists()


def test_a_script_that_fails_is_no_pass(base: Base, kernel_source: Path, patch: Path, folder: Path) -> None:
    patch.write_text("DIE")
    check = checked(base, kernel_source, patch, folder)
    assert (check.state, check.summary) == (State.NOT_CHECKED, "it failed: No such thing")


def test_a_kernel_without_the_script_is_no_pass(tree: Tree, patch: Path, folder: Path) -> None:
    check = patch_checks.checkpatch(tree.commit, [patch], folder)
    assert (check.state, check.summary) == (State.NOT_CHECKED, "this kernel has no scripts/checkpatch.pl")


def test_git_am_takes_mails(tree: Tree, patch: Path, folder: Path) -> None:
    new = patch.with_name("0002-b.patch")
    new.write_text(
        message("[PATCH] b", "diff --git a/b.c b/b.c\nnew file mode 100644\n--- /dev/null\n+++ b/b.c\n@@ -0,0 +1 @@\n+int b;\n")
    )
    check = patch_checks.am(tree.commit, ["mm/vmalloc.c", "b.c"], [patch, new], folder)
    assert (check.state, check.summary) == (State.GOOD, "it takes 2 patches, without fuzz")
    assert "LINE 10\n" in (folder / "mm/vmalloc.c").read_text()
    assert not (folder / "Makefile").exists(), "only files that the series touches are written"


@pytest.mark.parametrize(("text", "reason"), [(diff(10), "format"), (message("[PATCH] a", diff(20, old="gone")), "patch failed")])
def test_git_am_says_what_it_does_not_take(tree: Tree, patch: Path, folder: Path, text: str, reason: str) -> None:
    bad = patch.with_name("0002-b.patch")
    bad.write_text(text)
    check = patch_checks.am(tree.commit, ["mm/vmalloc.c"], [patch, bad], folder)
    assert (check.state, check.summary) == (State.FOUND, "it takes 1 of 2 patches")
    assert check.details[0].startswith("0002-b.patch: ")
    assert reason in check.details[0]
