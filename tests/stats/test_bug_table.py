# SPDX-License-Identifier: GPL-2.0-only
"""Who showed which known bug, out of a run's findings and results."""

from __future__ import annotations

from typing import Any

import pytest

from harness.model import known_bugs
from harness.model.records import Finding, Result
from harness.stats import bug_table
from tests.support import make

BOTH: dict[str, str] = {"x86_64": "a laptop", "aarch64": "a board"}
LEAK: dict[str, Any] = {"profile": "debug", "test": "pcpu_alloc_test"}


def words(findings: tuple[Finding, ...], results: tuple[Result, ...]) -> dict[tuple[str, str], str]:
    """Return what the only row says, by variant and machine."""
    (row,) = bug_table.rows(make.provenance(machines=BOTH), findings, results)
    return {(shown.variant, shown.machine): shown.words for shown in row.shown}


def not_seen(**other: Any) -> Finding:
    return make.finding(**{"kind": "not-seen", "title": f"{known_bugs.NOT_SEEN}md_blocks are left", **LEAK, **other})


def test_what_stock_shows_and_a_series_does_not_is_fixed() -> None:
    assert words((make.leak(),), make.known_results()) == {("stock", "x86_64"): "seen", ("mine", "x86_64"): "not seen: fixed"}
    both = (make.leak(), make.leak(variant="mine"))
    assert words(both, make.known_results())[("mine", "x86_64")] == "seen"


def test_a_bug_is_fixed_machine_by_machine() -> None:
    results = (*make.known_results(), *(make.result(variant=v, machine="aarch64", **LEAK) for v in ("stock", "mine")))
    findings = (make.leak(), make.leak(variant="mine", machine="aarch64"), not_seen(machine="aarch64"))
    assert words(findings, results) == {
        ("stock", "x86_64"): "seen",
        ("mine", "x86_64"): "not seen: fixed",
        ("stock", "aarch64"): "not seen",
        ("mine", "aarch64"): "seen",
    }
    (row,) = bug_table.rows(make.provenance(machines=BOTH), findings, results)
    assert [(s.variant, s.machine) for s in row.shown if s.new] == [("mine", "aarch64")]
    assert bug_table.fixed([row], "x86_64") == {"mine": (1, 1)}
    assert bug_table.fixed([row], "aarch64") == {}


@pytest.mark.parametrize(
    ("result", "said"),
    [
        (make.result("passed", variant="mine", test="pcpu_alloc_test"), "not run"),
        (make.result("passed", variant="mine", **{**LEAK, "test": "mix_stress_test"}), "not run"),
        (make.result("failed", variant="mine", **LEAK), "no result: the test failed"),
        (make.result("skipped", variant="mine", **LEAK), "no result: the test was skipped"),
        (make.result("error", variant="mine", **LEAK), "no result: the rig failed"),
        (make.result("xfailed", variant="mine", **LEAK), "not seen: fixed"),
    ],
)
def test_a_test_that_did_not_run_or_failed_tells_nothing(result: Result, said: str) -> None:
    assert words((make.leak(),), (make.known_results()[0], result))[("mine", "x86_64")] == said


def test_of_several_tests_that_show_a_bug_all_have_to_be_without_it() -> None:
    findings = (make.leak(), make.leak(test="pcpu_areas_test"))
    results = (*make.known_results(), make.result("xfailed", **{**LEAK, "test": "pcpu_areas_test"}))
    assert words(findings, results)[("mine", "x86_64")] == "not seen in 1 of 2"
    failed = make.result("failed", variant="mine", **{**LEAK, "test": "pcpu_areas_test"})
    assert words(findings, (*results, failed))[("mine", "x86_64")] == "not seen in 1 of 2"
    passed = make.result("passed", variant="mine", **{**LEAK, "test": "pcpu_areas_test"})
    assert words(findings, (*results, passed))[("mine", "x86_64")] == "not seen: fixed"


def test_bugs_are_told_apart_and_other_findings_are_none() -> None:
    findings = (make.finding(), make.leak(), make.leak(expected="an overflow", test="align_shift_alloc_test"))
    rows = bug_table.rows(make.provenance(), findings, make.known_results())
    assert [(row.reason, row.tests) for row in rows] == [
        ("md_blocks are left", ("pcpu_alloc_test",)),
        ("an overflow", ("align_shift_alloc_test",)),
    ]
    assert bug_table.rows(make.provenance(), (make.finding(),), make.known_results()) == []
    assert bug_table.fixed(rows, "x86_64") == {"mine": (1, 2)}
