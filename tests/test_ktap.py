# SPDX-License-Identifier: GPL-2.0-only
"""Reading what the test module printed, in the form that its README lays down."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.ktap import Outcome, Timing, parse

LOG = """\
[    1.100000] vmalloc_test: loading out-of-tree module taints kernel.
[    1.200000] vmalloc_test: KTAP version 1
[    1.200100] vmalloc_test: # param loops=1000 repeat=2 busy=15000 threads=4 cpus=0-3 seed=42
[    1.200200][  T97] vmalloc_test: 1..4
[    1.200300] vmalloc_test: # start test=le_fit_alloc_test
[    1.300000] vmalloc_test: # sample test=le_fit_alloc_test repeat=0 thread=0 cpu=0 ops=1000 ns=1234567
<6>[    1.400000] vmalloc_test: # sample test=le_fit_alloc_test repeat=1 thread=0 cpu=0 ops=1000 ns=18446744073709551615\r
[    1.400100] vmalloc_test: ok 1 le_fit_alloc_test
[    1.400200] vmalloc_test: # note test=b_fit_alloc_test thread=0 holes=1024 hits=1024
[    1.400300] vmalloc_test: not ok 2 b_fit_alloc_test # overlap of [ffffc90000fe0000,ffffc90000ff3000) with [0,1)
[    1.400400] vmalloc_test: ok 3 ne_fit_alloc_test # SKIP __vmalloc_node_range() was not found
[    1.400500] vmalloc_test: not ok 4 mix_stress_test
[    1.400600] vmalloc_test: # totals: pass=1 fail=2 skip=1
"""


def test_a_whole_report() -> None:
    report = parse(LOG)
    assert report.planned == 4
    assert report.complete
    assert report.timings == (
        Timing("le_fit_alloc_test", 0, 0, 1000, 1234567),
        Timing("le_fit_alloc_test", 1, 0, 1000, 18446744073709551615),
    )
    assert report.outcomes == (
        Outcome("le_fit_alloc_test", True, False, ""),
        Outcome("b_fit_alloc_test", False, False, "overlap of [ffffc90000fe0000,ffffc90000ff3000) with [0,1)"),
        Outcome("ne_fit_alloc_test", True, True, "SKIP __vmalloc_node_range() was not found"),
        Outcome("mix_stress_test", False, False, ""),
    )


@pytest.mark.parametrize("count", range(14))
def test_a_report_that_ends_early_is_not_complete(count: int) -> None:
    report = parse("".join(LOG.splitlines(keepends=True)[:count]))
    assert report.complete is (count >= 12)
    assert (report.planned is None) is (count < 4)


def test_others_lines_are_passed_over() -> None:
    report = parse("1..3\nok 1 other_test\n# sample test=a repeat=0 thread=0 cpu=0 ops=1 ns=1\nother: ok 1 x\n")
    assert report == parse("")
    assert not report.complete


@pytest.mark.parametrize(
    "line",
    [
        "# sample test=le_fit_alloc_test repeat=0 thread=0 cpu=0 ops=1000",
        "# sample test=le_fit_alloc_test repeat=0 thread=0 cpu=0 ops=1000 ns=-5",
        "# sample test=le_fit_alloc_test repeat=x thread=0 cpu=0 ops=1000 ns=5",
        "# sample test=le_fit_alloc_test repeat=0 thread=0 cpu=0 ops=1000 ns=5[    1.2] other",
        "okay 1 x",
        "ok x",
        "1...4",
    ],
)
def test_a_garbled_line_is_no_result(line: str) -> None:
    assert parse(f"vmalloc_test: {line}\n") == parse("")


@pytest.mark.parametrize("cut", [1, 3, 8])
def test_a_line_that_a_dying_guest_did_not_finish_is_no_sample(cut: int) -> None:
    line = "vmalloc_test: # sample test=le_fit_alloc_test repeat=0 thread=0 cpu=0 ops=1000 ns=1234567\n"
    assert parse(line[:-cut]).timings == ()


def test_a_number_that_is_too_long_is_no_sample() -> None:
    line = f"vmalloc_test: # sample test=a repeat=0 thread=0 cpu=0 ops=1 ns={'9' * 5000}\nvmalloc_test: 1..{'9' * 5000}\n"
    assert parse(line).timings == ()


@given(st.lists(st.one_of(st.text(max_size=30), st.sampled_from(LOG.splitlines())).map("vmalloc_test: ".__add__), max_size=20))
def test_no_log_is_too_strange(lines: list[str]) -> None:
    report = parse("\n".join(lines))
    assert report.complete is (report.planned == len(report.outcomes))
