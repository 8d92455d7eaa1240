# SPDX-License-Identifier: GPL-2.0-only
"""The test module's layers: its files include and call only what lies in their own folder or further down."""

from __future__ import annotations

import functools
import re
from collections import Counter
from pathlib import PurePosixPath

import pytest

from harness import paths
from harness.build.modules import module_sources

RANKS = {"lib": 0, "checks": 1, "core": 2, "stress": 3, "perf": 3, "sweep": 3, ".": 4}
"""of the folders; those of one rank know nothing of each other, and main.c and tests.c, in none, are on top"""
SHARED = ("vmalloc_test.h", "test_list.h")
"""types and names that all may know; they include lib/ alone"""
_NOT_CODE = re.compile(r"/\*.*?\*/|//[^\n]*|\"(?:\\.|[^\"\\])*\"", re.DOTALL)
_FUNCTION = re.compile(r"^(?!static\b|struct \w+ \{)[a-z][\w ]*[ *]+(\w+)\([^;{}]*\)\n\{", re.MULTILINE)
_INCLUDE = re.compile(r'^#include "([^"]+)"', re.MULTILINE)


def files() -> list[str]:
    return [name for name in module_sources(paths.TEST_MODULE) if name.endswith((".c", ".h"))]


@functools.cache
def text(name: str) -> str:
    return (paths.TEST_MODULE / name).read_text()


def folder(name: str) -> str:
    return str(PurePosixPath(name).parent)


def may_know(user: str, used: str) -> bool:
    """Tell whether a file in the folder `user` may know what is in the folder `used`."""
    return used == user or RANKS[used] < RANKS[user]


@functools.cache
def code(name: str) -> str:
    """Return the text of a file without its comments and strings."""
    return _NOT_CODE.sub("", text(name))


@functools.cache
def functions() -> dict[str, str]:
    """Return the files of all functions that other files can call, by name."""
    return {function: name for name in files() if name.endswith(".c") for function in _FUNCTION.findall(code(name))}


def calls(name: str) -> set[str]:
    """Return the functions of other files whose names the code of a file has, be it to call them or to hand them on."""
    words = set(re.findall(r"\w+", code(name)))
    return {function for function, file in functions().items() if function in words and file != name}


def circles(arrows: dict[str, set[str]]) -> dict[str, set[str]]:
    """Return what is left of `arrows` when all that leads to no circle is taken away."""
    while free := {name for name, to in arrows.items() if not to & arrows.keys()}:
        arrows = {name: to for name, to in arrows.items() if name not in free}
    return arrows


def test_every_folder_has_a_rank() -> None:
    assert {folder(name) for name in files()} == set(RANKS)


def test_the_functions_are_found() -> None:
    assert functions()["vmt_settle"] == "lib/settle.c"
    assert functions()["vmt_busy_list"] == "lib/symbols.c"
    assert functions()["le_fit_alloc_test"] == "perf/perf.c"
    assert "vmt_settle" in calls("core/passes.c") | calls("core/runner.c") | calls("checks/holes.c")


@pytest.mark.parametrize("name", files())
def test_includes_point_down(name: str) -> None:
    included = _INCLUDE.findall(text(name))
    if name in SHARED:
        assert {folder(other) for other in included if other not in SHARED} <= {"lib"}
    else:
        assert [other for other in included if other not in SHARED and not may_know(folder(name), folder(other))] == []
    assert [other for other in included if not (paths.TEST_MODULE / other).exists()] == [], "by their path in test_module/"


@pytest.mark.parametrize("name", [name for name in files() if name.endswith(".c")])
def test_calls_point_down(name: str) -> None:
    assert {f: functions()[f] for f in calls(name) if not may_know(folder(name), folder(functions()[f]))} == {}


def test_no_circle_of_includes() -> None:
    assert circles({name: set(_INCLUDE.findall(text(name))) for name in files()}) == {}


def test_no_circle_of_calls() -> None:
    assert circles({name: {functions()[f] for f in calls(name)} for name in files() if name.endswith(".c")}) == {}


def test_each_function_has_one_file_and_somebody_who_needs_it() -> None:
    defined = Counter(f for name in files() if name.endswith(".c") for f in _FUNCTION.findall(code(name)))
    assert [function for function, times in defined.items() if times > 1] == []
    used = {function for name in files() for function in calls(name)}
    assert sorted(functions().keys() - used) == [], "static, or gone"
