# SPDX-License-Identifier: GPL-2.0-only
"""What the options name as variants: each patch of a series, by its prefixes."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.build import cells
from harness.errors import UsageError
from harness.model import matrix, selection
from harness.model.selection import Selection

DIFF = "--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n"


@pytest.fixture
def outside(tmp_path: Path) -> str:
    """A series of three patches that lies outside of the project."""
    folder = tmp_path / "my-series"
    folder.mkdir()
    for number in range(1, 4):
        (folder / f"000{number}-change.patch").write_text(DIFF)
    return str(folder)


def variants(**wanted: object) -> list[str]:
    """Return the names of the variants that options select on one machine."""
    made = cells.cells(Selection(machine="x86_64", **wanted), matrix.load_base("4.18"))  # type: ignore[arg-type]
    return [cell.variant.name for cell in made]


def test_each_patch_of_a_series_from_outside_is_a_variant(outside: str) -> None:
    each = ["stock", "my-series@1", "my-series@2", "my-series"]
    assert variants(series=outside, each_patch=True) == each
    assert variants(series=outside, variant="my-series@*") == each, "stock comes with it"
    assert variants(series=outside) == ["stock", "my-series"]


def test_each_patch_stands_beside_other_variants_once(outside: str) -> None:
    made = variants(series=outside, variant="my-series,my-series@*,stock,fixes")
    assert made == ["stock", "my-series", "my-series@1", "my-series@2", "fixes"]


def test_each_patch_of_the_default_series() -> None:
    made = variants(each_patch=True)
    assert made[:2] == ["stock", "gap-tree@1"]
    assert made[-1] == "gap-tree"


def test_a_single_patch_is_its_series(tmp_path: Path) -> None:
    (tmp_path / "fix.patch").write_text(DIFF)
    assert variants(series=str(tmp_path / "fix.patch"), each_patch=True) == ["stock", "fix"]


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ({"variant": "stock@*"}, r"'stock@\*': stock has no patches to take each of"),
        ({"variant": "free-list@2@*"}, r"'free-list@2@\*' takes each patch of a part of a series; name .* or all: free-list@\*\."),
        ({"variant": "free-lst@*"}, r"no variant 'free-lst' for Linux 4\.18; did you mean 'free-list'"),
        ({"variant": "free-list", "each_patch": True}, r"--each-patch and --variant exclude each other: `--variant NAME@\*`"),
    ],
)
def test_what_has_no_patches_to_take_each_of_is_refused(wanted: dict[str, object], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        cells.check(Selection(**wanted))  # type: ignore[arg-type]


def test_a_kernel_without_a_series_has_no_patch_to_take_each_of() -> None:
    with pytest.raises(UsageError, match=r"--each-patch .*Linux 6\.1 .*--series"):
        cells.cells(Selection(each_patch=True), matrix.load_base("6.1"))


@pytest.mark.parametrize(
    ("kernel", "names"),
    [("", [""]), ("6.1", ["6.1"]), ("4.18,6.1", ["4.18", "6.1"]), (" 6.1 ,, 4.18,6.1", ["6.1", "4.18"])],
)
def test_each_kernel_base_has_a_selection_of_its_own(kernel: str, names: list[str]) -> None:
    each = selection.each_kernel(Selection(kernel=kernel, machine="x86_64"))
    assert [one.kernel.strip() for one in each] == names
    assert {one.machine for one in each} == {"x86_64"}
