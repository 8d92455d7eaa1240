# SPDX-License-Identifier: GPL-2.0-only
"""Sources of the user's of any release: the base whose settings they have, and what is said of it."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest

from harness.build import cells, git, kbuild, source
from harness.errors import UsageError
from harness.model.matrix import Cell, Variant, load_machine
from harness.model.selection import Selection
from tests.support.git import run_git


def make(folder: Path, release: str) -> Path:
    """Write a source of a release into a folder."""
    version, patchlevel = release.split(".")
    (folder / "mm").mkdir(parents=True)
    (folder / "Makefile").write_text(f"VERSION = {version}\nPATCHLEVEL = {patchlevel}\nSUBLEVEL = 7\n")
    (folder / "mm/vmalloc.c").write_text(release)
    return folder


def committed(folder: Path) -> Path:
    """Make a git checkout of a folder."""
    run_git(folder, "init", "--quiet", "--initial-branch=master")
    run_git(folder, "add", ".")
    run_git(folder, "commit", "--quiet", "-m", "A kernel")
    return folder


def packed(folder: Path) -> Path:
    """Make a tarball of a folder, in which another Makefile comes first."""
    (folder / "Documentation").mkdir()
    (folder / "Documentation/Makefile").write_text("VERSION = 2\nPATCHLEVEL = 6\n")
    file = folder.with_suffix(".tar.gz")
    with tarfile.open(file, "w:gz") as archive:
        archive.add(folder / "Documentation", "linux/Documentation")
        archive.add(folder / "Makefile", "linux/Makefile")
        archive.add(folder / "mm", "linux/mm")
    return file


@pytest.mark.parametrize(
    ("release", "like"), [("4.19", "4.18"), ("5.6", "4.18"), ("5.7", "6.1"), ("5.15", "6.1"), ("6.6", "6.1"), ("7.1", "6.12")]
)
def test_the_nearest_bases_settings_are_taken_and_told(tmp_path: Path, said: list[str], release: str, like: str) -> None:
    had = source.sources(Selection(source=str(make(tmp_path / "tree", release))), said.append)
    assert (had.base.name, had.base.like, had.tree.version) == (release, like, f"{release}.7")
    (note,) = had.notes
    assert note.startswith(f"Linux {release}.7 is no base of the rig's: it is built with the settings of {like}")
    assert said.count(note) == 1
    assert git.run("log", "--format=%s", "-1", had.tree.commit) == f"Linux {release}"


@pytest.mark.parametrize("release", ["4.18", "6.1", "6.12"])
def test_a_bases_own_release_needs_no_option_and_no_note(tmp_path: Path, said: list[str], release: str) -> None:
    had = source.sources(Selection(source=str(make(tmp_path / "tree", release))), said.append)
    assert (had.base.name, had.base.like, had.notes) == (release, "", ())


@pytest.mark.parametrize("form", ["folder", "checkout", "ref", "url", "tarball"])
def test_the_base_is_known_before_anything_is_imported(tmp_path: Path, cache: Path, form: str) -> None:
    tree = make(tmp_path / "tree", "5.15")
    if form == "tarball":
        named = str(packed(tree))
    else:
        committed(tree) if form != "folder" else tree
        named = {"ref": f"{tree}#master", "url": f"file://{tree}#master"}.get(form, str(tree))
    assert source.expected(Selection(source=named)).name == "5.15"
    assert not cache.exists()
    assert source.sources(Selection(source=named), print).base == source.expected(Selection(source=named))


def test_what_only_a_fetch_can_tell_is_taken_for_the_default() -> None:
    assert source.expected(Selection(source="https://kernel.invalid/linux.git#v5.15")).name == "4.18"
    assert source.expected(Selection(source="https://kernel.invalid/linux.git#v5.15", kernel="6.1")).name == "6.1"


def test_the_variable_means_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RIG_SOURCE", str(make(tmp_path / "tree", "5.15")))
    assert source.expected(Selection()).name == "5.15"
    assert source.sources(Selection(), print).base.name == "5.15"


def test_a_base_that_is_named_has_to_fit(tmp_path: Path, cache: Path) -> None:
    tree = make(tmp_path / "tree", "5.15")
    with pytest.raises(UsageError, match=r"tree is Linux 5\.15\.7, not 6\.1; name a source of 6\.1, or leave out --kernel"):
        source.sources(Selection(source=str(tree), kernel="6.1"), print)
    assert not cache.exists(), "it was imported before it was refused"


@pytest.mark.parametrize("form", ["folder", "checkout"])
def test_what_is_older_than_all_bases_is_refused(tmp_path: Path, cache: Path, form: str) -> None:
    tree = make(tmp_path / "tree", "4.14")
    wanted = Selection(source=str(committed(tree) if form == "checkout" else tree))
    for call in (lambda: source.sources(wanted, print), lambda: cells.check(wanted)):
        with pytest.raises(UsageError, match=r"tree is Linux 4\.14\.7, but the rig tests releases from 4\.18 on"):
            call()
    assert not cache.exists(), "it was imported before it was refused"


def test_stock_alone_is_tested_unless_a_series_is_named(tmp_path: Path) -> None:
    def names(**options: object) -> list[str]:
        wanted = Selection(source=str(tree), machine="x86_64", **options)  # type: ignore[arg-type]
        return [cell.variant.name for cell in cells.cells(wanted, source.expected(wanted))]

    tree = make(tmp_path / "tree", "4.19")
    assert names() == ["stock"]
    assert names(variant="stock,fixes") == ["stock", "fixes"]
    (tmp_path / "mine.patch").write_text("")
    assert names(series=str(tmp_path / "mine.patch")) == ["stock", "mine"]
    with pytest.raises(UsageError, match=r"--each-patch needs a series, and Linux 4\.19 has no default one"):
        names(each_patch=True)
    with pytest.raises(UsageError, match=r"no variant 'fixed' for Linux 4\.19; did you mean 'fixes'\?"):
        names(variant="fixed")


def test_kernels_of_other_releases_have_work_trees_of_their_own(tmp_path: Path) -> None:
    base = source.expected(Selection(source=str(make(tmp_path / "tree", "4.19"))))
    assert kbuild.tree_of(base, Variant("stock")).parts[-2:] == ("4.19", "stock")


def test_a_release_can_have_a_fragment_of_its_own(tmp_path: Path) -> None:
    cell = Cell(load_machine("x86_64"), Variant("stock"), "debug")
    names = {}
    for release in ("5.4", "5.5"):
        base = source.expected(Selection(source=str(make(tmp_path / release, release))))
        names[release] = [file.name for file in kbuild.fragments(base, cell)]
    assert names["5.4"] == [*names["5.5"], "kernel-5.4-debug.config"]
    assert "kernel-4.18-debug.config" in names["5.5"]
