# SPDX-License-Identifier: GPL-2.0-only
"""The test module's list of tests: suite.toml and the module's README have the same ones."""

from __future__ import annotations

import re

from rich.console import Console

from harness import paths
from harness.model.catalog import choose, operations, suite
from harness.report.catalog import tables

LISTED: list[tuple[str, str]] = re.findall(
    r"^VMT_TEST\((\w+),\s*([\w\s|]+)\)", (paths.TEST_MODULE / "test_list.h").read_text(), re.MULTILINE
)
"""names and flags, in the order of the bits of mask="""
FLAGS_OF = {"performance": set(), "stress": {"VMT_STRESS"}, "sweep": {"VMT_SWEEP"}}
"""those that say of which kind a test is"""


def test_the_list_is_read_whole() -> None:
    assert len(LISTED) == (paths.TEST_MODULE / "test_list.h").read_text().count("\nVMT_TEST(") > 30
    assert LISTED[0][0] == "le_fit_alloc_test", "what is in use of mask= keeps its meaning"


def test_each_test_is_a_function_of_a_file_of_tests() -> None:
    folders = ("stress", "perf", "sweep")
    sources = [file.read_text() for folder in folders for file in (paths.TEST_MODULE / folder).glob("*.c")]
    functions = [name for source in sources for name in re.findall(r"^int (\w+)\(struct vmt_thread \*t\)", source, re.M)]
    assert sorted(functions) == sorted(name for name, _ in LISTED)


def test_the_suite_has_each_test_of_the_module_once() -> None:
    assert sorted(test.name for test in suite().tests) == sorted(name for name, _ in LISTED)


def test_the_suite_and_the_module_agree_on_kinds() -> None:
    flags = {name: set(re.findall(r"\w+", words)) & {"VMT_STRESS", "VMT_SWEEP"} for name, words in LISTED}
    assert {test.name: flags[test.name] for test in suite().tests} == {test.name: FLAGS_OF[test.kind] for test in suite().tests}


def test_the_readme_has_a_row_for_each_test() -> None:
    rows = re.findall(r"^\| (\d+) \| `(\w+)` \| (\w+) \| \S", (paths.TEST_MODULE / "README.md").read_text(), re.MULTILINE)
    kinds = {test.name: test.kind for test in suite().tests}
    assert rows == [(str(bit), name, kinds[name]) for bit, (name, _) in enumerate(LISTED)]
    assert list(operations()) == [name for name, _ in LISTED]


def test_the_tests_are_listed_with_their_operations() -> None:
    console = Console(width=100, color_system=None)
    with console.capture() as captured:
        console.print(tables(choose("performance,window_test")))
    assert re.search(r"^ *le_fit_alloc_test +performance +3 pages: allocate, touch one byte, free *$", captured.get(), re.M)
    assert re.search(r"^ *window_test +stress +an area in a window", captured.get(), re.M)
    assert "sweep" not in captured.get()
