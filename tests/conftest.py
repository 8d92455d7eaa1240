# SPDX-License-Identifier: GPL-2.0-only
"""Fixtures of the rig's own tests: a cache of their own, and a kernel's source that fits on a screen."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from xdist.scheduler import LoadScopeScheduling

from harness import paths
from harness.build import source
from harness.build.kernel_tree import Tree
from harness.model.matrix import Base, Source

LINES = 100
"""of mm/vmalloc.c in the tiny source; each is its own number"""
_LEFT_BY_OTHERS = ("RIG_SOURCE", "MAKEFLAGS", "MAKELEVEL", "MFLAGS")

GROUPS = {
    "one run": ("tests/end_to_end/test_one_run.py",),
    "the tree of stock": (
        "tests/end_to_end/test_chaos.py",
        "tests/end_to_end/test_identity.py",
        "tests/project/test_kernel_style.py",
        "tests/project/test_provoke.py",
    ),
}
"""test files of which one process does all tests, one after the other: they ask the same run, or use the same work tree"""

# Found by seeds that do not change and without a time limit, so that a busy host fails nothing.
settings.register_profile("rig", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("rig")


class Together(LoadScopeScheduling):  # type: ignore[misc] # xdist has no types
    """Deals the tests of a group to one process; the mark for that, xdist_group, has no effect in xdist 3.8 with pytest 9.2."""

    def _split_scope(self, nodeid: str) -> str:
        return _group(nodeid) or nodeid


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Together | None:
    """Deal tests in groups where that is asked for."""
    return Together(config, log) if config.getvalue("dist") == "loadgroup" else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the groups: they take longest."""
    items.sort(key=lambda item: not _group(item.nodeid))


def _group(nodeid: str) -> str:
    file = nodeid.partition("::")[0]
    return next((group for group, files in GROUPS.items() if file in files), "")


@pytest.fixture(autouse=True)
def cache(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The rig's cache, empty and for one test alone; tests that build kernels share the user's."""
    if request.node.get_closest_marker("kernel"):
        return paths.cache()
    folder = tmp_path_factory.mktemp("c") / "cache"  # a short path, since the rig takes no long one
    monkeypatch.setenv("RIG_CACHE", str(folder))
    for name in [*_LEFT_BY_OTHERS, *(name for name in os.environ if name.startswith("GIT_"))]:
        monkeypatch.delenv(name, raising=False)
    return folder


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of results, empty and for one test alone."""
    monkeypatch.setattr(paths, "RESULTS", tmp_path / "results")
    return paths.RESULTS


@pytest.fixture
def kernel_source(tmp_path: Path) -> Path:
    """A folder that says it is Linux 4.18, with one file to patch."""
    folder = tmp_path / "linux-4.18"
    (folder / "mm").mkdir(parents=True)
    (folder / "Makefile").write_text("# a comment\nVERSION = 4\nPATCHLEVEL = 18\nSUBLEVEL = 0\nEXTRAVERSION =\n")
    (folder / "mm/vmalloc.c").write_text("".join(f"line {number}\n" for number in range(1, LINES + 1)))
    return folder


@pytest.fixture(scope="session")
def base() -> Base:
    """A kernel base whose source cannot be downloaded."""
    return Base(release="4.18", source=Source(url="ftp://kernel.invalid/linux-4.18.tar.xz", sha256="0" * 64), name="4.18")


@pytest.fixture
def said() -> list[str]:
    """What a stage said of its progress; `append` is what it is given to say it with."""
    return []


@pytest.fixture
def tree(base: Base, kernel_source: Path, said: list[str]) -> Tree:
    """The tiny source in the rig's repository."""
    return source.resolve(base, str(kernel_source), said.append)
