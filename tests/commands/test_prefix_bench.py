# SPDX-License-Identifier: GPL-2.0-only
"""The prefixes of a series: their names, and how plans of single kernels become one."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from harness.build import kbuild
from harness.commands import prefix_bench
from harness.errors import UsageError
from harness.model.matrix import Base, load_machine
from harness.model.selection import Selection
from tests.support import make
from tests.support.patches import series_of


@pytest.fixture
def mine(tmp_path: Path) -> Selection:
    return Selection(series=str(series_of(tmp_path / "mine", 3)))


def names(wanted: Selection, name: str = "") -> list[str]:
    return [variant.name for variant in prefix_bench.find(wanted, name, "bisect").variants]


def test_prefixes_begin_with_stock_and_end_with_the_whole(mine: Selection) -> None:
    assert names(mine) == ["stock", "mine@1", "mine@2", "mine"]
    assert names(mine, "mine") == names(mine)


def test_a_part_of_a_series_ends_with_that_part(mine: Selection) -> None:
    assert names(mine, "mine@2") == ["stock", "mine@1", "mine@2"]
    assert names(mine, "mine@1") == ["stock", "mine@1"]
    assert len(prefix_bench.find(mine, "mine@2", "bisect").patches) == 2


@pytest.mark.parametrize("name", ["", "mine", "mine@2"])
def test_prefixes_are_built_in_one_work_tree(mine: Selection, base: Base, name: str) -> None:
    stock, *prefixes = prefix_bench.find(mine, name, "bisect").variants
    trees = {kbuild.tree_of(base, variant).name for variant in prefixes}
    assert trees == {"mine"}
    assert kbuild.tree_of(base, stock).name == "stock"


def test_a_series_of_the_project_and_the_default_one(base: Base) -> None:
    assert names(Selection(), "fixes")[-1] == "fixes"
    assert names(Selection())[-1] == "gap-tree"


def test_two_series_are_one_too_many(mine: Selection) -> None:
    with pytest.raises(UsageError, match=r"'fixes' and --series .* are two series; `invoke bisect` takes one of them"):
        prefix_bench.find(mine, "fixes", "bisect")


def test_a_path_with_a_tilde_or_a_link_is_the_same_series(mine: Selection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert names(Selection(series="~/mine"), "mine")[-1] == "mine"


def test_plans_of_single_kernels_become_one(base: Base) -> None:
    plans = [make.plan(base, load_machine(name), notes=("both", name)) for name in ("x86_64", "aarch64")]
    one = prefix_bench.together(plans)
    assert [built.cell.machine.name for built in one.cells] == ["x86_64", "aarch64"]
    assert one.notes == ("both", "x86_64", "aarch64")
    assert msgspec.structs.replace(one, cells=plans[0].cells, notes=plans[0].notes) == plans[0]
