# SPDX-License-Identifier: GPL-2.0-only
"""Lines that a series adds or changes: by patch and number, in a small repository, and those that a kernel has code of."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.build import changed_lines, patches
from harness.build.changed_lines import SourceLine
from harness.build.kernel import Kernel
from harness.build.kernel_tree import Tree
from harness.build.patches import Patched
from harness.model.matrix import Cell, Variant, load_machine
from tests.support import code, make


def hunk(line: int, *new: str, old: str = "") -> str:
    added = "".join(f"+{text}\n" for text in new)
    rows = f" line {line - 1}\n-{old or f'line {line}'}\n{added} line {line + 1}\n"
    return f"@@ -{line - 1},3 +{line - 1},{2 + len(new)} @@\n{rows}"


def modified(*hunks: str, path: str = "mm/vmalloc.c") -> str:
    return f"diff --git a/{path} b/{path}\n--- a/{path}\n+++ b/{path}\n{''.join(hunks)}"


def created(path: str, *lines: str) -> str:
    added = "".join(f"+{line}\n" for line in lines)
    return f"diff --git a/{path} b/{path}\nnew file mode 100644\n--- /dev/null\n+++ b/{path}\n@@ -0,0 +1,{len(lines)} @@\n{added}"


def deleted(path: str, *lines: str) -> str:
    gone = "".join(f"-{line}\n" for line in lines)
    return (
        f"diff --git a/{path} b/{path}\ndeleted file mode 100644\n--- a/{path}\n+++ /dev/null\n@@ -1,{len(lines)} +0,0 @@\n{gone}"
    )


@pytest.fixture
def applied(tree: Tree, tmp_path: Path) -> tuple[Tree, Path]:
    folder = tmp_path / "mine"
    folder.mkdir()
    return tree, folder


def of(applied: tuple[Tree, Path], *series: str) -> tuple[SourceLine, ...]:
    """Return the changed lines of patches called a.patch, b.patch and so on."""
    tree, folder = applied
    for name, text in zip("abcdef", series, strict=False):
        (folder / f"{name}.patch").write_text(text)
    return changed_lines.of_series(tree.commit, patches.apply(tree, Variant("mine", folder)))


def test_stock_changes_nothing(tree: Tree) -> None:
    assert changed_lines.of_series(tree.commit, Patched(tree.commit, tree.tree, (), ())) == ()


def test_a_line_belongs_to_the_patch_that_wrote_it_last(applied: tuple[Tree, Path]) -> None:
    first = modified(hunk(10, "first", "second"), hunk(20, "third"))
    second = modified("@@ -9,4 +9,4 @@\n line 9\n first\n-second\n+changed again\n line 11\n")
    assert of(applied, first, second) == (
        SourceLine("mm/vmalloc.c", 10, "first", "a.patch"),
        SourceLine("mm/vmalloc.c", 11, "changed again", "b.patch"),
        SourceLine("mm/vmalloc.c", 21, "third", "a.patch"),
    )


def test_numbers_are_those_after_all_patches(applied: tuple[Tree, Path]) -> None:
    later = modified("@@ -1,2 +1,4 @@\n line 1\n+x\n+y\n line 2\n")
    found = of(applied, modified(hunk(50, "fifty")), later)
    assert [(line.line, line.text, line.patch) for line in found] == [
        (2, "x", "b.patch"),
        (3, "y", "b.patch"),
        (52, "fifty", "a.patch"),
    ]


def test_new_files_and_headers_count_and_texts_do_not(applied: tuple[Tree, Path]) -> None:
    found = of(
        applied,
        created("include/linux/new.h", "", "int new(void);")
        + created("mm/new.c", "code")
        + created("Documentation/x.rst", "words"),
    )
    assert [(line.file, line.line, line.text) for line in found] == [
        ("include/linux/new.h", 2, "int new(void);"),
        ("mm/new.c", 1, "code"),
    ]


def test_a_file_that_is_deleted_again_has_no_lines(applied: tuple[Tree, Path]) -> None:
    assert of(applied, created("mm/new.c", "code", "more"), deleted("mm/new.c", "code", "more")) == ()


def test_a_line_that_is_restored_is_stocks(applied: tuple[Tree, Path]) -> None:
    assert of(applied, modified(hunk(10, "other")), modified(hunk(10, "line 10", old="other"))) in (
        (),
        (SourceLine("mm/vmalloc.c", 10, "line 10", "b.patch"),),
    )


def test_of_a_renamed_file_only_the_changed_lines_count(applied: tuple[Tree, Path]) -> None:
    head = "diff --git a/mm/vmalloc.c b/mm/areas.c\nsimilarity index 98%\nrename from mm/vmalloc.c\nrename to mm/areas.c\n"
    found = of(applied, f"{head}--- a/mm/vmalloc.c\n+++ b/mm/areas.c\n{hunk(10, 'moved')}")
    assert found == (SourceLine("mm/areas.c", 10, "moved", "a.patch"),)


@pytest.mark.parametrize("text", ["form\ffeed", "boundary", "summary of it", f"{'a' * 40} 1 2", "\u2028after", "tab\tin it"])
def test_no_text_of_a_line_confuses_the_numbers(applied: tuple[Tree, Path], text: str) -> None:
    found = of(applied, modified(hunk(10, text, "next"), hunk(20, "last")))
    assert [(line.line, line.text) for line in found] == [(10, text), (11, "next"), (21, "last")]


def test_a_kernel_has_code_of_some_lines(tmp_path: Path) -> None:
    made = code.compiled(tmp_path)
    body = code.KERNEL.split("\n")
    lines = tuple(SourceLine("mm/kernel.c", number, text, "a.patch") for number, text in enumerate(body, 1))
    kernel = Kernel(
        tmp_path, tmp_path / "image", tmp_path / "config", made.module, "1", "4.18.0", make.BUILD_ID, make.MODULE_BUILD_ID
    )
    cell = Cell(load_machine("x86_64"), Variant("mine", tmp_path), "perf")
    found = changed_lines.in_kernel(lines, cell, kernel)
    assert (found.machine, found.variant, found.profile) == ("x86_64", "mine", "perf")
    texts = {line.text.strip(): line for line in found.lines}
    assert "sink = value; /* in leaf */" in texts
    assert "volatile int sink;" not in texts
    assert made.address("leaf") in texts["sink = value; /* in leaf */"].addresses
    assert all(list(line.addresses) == sorted(set(line.addresses)) for line in found.lines)
    assert changed_lines.in_kernel((), cell, kernel).lines == ()
