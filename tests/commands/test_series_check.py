# SPDX-License-Identifier: GPL-2.0-only
"""A series is checked as it is named, with the kernels that the cache has."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from harness.build import kbuild, patches, source, static_checks
from harness.build.kbuild import KernelBuild
from harness.commands import series_check
from harness.errors import UsageError
from harness.host import files
from harness.model.changes import KernelContents, Symbol
from harness.model.matrix import STOCK, Cell, Variant, load_base, load_machine
from harness.model.series_check import Check, Checked, State
from tests.support.series import diff, message

NEW = Check("gcc W=1", State.FOUND, "1 new warnings")


@pytest.fixture
def mine(tmp_path: Path, kernel_source: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A series of one mail for the tiny source, in which nothing is compiled."""
    monkeypatch.setenv("RIG_SOURCE", str(kernel_source))

    def checks(before: KernelBuild, after: KernelBuild, changed: list[str]) -> list[Check]:
        assert (before.patched.patches, after.patched.patches) == ((), ("a",))
        assert (before.tree, before.folder) == (after.tree, after.folder)
        assert before.tree.name not in (STOCK, "mine"), "the trees of kernels stay as they were built"
        assert changed == ["mm/vmalloc.c"]
        return [NEW]

    monkeypatch.setattr(static_checks, "checks", checks)
    (tmp_path / "mine.mbox").write_text(message("[PATCH] a", diff(10)))
    return tmp_path / "mine.mbox"


def states(checked: Checked) -> dict[str, State]:
    return {check.name: check.state for check in checked.checks}


def test_without_kernels_sizes_are_not_checked(mine: Path) -> None:
    checked = series_check.check("", str(mine), "x86_64", "")
    assert (checked.series, checked.base, checked.patches) == ("mine", "4.18", 1)
    assert states(checked) == {
        "checkpatch --strict": State.NOT_CHECKED,
        "git am": State.GOOD,
        "gcc W=1": State.FOUND,
        "size of vmlinux": State.NOT_CHECKED,
        "structures": State.NOT_CHECKED,
    }
    assert checked.checks[-1].summary == (
        f"the cache has no kernel of stock and mine; `invoke build --machine x86_64 --series {mine}` makes it"
    )


def test_kernels_of_the_cache_are_compared(mine: Path) -> None:
    base = load_base("4.18")
    tree = source.resolve(base, str(mine.with_name("linux-4.18")), print)
    for variant, size in ((Variant(STOCK), 10), (Variant("mine", mine), 30)):
        cell = Cell(load_machine("x86_64"), variant, "perf")
        folder = kbuild.cached(base, cell, patches.apply(tree, variant).tree, kbuild.configuration(base, cell))
        folder.mkdir(parents=True)
        function = Symbol("f", "mm/vmalloc.c", size, str(size))
        (folder / "functions.json").write_bytes(msgspec.json.encode(KernelContents("", (function,), ())))
        files.seal(folder)
    told = series_check.check("", str(mine), "x86_64", "").checks[3]
    assert (told.state, told.summary) == (State.TOLD, "+20 bytes (up 20, down 0), from 10 (+200.00%)")


@pytest.mark.parametrize(
    ("name", "path", "said"),
    [
        ("", "", "Name the series to check"),
        ("fixes", "x", "one of both"),
        ("stock", "", "'stock' has no patches to check"),
        ("gap-tre", "", "There is no variant 'gap-tre' for Linux 4.18; did you mean"),
        ("", "/nowhere", "There is no series at /nowhere"),
    ],
)
def test_a_series_that_cannot_be_checked(name: str, path: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        series_check.check(name, path, "x86_64", "")
    assert said in str(caught.value)
