# SPDX-License-Identifier: GPL-2.0-only
"""A run as KTAP: read by the rules of the kernel's tools/testing/kunit, and by the rig's own reader."""

from __future__ import annotations

import re
from typing import Any

import msgspec
import pytest

from harness.model.clock import Clock
from harness.report import ktap, summary
from harness.report.contents import Content
from harness.report.summary import Places
from harness.suite import subtests
from tests.support import content, make

_HEAD = re.compile(r"\s*KTAP version ([0-9]+)$")
_SUBTEST = re.compile(r"^\s*# Subtest: (.*)$")
_PLAN = re.compile(r"^\s*1\.\.([0-9]+)")
_SKIPPED = re.compile(r"^\s*(ok|not ok) ([0-9]+) ?(?:- )?(.*) # SKIP ?(.*)$")
_RESULT = re.compile(r"^\s*(ok|not ok) ([0-9]+) ?(?:- )?([^#]*)(?: # .*)?$")


class Node(msgspec.Struct):
    """A test as the kernel's parser sees it."""

    name: str
    state: str
    members: list[Node]


class Lines:
    """Reads one level after the other, as kunit_parser.py does: by headers, plans and results, never by indentation."""

    def __init__(self, text: str) -> None:
        assert text.endswith("\n")
        self._left = text.splitlines()

    def level(self) -> tuple[str, list[Node]]:
        """Return the name and the tests of a level, whose header comes first."""
        head = _HEAD.match(self._left.pop(0))
        assert head
        assert head[1] == "1"
        name = _SUBTEST.match(self._left[0])
        if name:
            self._left.pop(0)
        plan = _PLAN.match(self._left.pop(0))
        assert plan
        return (name[1] if name else "", [self._test(number) for number in range(1, int(plan[1]) + 1)])

    def _test(self, number: int) -> Node:
        while not (_HEAD.match(self._left[0]) or _RESULT.match(self._left[0]) or _SKIPPED.match(self._left[0])):
            line = self._left.pop(0)
            assert re.match(r"\s*# ", line), line
            assert not _SUBTEST.match(line), line
        name, members = self.level() if _HEAD.match(self._left[0]) else ("", [])
        line = self._left.pop(0)
        skipped, result = _SKIPPED.match(line), _RESULT.match(line)
        found = skipped or result
        assert found, line
        assert int(found[2]) == number
        assert not name or name == found[3].strip(), "the header and the result of a subtest have the same name"
        return Node(found[3].strip(), "skipped" if skipped else found[1], members)

    def end(self) -> list[str]:
        return self._left


def read(records: Content, code: int = 0) -> tuple[list[Node], str]:
    """Return the tests of a report's KTAP, and its text."""
    made = summary.of(records, code, Places(), [])
    return parsed(ktap.ktap(made, records.results, records.findings))


def parsed(text: str) -> tuple[list[Node], str]:
    """Return the tests of a whole KTAP, and its text."""
    lines = Lines(text)
    name, nodes = lines.level()
    assert name == ""
    assert [line for line in lines.end() if not line.startswith("# ")] == []
    assert max(map(len, text.splitlines())) < 800
    return nodes, text


def of(*results: Any, findings: Any = (), **other: Any) -> Content:
    return Content(make.provenance(), results=tuple(results), findings=tuple(findings), **other)


def states(nodes: list[Node]) -> list[list[tuple[str, str]]]:
    return [[(member.name, member.state) for member in node.members] for node in nodes]


def test_cells_are_subtests_in_the_order_of_the_variants() -> None:
    nodes, _ = read(of(make.result(variant="mine"), make.result(), make.result(boot=1), make.result(profile="debug")))
    assert [(node.name, node.state) for node in nodes] == [
        ("x86_64/stock/debug", "ok"),
        ("x86_64/stock/perf", "ok"),
        ("x86_64/mine/perf", "ok"),
    ]
    assert states(nodes)[1] == [("le_fit_alloc_test [icount, boot 0]", "ok"), ("le_fit_alloc_test [icount, boot 1]", "ok")]


@pytest.mark.parametrize(
    ("outcome", "state", "words"),
    [
        ("passed", "ok", "boot 0]\n"),
        ("failed", "not ok", "boot 0]\n"),
        ("xfailed", "ok", "# XFAIL known bug: why\n"),
        ("skipped", "skipped", "# SKIP why\n"),
        ("dismissed", "skipped", "# SKIP dismissed: why\n"),
        ("error", "not ok", "# ERROR the rig failed: why\n"),
    ],
)
def test_each_outcome_has_its_line(outcome: str, state: str, words: str) -> None:
    nodes, text = read(of(make.result(outcome, reason="why")))
    assert nodes[0].members[0].state == state
    assert nodes[0].state == ("not ok" if state == "not ok" else "ok")
    assert words in text


def test_a_failure_has_its_finding_above_it_and_its_reason_is_no_directive() -> None:
    failed = make.result("failed", clock=Clock.WALL, test="align_shift_alloc_test", reason="SKIP of a guest")
    _, text = read(of(failed, findings=[make.finding()]))
    lines = [line.strip() for line in text.splitlines()]
    place = lines.index("not ok 1 align_shift_alloc_test [wall, boot 0]")
    assert lines[place - 3 : place] == [
        "#  bug: kernel BUG at mm/vmalloc.c:512!",
        "#  in alloc_vmap_area, mm/vmalloc.c:512",
        "#  x86_64-stock-perf-wall-0.serial.log, lines 417 to 450",
    ]
    _, alone = read(of(failed))
    assert "#  SKIP of a guest\n" in alone


def test_what_became_slower_is_a_subtest_that_fails() -> None:
    compared = (
        content.slower(14.0),
        content.comparison(),
        content.comparison(ratio=None, interval=None, measured=None, verdict="not compared"),
        content.comparison(variant="", ratio=None, measured=None),
    )
    nodes, text = read(of(comparisons=compared), 3)
    assert [(node.name, node.state) for node in nodes] == [("comparison", "not ok")]
    assert [state for _, state in states(nodes)[0]] == ["not ok", "ok", "skipped"]
    assert "#  regression: slower, +14.0 % instructions/op against stock" in text
    assert text.endswith("# exit code 3: a test is slower than the threshold allows\n")


def test_a_run_without_results_says_so() -> None:
    nodes, text = read(Content(make.provenance()))
    assert nodes == []
    assert text.startswith("KTAP version 1\n1..0 # SKIP no test has a result\n")


EVIL = ["# Subtest: x", "KTAP version 1", "1..9", "not ok 1 x # SKIP", "a\nb", "", "#", "# SKIP", content.EVIL, "x" * 100_000]


@pytest.mark.parametrize("evil", EVIL)
@pytest.mark.parametrize("outcome", ["passed", "failed", "xfailed", "skipped", "error", "dismissed"])
def test_no_word_of_a_guest_is_read_as_another_line(evil: str, outcome: str) -> None:
    result = make.result(outcome, clock=Clock.WALL, variant=evil, test=f"t{evil}", reason=evil)
    finding = make.finding(variant=evil, test=f"t{evil}", title=evil, function=evil)
    nodes, text = read(of(result, findings=[finding]))
    assert len(nodes) == 1
    assert len(nodes[0].members) == 1
    assert nodes[0].members[0].state == {"failed": "not ok", "error": "not ok", "skipped": "skipped", "dismissed": "skipped"}.get(
        outcome, "ok"
    )
    assert "\x1b" not in text


def test_the_rigs_own_reader_sees_the_same() -> None:
    results = [make.result(), make.result("failed", test="b_test"), make.result("xfailed", test="c_test", reason="an overflow")]
    _, text = read(of(*results, make.result("skipped", test="d_test", variant="mine", reason="no room")))
    seen = subtests.parse(text.splitlines())
    assert [(case.test, case.ok, case.skipped) for case in seen] == [
        ("x86_64/stock/perf.le_fit_alloc_test [icount, boot 0]", True, False),
        ("x86_64/stock/perf.b_test [icount, boot 0]", False, False),
        ("x86_64/stock/perf.c_test [icount, boot 0]", True, False),
        ("x86_64/mine/perf.d_test [icount, boot 0]", True, True),
    ]


def test_a_full_and_a_broken_run_can_be_read() -> None:
    full, _ = read(content.full())
    assert len(full) == 7
    broken, _ = read(content.broken())
    assert [node.state for node in broken] == ["ok", "ok", "not ok", "not ok", "not ok"]
