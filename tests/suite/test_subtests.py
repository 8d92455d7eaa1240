# SPDX-License-Identifier: GPL-2.0-only
"""KTAP as modules of several releases print it, and as it looks when something is missing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.suite.subtests import Case, parse

FLAT = "KTAP version 1\n1..2\nok 1 first\nok 2 second"
NEW = """\
KTAP version 1
1..2
    KTAP version 1
    # Subtest: list
    # module: list_test
    1..2
    ok 1 add
    # del: EXPECTATION FAILED at lib/list-test.c:31
    Expected a == b, but
    not ok 2 del
# list: pass:1 fail:1 skip:0 total:2
# Totals: pass:1 fail:1 skip:0 total:2
not ok 1 list
    KTAP version 1
    # Subtest: tree
    1..1
    ok 1 walk # SKIP no tree
ok 2 tree
"""
"""kunit of 6.x"""
OLD = "TAP version 14\n\t# Subtest: list\n\t1..2\n\tok 1 - add\n\tok 2 - del\nok 1 - list"
"""kunit of 5.5, which printed no plan of suites"""
PARAMETERS = """\
KTAP version 1
1..1
    # Subtest: suite
    1..2
        KTAP version 1
        # Subtest: each
        ok 1 one
        ok 2 two
    ok 1 each
    ok 2 other
ok 1 suite
"""


def names(text: str) -> list[str]:
    """The tests that passed, and those that did not with a minus."""
    return [case.test if case.ok else f"-{case.test}" for case in parse(text.splitlines())]


def unindented(text: str) -> str:
    return "\n".join(line.strip() for line in text.splitlines())


@pytest.mark.parametrize("headless", [False, True])
def test_flat(headless: bool) -> None:
    lines = FLAT.splitlines()[headless:]
    assert parse(lines) == [Case("first", ok=True), Case("second", ok=True)]


def test_the_plan_may_come_last() -> None:
    assert names("ok 1 first\nok 2 second\n1..2") == ["first", "second"]


@pytest.mark.parametrize("form", [str, unindented])
def test_subtests_of_new_kunit(form: type[str]) -> None:
    cases = parse(form(NEW).splitlines())
    assert cases == [
        Case("list.add", ok=True),
        Case("list.del", ok=False, reason="del: EXPECTATION FAILED at lib/list-test.c:31"),
        Case("tree.walk", ok=True, skipped=True, reason="no tree"),
    ]


@pytest.mark.parametrize("form", [str, unindented])
def test_subtests_of_old_kunit(form: type[str]) -> None:
    assert names(form(OLD)) == ["list.add", "list.del"]
    two = f"{OLD}\n{OLD.partition(chr(10))[2]}".replace("ok 1 - list\n", "ok 1 - list\n")
    assert names(form(two)) == ["list.add", "list.del"] * 2


@pytest.mark.parametrize("form", [str, unindented])
def test_parameters_of_a_test_need_no_plan(form: type[str]) -> None:
    assert names(form(PARAMETERS)) == ["suite.each.one", "suite.each.two", "suite.other"]


def test_a_test_within_a_suite_may_have_its_name() -> None:
    text = "1..1\n    # Subtest: same\n    1..2\n    ok 1 same\n    ok 2 other\nok 1 same"
    assert names(text) == names(unindented(text)) == ["same.same", "same.other"]


@pytest.mark.parametrize(
    ("line", "case"),
    [
        ("ok 1 a", Case("a", ok=True)),
        ("ok 1 - a b", Case("a b", ok=True)),
        ("ok 1", Case("test 1", ok=True)),
        ("not ok 1 a", Case("a", ok=False)),
        ("not ok 1 a # -ENOMEM: no room", Case("a", ok=False, reason="-ENOMEM: no room")),
        ("ok 1 a # SKIP no such thing", Case("a", ok=True, skipped=True, reason="no such thing")),
        ("ok 1 # skip", Case("test 1", ok=True, skipped=True, reason="SKIP")),
        ("not ok 1 a #SKIP: none", Case("a", ok=True, skipped=True, reason="none")),
        ("not ok 1 a # TODO later", Case("a", ok=True, reason="later")),
        ("not ok 1 a # XFAIL", Case("a", ok=True, reason="XFAIL")),
        ("not ok 1 a # TIMEOUT 5 s", Case("a", ok=False, reason="5 s")),
        ("ok 1 test #1", Case("test #1", ok=True)),
    ],
)
def test_a_result(line: str, case: Case) -> None:
    assert parse(["1..1", line]) == [case]


@pytest.mark.parametrize(
    ("text", "missing"),
    [
        ("KTAP version 1", "no plan was printed"),
        ("KTAP version 1\nok 1 a", "no plan was printed"),
        ("1..2\nok 1 a", "1 results for 2 tests"),
        ("1..1\nok 1 a\nok 2 b\n1..1", "results for 1 tests"),
        ("1..1\n    # Subtest: s\n    1..2\n    ok 1 a\nok 1 s", "1 results for 2 tests"),
        ("1..1\n    # Subtest: s\n    1..1\n    ok 1 a", "it has no result of its own"),
        ("# Subtest: s\n1..1\nok 1 a", "it has no result of its own"),
        ("1..1\nok 1 a\nBail out! no memory", "the module gave up: no memory"),
        ("1..1\n    # Subtest: s\n    1..1\n    ok 1 a\nnot ok 1 s # init failed", "init failed"),
    ],
)
def test_what_is_missing_is_a_failure(text: str, missing: str) -> None:
    assert any(missing in case.reason for case in parse(text.splitlines()) if not case.ok)


def test_what_is_missing_is_told_of_its_suite() -> None:
    (_, gap) = parse("1..1\n    # Subtest: s\n    1..2\n    ok 1 a\nok 1 s".splitlines())
    assert (gap.test, gap.ok) == ("s", False)


def test_a_whole_level_may_be_skipped() -> None:
    assert parse(["1..0 # SKIP no device"]) == [Case("", ok=True, skipped=True, reason="no device")]
    text = "1..1\n    # Subtest: s\n    1..0 # SKIP\nok 1 s"
    assert parse(text.splitlines()) == [Case("s", ok=True, skipped=True, reason="it did not say why")]


def test_other_lines_are_none() -> None:
    assert parse(["", "random: crng init done", "okay 1", "ok then", "1...2", "not ok", "  # a remark"]) == []


@given(st.lists(st.sampled_from([*FLAT.splitlines(), *NEW.splitlines(), *OLD.splitlines(), *PARAMETERS.splitlines(), "Bail out!"])))
def test_no_order_of_lines_is_too_much(lines: list[str]) -> None:
    results = sum("ok " in line for line in lines)
    assert len([case for case in parse(lines) if case.ok]) <= results
