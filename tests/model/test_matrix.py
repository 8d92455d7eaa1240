# SPDX-License-Identifier: GPL-2.0-only
"""Names of machines, bases, variants and profiles, and the cells that they make."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness import paths
from harness.errors import UsageError
from harness.model import matrix
from harness.model.matrix import Base, Variant, cells, find_variant, load_base, load_machine, prefixes, series_name, variant_order


@pytest.fixture
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Base:
    """The base 4.18 with the series free-list and lazy, whatever the project itself has."""
    monkeypatch.setattr(paths, "SERIES", tmp_path / "kernel_patches")
    for name in ("free-list", "lazy"):
        (tmp_path / "kernel_patches/4.18" / name).mkdir(parents=True)
        (tmp_path / "kernel_patches/4.18" / name / "series").write_text("a.patch\n")
    (tmp_path / "kernel_patches/4.18/base.toml").write_text('release = "4.18"\n[source]\nurl = "ftp://kernel.invalid/l.tar.xz"\n')
    return load_base("4.18")


def test_an_unknown_machine_gets_a_hint() -> None:
    with pytest.raises(UsageError, match=r"no machine 'x86-64' in qemu_configs/; did you mean 'x86_64'\?"):
        load_machine("x86-64")
    with pytest.raises(UsageError, match=r"no machine 'vax' in qemu_configs/; known are .*aarch64.*x86_64"):
        load_machine("vax")


@pytest.mark.parametrize("name", ["", "../x86_64", "kconfig/common", "x86_64.toml"])
def test_a_machine_is_a_name_and_not_a_path(name: str) -> None:
    with pytest.raises(UsageError, match="There is no machine"):
        load_machine(name)


@pytest.mark.parametrize(
    ("name", "old", "new", "message"),
    [
        ("board-debug", "", "", "must not end like a profile"),
        ("board-6.12", "", "", "must not end like a profile or a kernel base"),
        ("board", "cpus = 4", "cpus = 0", "`int` >= 1"),
        ("board", "memory = 1024", "memory = -1", "`int` >= 1"),
        ("board", "cpus = 4", "cpu_count = 4", "cpu_count"),
    ],
)
def test_a_machine_that_makes_no_sense_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, old: str, new: str, message: str
) -> None:
    (tmp_path / f"{name}.toml").write_text((paths.MACHINES / "x86_64.toml").read_text().replace(old, new))
    monkeypatch.setattr(paths, "MACHINES", tmp_path)
    with pytest.raises(UsageError, match=rf"{name}\.toml.*{message}"):
        load_machine(name)


def test_a_machine_may_be_none_of_those_that_are_used_when_none_is_named() -> None:
    assert set(matrix.machine_names()) - set(matrix.default_machines()) == {"arm32"}


def test_the_own_machine_is_the_one_that_is_like_the_host() -> None:
    assert matrix.own_machine("aarch64") == "aarch64"
    assert matrix.own_machine("x86_64") == "x86_64"
    assert matrix.own_machine("riscv64") == matrix.machine_names()[0]


def test_an_unknown_base_gets_a_hint(shipped: Base) -> None:
    with pytest.raises(UsageError, match=r"no kernel '4\.8' in kernel_patches/; did you mean '4\.18'\?"):
        load_base("4.8")


def test_variants_are_stock_a_series_or_the_first_of_one(shipped: Base) -> None:
    assert find_variant(shipped, "stock") == Variant("stock")
    assert find_variant(shipped, "free-list") == Variant("free-list", shipped.folder / "free-list")
    assert find_variant(shipped, "free-list@2") == Variant("free-list@2", shipped.folder / "free-list", 2, tree="free-list")


def test_an_unknown_variant_gets_a_hint(shipped: Base) -> None:
    with pytest.raises(UsageError, match=r"no variant 'freelist' for Linux 4\.18; did you mean 'free-list'\?"):
        find_variant(shipped, "freelist")
    with pytest.raises(UsageError, match="known are free-list, lazy, stock"):
        find_variant(shipped, "zzzzzz@1")


@pytest.mark.parametrize("wanted", ["free-list@", "free-list@0", "free-list@-1", "free-list@x", "free-list@1@2", "free-list@1.5"])
def test_a_count_is_a_number_from_one(shipped: Base, wanted: str) -> None:
    with pytest.raises(UsageError, match="number of patches") as caught:
        find_variant(shipped, wanted)
    assert f"'{wanted}'" in str(caught.value)


def test_stock_has_no_patches_to_count(shipped: Base) -> None:
    with pytest.raises(UsageError, match="stock@1") as caught:
        find_variant(shipped, "stock@1")
    assert "no variant 'stock'" not in str(caught.value), "there is one"


def test_a_series_from_outside_is_known_by_its_name(shipped: Base, tmp_path: Path) -> None:
    series = tmp_path / "my work (v2)"
    series.mkdir()
    assert series_name(series) == "my-work-v2"
    assert find_variant(shipped, "my-work-v2@3", series) == Variant("my-work-v2@3", series, 3, tree="my-work-v2")
    with pytest.raises(UsageError, match=r"did you mean 'my-work-v2'\?"):
        find_variant(shipped, "my-work", series)


def test_a_series_from_outside_comes_before_the_projects_own(shipped: Base, tmp_path: Path) -> None:
    series = tmp_path / "free-list"
    series.mkdir()
    assert find_variant(shipped, "free-list", series).series == series


@pytest.mark.parametrize(("file", "name"), [("v3.mbox", "v3"), ("0001-mm-fix.patch", "0001-mm-fix"), ("-odd@2-.patch", "odd-2")])
def test_a_file_of_patches_is_known_by_its_stem(tmp_path: Path, file: str, name: str) -> None:
    (tmp_path / file).write_text("")
    assert series_name(tmp_path / file) == name


def test_a_missing_series_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no series at .*nowhere; --series"):
        series_name(tmp_path / "nowhere")


@pytest.mark.parametrize("name", ["stock", "---"])
def test_a_series_may_not_be_mistaken_for_stock(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    with pytest.raises(UsageError, match=r"cannot be called .*; rename"):
        series_name(tmp_path / name)


def test_cells_are_every_combination_with_stock_first() -> None:
    machines = [load_machine(name) for name in matrix.machine_names()]
    variants = [Variant("mine", Path("/mine")), Variant("stock"), Variant("mine@1", Path("/mine"), 1)]
    made = cells(machines, variants, ["perf"])
    assert len(made) == len(machines) * 3
    assert len({cell.name for cell in made}) == len(made)
    assert [cell.variant.name for cell in made[: len(machines)]] == ["stock"] * len(machines)
    assert made[0].name == f"{machines[0].name}/stock/perf"


def test_variants_stand_in_the_order_of_their_patches() -> None:
    names = ["b", "a", "a@10", "zero@1", "stock", "a@9", "a@1", "b@2"]
    assert sorted(names, key=variant_order) == ["stock", "a@1", "a@9", "a@10", "a", "b@2", "b", "zero@1"]


def test_cells_keep_the_order_that_was_asked_for_after_stock() -> None:
    wanted = ("b", "a", "stock", "a@9")
    machines = [load_machine(name) for name in ("x86_64", "aarch64")]
    made = cells(machines, [Variant(name, Path("/a")) for name in wanted], ["perf"])
    assert [cell.variant.name for cell in made if cell.machine is machines[0]] == ["stock", "b", "a", "a@9"]
    assert [cell.machine.name for cell in made[:2]] == ["x86_64", "aarch64"]


def test_every_prefix_of_a_series_ends_with_the_whole() -> None:
    assert prefixes("mine", 3) == ["mine@1", "mine@2", "mine"]
    assert prefixes("mine", 1) == ["mine"]


def test_an_unknown_profile_gets_a_hint() -> None:
    with pytest.raises(UsageError, match=r"no profile 'pref' in qemu_configs/kconfig; did you mean 'perf'\?"):
        cells([load_machine("x86_64")], [Variant("stock")], ["pref"])


def test_parameters_for_a_profile_that_is_not_there_are_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = (paths.MACHINES / "aarch64.toml").read_text().replace('profile = "debug"', 'profile = "debgu"')
    (tmp_path / "mine.toml").write_text(file)
    monkeypatch.setattr(paths, "MACHINES", tmp_path)
    with pytest.raises(UsageError, match=r"qemu_configs/mine.toml: there is no profile 'debgu'; .*debug"):
        load_machine("mine")
