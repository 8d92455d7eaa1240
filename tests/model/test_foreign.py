# SPDX-License-Identifier: GPL-2.0-only
"""The parameters of a foreign module, its names, and options that do not go with it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from harness.build import cells
from harness.errors import UsageError
from harness.model import foreign, selection
from harness.model.foreign import Foreign
from harness.model.selection import Selection


@pytest.fixture
def module(tmp_path: Path) -> str:
    (tmp_path / "one.c").write_text("")
    return str(tmp_path)


def test_parameters_are_quoted_as_in_a_shell() -> None:
    assert foreign.arguments("") == ()
    assert foreign.arguments(" nr_threads=1  verbose name='a b'") == ("nr_threads=1", "verbose", "name=a b")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("a='b", "a quotation mark or a backslash stands alone"),
        ("a\\", "stands alone"),
        ("=5", "'=5', which is no parameter of a module; write NAME=VALUE"),
        ("-f", "'-f', which is no parameter"),
        ("a='b\nc'", "which is no parameter"),
        ("''", "which is no parameter"),
    ],
)
def test_what_is_no_parameter(given: str, said: str) -> None:
    with pytest.raises(UsageError, match=re.escape(said)):
        foreign.arguments(given)


def test_names_tell_its_tests_from_the_rigs_own() -> None:
    mine = Foreign("mine", "0123456789abcdef", ("a=1",))
    assert mine.test("fix_test") == "mine/fix_test"
    assert foreign.tests(["le_fit_alloc_test", "mine/b", "mine/a", "mine/b"]) == ("mine/b", "mine/a")
    assert mine.words == "mine 01234567 a=1"


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"tests": "stress"}, "--tests is for the rig's own tests, whose place --module takes"),
        ({"loops": 0.5}, "--loops is for the rig's own tests"),
        ({"unsettled": True}, "--unsettled is for the rig's own tests"),
        ({"profile": "perf,latency"}, "The profile 'latency' traces loops of the rig's own module"),
        ({"module_args": "=1"}, "no parameter"),
    ],
)
def test_options_that_do_not_go_with_it(module: str, other: dict[str, object], said: str) -> None:
    selection.check(Selection(module=module, profile="perf,debug"))
    with pytest.raises(UsageError, match=said):
        selection.check(Selection(module=module, **other))  # type: ignore[arg-type]


def test_parameters_without_a_module() -> None:
    with pytest.raises(UsageError, match="--module-args is for the module of --module"):
        selection.check(Selection(module_args="a=1"))


def test_the_module_is_looked_for_before_anything_is_fetched(module: str) -> None:
    cells.check(Selection(module=module, profile="debug"))
    with pytest.raises(UsageError, match="/nowhere is not there"):
        cells.check(Selection(module="/nowhere"))
