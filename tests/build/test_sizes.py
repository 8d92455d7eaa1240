# SPDX-License-Identifier: GPL-2.0-only
"""Sizes of two kernels: what grew by how many bytes, and the structures that a series touches."""

from __future__ import annotations

import subprocess
from pathlib import Path

import msgspec
import pytest

from harness.build import git, sizes
from harness.build.kernel_tree import Tree
from harness.errors import UsageError
from harness.model.changes import KernelContents, Symbol
from harness.model.series_check import State

STOCK = (
    "struct area {\n\tlong start;\n\tlong end;\n};\n\nunion both {\n\tint a;\n};\n\nstruct other;\nint f(void)\n{\n\treturn 1;\n}\n"
)


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    made = tmp_path / "before", tmp_path / "after"
    for folder in made:
        folder.mkdir()
    return made


def put(folder: Path, *functions: tuple[str, int]) -> None:
    symbols = tuple(Symbol(name, "mm/vmalloc.c", size, str(size)) for name, size in functions)
    data = (Symbol("table", "", 1000, "0"),)
    (folder / "functions.json").write_bytes(msgspec.json.encode(KernelContents("", symbols, data)))


def test_what_grew_is_told_with_the_largest_first(folders: tuple[Path, Path]) -> None:
    put(folders[0], ("a", 100), ("b", 200), ("c", 300), ("gone", 50))
    put(folders[1], ("a", 104), ("b", 160), ("c", 300), ("new", 90))
    check = sizes.vmlinux(*folders)
    assert check.state is State.TOLD
    assert check.summary == "+4 bytes (up 94, down 90), from 1,650 (+0.24%)"
    assert check.details == ("new: 0 to 90 (+90)", "gone: 50 to 0 (-50)", "b: 200 to 160 (-40)", "a: 100 to 104 (+4)")


def test_a_long_list_is_cut_with_a_word(folders: tuple[Path, Path]) -> None:
    put(folders[0])
    put(folders[1], *((f"f{number}", number) for number in range(1, 12)))
    details = sizes.vmlinux(*folders).details
    assert (len(details), details[0], details[-1]) == (9, "f11: 0 to 11 (+11)", "and 3 more")


def test_a_kernel_without_its_list_is_an_error(folders: tuple[Path, Path]) -> None:
    put(folders[0])
    with pytest.raises(UsageError, match=r"functions.json cannot be read"):
        sizes.vmlinux(*folders)


def compile_(text: str, folder: Path) -> None:
    uses = "struct area x; union both y;\n"
    (folder / "a.c").write_text(text + uses)
    subprocess.run(("gcc", "-g", "-c", "-o", folder / "vmlinux", folder / "a.c"), check=True)


def commit(tree: Tree, text: str) -> str:
    return git.with_files(tree.commit, {"mm/vmalloc.c": text}, "changed")


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("\tlong end;\n", "\tlong end;\n\tchar flag;\n", ("struct area: 16 to 24 bytes (+8)",)),
        ("\tlong start;\n", "", ("struct area: 16 to 8 bytes (-8)",)),
        ("\tint a;\n", "\tunsigned a;\n", ("union both: 4 to 4 bytes (+0)",)),
        ("int f", "struct late {\n\tint a;\n} z;\nint f", ("struct late: 4 bytes, new",)),
        (
            "struct other;",
            "struct other {\n\tlong flag;\n};\nstruct late {\n\tint a;\n} z;",
            ("struct other: not checked, this kernel's debug information lacks it", "struct late: 4 bytes, new"),
        ),
    ],
)
def test_the_structures_that_a_series_touches(
    tree: Tree, folders: tuple[Path, Path], old: str, new: str, told: tuple[str, ...]
) -> None:
    for folder, text in zip(folders, (STOCK, STOCK.replace(old, new)), strict=True):
        compile_(text, folder)
    commits = commit(tree, STOCK), commit(tree, STOCK.replace(old, new))
    check = sizes.structures(*commits, ["mm/vmalloc.c", "Documentation/vm.txt"], *folders)
    assert (check.state, check.details) == (State.TOLD, told)
    assert check.summary.startswith(f"{0 if '+0' in told[0] else 1} of {len(told)} that the series touches")


def test_a_series_that_touches_no_structure(tree: Tree, folders: tuple[Path, Path]) -> None:
    commits = commit(tree, STOCK), commit(tree, STOCK.replace("return 1", "return 2"))
    assert sizes.structures(*commits, ["mm/vmalloc.c"], *folders).summary == "the series touches none"


def test_without_a_kernel_to_ask_structures_are_not_checked(tree: Tree, folders: tuple[Path, Path]) -> None:
    commits = commit(tree, STOCK), commit(tree, STOCK.replace("long end", "int end"))
    check = sizes.structures(*commits, ["mm/vmalloc.c"], *folders)
    assert (check.state, check.summary) == (State.NOT_CHECKED, "the kernel's debug information lacks struct area")
