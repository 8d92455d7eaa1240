# SPDX-License-Identifier: GPL-2.0-only
"""The mutants of each series of the project, tried on the source that they change."""

from __future__ import annotations

import functools
import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from harness import paths
from harness.build import git, kernel_tree, patches, source
from harness.commands import mutants
from harness.model import matrix
from harness.model import mutants as mutations
from harness.model.matrix import Base
from tests.support import linux

_IMPORTED = paths.cache() / "linux.git"
"""the user's repository with the sources that were built before"""
BASE = matrix.load_base("4.18")
SERIES = sorted(place.parent for place in paths.SERIES.glob("*/*/mutants.toml"))


@pytest.fixture(params=SERIES, ids=lambda folder: f"{folder.parent.name} {folder.name}")
def series(request: pytest.FixtureRequest) -> tuple[Base, str]:
    """Each series that has mutants, with its base."""
    return matrix.load_base(request.param.parent.name), request.param.name


def read_source(base: Base) -> Callable[[str], bytes]:
    """Return a function that reads a file of the source of `base`, if this machine has that."""
    if base.name == BASE.name and linux.there():
        return lambda name: (linux.FOLDER / name).read_bytes()

    def read(commit: str, name: str) -> bytes:
        return subprocess.check_output(("git", "--git-dir", _IMPORTED, "show", f"{commit}:{name}"))

    found: dict[int, str] = {}
    if _IMPORTED.is_dir():
        listing = ("git", "--git-dir", _IMPORTED, "for-each-ref", "--format=%(objectname)", "refs/rig/sources")
        for commit in subprocess.check_output(listing, text=True).split():
            version = kernel_tree.version(read(commit, "Makefile").decode())
            if version.startswith(f"{base.name}."):
                found[int(version.split(".")[2].partition("-")[0])] = commit
    if found:
        return functools.partial(read, found[max(found)])
    pytest.skip(f"NOT TESTED: there is no source of Linux {base.name} on this machine")


@pytest.fixture
def patched(series: tuple[Base, str], tmp_path: Path, said: list[str]) -> Callable[[str], str]:
    """Reads a file of a series that the project's mutants are made of, of no more source than that takes."""
    base, name = series
    read = read_source(base)
    told = mutants.load(base, name)
    variant = matrix.find_variant(base, name)
    names = {edit.file for mutant in told.mutants for edit in mutant.edits} | {"Makefile"}
    names |= {name for patch in patches.read(variant) for name in re.findall(r"^--- a/(\S+)", patch.data.decode(), re.M)}
    folder = tmp_path / "linux"
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(read(name))
    commit = patches.apply(source.resolve(base, str(folder), said.append), variant).commit
    return functools.cache(lambda name: (git.blob(commit, name) or b"").decode() + "\n")


def test_every_mutant_applies_and_is_like_no_other(series: tuple[Base, str], patched: Callable[[str], str]) -> None:
    told = mutants.load(*series)
    made = {mutant.name: mutations.mutate(mutant, patched) for mutant in told.mutants}
    assert len(made) >= {"4.18": 80}.get(series[0].name, 30)
    for name, changed in made.items():
        assert all(text != patched(file) for file, text in changed.items()), name
    assert len({json.dumps(changed) for changed in made.values()}) == len(made)


def test_the_default_series_has_mutants() -> None:
    assert BASE.folder / BASE.default_series in SERIES


def test_every_weakness_has_a_mutant_or_a_reason() -> None:
    told = mutants.load(BASE, "free-list")
    imitated = {mutant.weakness for mutant in told.mutants}
    assert [weakness.number for weakness in told.weaknesses] == list(range(1, 10))
    assert not [weakness for weakness in told.weaknesses if weakness.number not in imitated and not weakness.instead]
