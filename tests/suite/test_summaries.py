# SPDX-License-Identifier: GPL-2.0-only
"""The lines of lib/test_vmalloc.c, of several releases."""

from __future__ import annotations

import pytest

from harness.suite.summaries import Summary, parse

OLD = "Summary: fix_size_alloc_test passed: 3 failed: 0 repeat: 3 loops: 1000 avg: 9011 usec"
NEW = "Summary: align_shift_alloc_test passed: 0 failed: 0 xfailed: 3 repeat: 3 loops: 1000 avg: 57 usec"
BAD = "Summary: pcpu_alloc_test passed: 2 failed: 1 repeat: 3 loops: 1000 avg: 95802 usec"


def test_each_worker_has_a_summary_of_each_test() -> None:
    lines = [OLD, BAD, "All test took worker0=192945605995 cycles", OLD, "All test took worker1=5 cycles"]
    report = parse(lines)
    assert [(one.test, one.worker) for one in report.summaries] == [
        ("fix_size_alloc_test", 0),
        ("pcpu_alloc_test", 0),
        ("fix_size_alloc_test", 1),
    ]
    assert report.summaries[0] == Summary("fix_size_alloc_test", 0, 3, 0, 0, 3, 1000, 9011)
    assert not report.unfinished


def test_older_releases_call_a_worker_by_its_cpu() -> None:
    report = parse([f"test_vmalloc: {OLD}", "All test took CPU7=5 cycles"])
    assert [one.worker for one in report.summaries] == [7]
    assert not report.unfinished


@pytest.mark.parametrize(
    ("line", "fault", "timed"),
    [
        (OLD, "", True),
        (NEW, "", False),
        (BAD, "1 of 3 repeats failed", False),
        (OLD.replace("passed: 3", "passed: 2"), "2 of 3 repeats have a result", False),
        (OLD.replace("passed: 3", "passed: 0").replace("repeat: 3", "repeat: 0"), "0 of 0 repeats have a result", False),
        (OLD.replace("9011", "0"), "", False),
        (OLD.replace("loops: 1000", "loops: 0"), "", False),
    ],
)
def test_what_counts(line: str, fault: str, timed: bool) -> None:
    (summary,) = parse([line, "All test took worker0=1 cycles"]).summaries
    assert (summary.fault, summary.timed) == (fault, timed)


def test_a_worker_that_did_not_end() -> None:
    assert parse([OLD]).unfinished
    assert not parse([]).unfinished


@pytest.mark.parametrize(
    "line", [OLD[:-1], OLD.replace("9011", "-1"), OLD.replace("9011", "9" * 16), OLD.replace("repeat", "times")]
)
def test_other_lines_are_none(line: str) -> None:
    assert parse([line]).summaries == ()
