# SPDX-License-Identifier: GPL-2.0-only
"""Reading what the test module printed, in the form that its README lays down."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.suite.ktap import Latency, MemoryLine, Note, Report, ResultLine, Scaling, Space, Timing, parse

LOG = """\
[    1.100000] vmalloc_test: loading out-of-tree module taints kernel.
[    1.200000] vmalloc_test: KTAP version 1
[    1.200100] vmalloc_test: # param loops=1000 repeat=2 busy=15000 threads=4 cpus=0-3 seed=42
[    1.200200][  T97] vmalloc_test: 1..4
[    1.200300] vmalloc_test: # start test=le_fit_alloc_test
[    1.300000] vmalloc_test: # sample test=le_fit_alloc_test repeat=0 thread=0 cpu=0 ops=1000 ns=1234567
<6>[    1.400000] vmalloc_test: # sample test=le_fit_alloc_test repeat=1 thread=0 cpu=0 ops=1000 ns=9223372036854775807\r
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
        Timing("le_fit_alloc_test", 1, 0, 1000, 9223372036854775807),
    )
    assert report.notes == (Note("b_fit_alloc_test", 0, {"holes": 1024, "hits": 1024}),)
    assert report.outcomes == (
        ResultLine("le_fit_alloc_test", True, False, ""),
        ResultLine("b_fit_alloc_test", False, False, "overlap of [ffffc90000fe0000,ffffc90000ff3000) with [0,1)"),
        ResultLine("ne_fit_alloc_test", True, True, "SKIP __vmalloc_node_range() was not found"),
        ResultLine("mix_stress_test", False, False, ""),
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
        "# space test=churn_space_test repeat=0 ops=1000 held=5",
        "# space test=churn_space_test repeat=0 ops=1000 held=5 span=-6",
        "# scaled test=first_fit_test to 240 MiB: aligned holes of 32 KiB",
        "# scaled test=first_fit_test to -1 MiB: aligned holes of 32 KiB, in place of 4096 KiB",
        "# scaled test=first_fit_test to 9999999999 MiB: aligned holes of 32 KiB, in place of 4096 KiB",
        "# scaled test=first_fit_test to 240 MiB: , in place of ",
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


@pytest.mark.parametrize(
    "line",
    [
        "# sample test=a repeat=0 thread=0 cpu=0 ops=1 ns=9223372036854775808",
        "# sample test=a repeat=99999999999999999999 thread=0 cpu=0 ops=1 ns=1",
        "# latency test=a pass=0 ops=18446744073709551615 overhead_ns=1 max_ns=1",
        "# buckets test=a pass=0 1:1,2:99999999999999999999",
        "# memory test=a at=before ns=1 areas=1 used=1 free=9999999999999999999 largest_hole=1 lazy=1 slab_unreclaimable=1",
        "# note test=a thread=0 lazy_pages_max=18446744073709551615",
        "# space test=a repeat=0 ops=1 held=1 span=9223372036854775808",
        "# note test=a thread=0 lazy_pages_max=" + "9" * 5000,
    ],
)
def test_a_number_that_no_guest_can_mean_is_not_taken_and_not_lost(line: str) -> None:
    report = parse(f"vmalloc_test: {line}\n")
    assert report == Report(None, (), (), impossible=(line,))


def test_space_is_read_and_counts_where_a_ratio_can_be_made_of_it() -> None:
    line = "# space test=churn_space_test repeat=1 ops={} held={} span={}"
    report = parse(f"vmalloc_test: {line.format(2000, 100, 120)}\n")
    assert report.spaces == (Space("churn_space_test", 1, 2000, 100, 120),)
    assert report.measured
    for numbers in ((0, 100, 120), (2000, 0, 120), (2000, 100, 99)):
        assert not parse(f"vmalloc_test: {line.format(*numbers)}\n").measured


def test_what_was_done_is_told_from_what_was_asked() -> None:
    lines = (
        "# scaled test=first_fit_test to 240 MiB: aligned holes of 32 KiB, in place of 4096 KiB",
        "# scaled test=exact_hole_test to 872 MiB: holes of 1 to 16 pages, in place of these, an area of more than 4 GiB",
    )
    assert parse("".join(f"[    1.2] vmalloc_test: {line}\r\n" for line in lines)).scalings == (
        Scaling("first_fit_test", 240, "aligned holes of 32 KiB", "4096 KiB"),
        Scaling("exact_hole_test", 872, "holes of 1 to 16 pages", "these, an area of more than 4 GiB"),
    )
    assert parse(f"vmalloc_test: {lines[0]}").scalings == (), "a line that a dying guest did not finish"


def test_a_histogram_of_nothing_is_none() -> None:
    line = "vmalloc_test: # latency test=a pass=0 ops=0 overhead_ns=1 max_ns=0\n"
    assert parse(line).latencies == ()
    assert parse(f"{line}vmalloc_test: # buckets test=a pass=0 5:0\n").latencies == ()


@given(st.lists(st.one_of(st.text(max_size=30), st.sampled_from(LOG.splitlines())).map("vmalloc_test: ".__add__), max_size=20))
def test_no_log_is_too_strange(lines: list[str]) -> None:
    report = parse("\n".join(lines))
    assert report.complete is (report.planned == len(report.outcomes))


LATENCY = """\
[    2.000000] vmalloc_test: # latency test=le_fit_alloc_test pass=0 ops=7 overhead_ns=44 max_ns=4099
[    2.000001] vmalloc_test: # buckets test=le_fit_alloc_test pass=0 100:3,2047:1
[    2.000002] vmalloc_test: # buckets test=le_fit_alloc_test pass=0 2048:2,4096:1
[    2.000003] vmalloc_test: # latency test=le_fit_alloc_test pass=1 ops=1 overhead_ns=44 max_ns=90
[    2.000004] vmalloc_test: # buckets test=le_fit_alloc_test pass=1 90:1
"""
FIRST = Latency("le_fit_alloc_test", 0, 7, 44, 4099, ((100, 3), (2047, 1), (2048, 2), (4096, 1)))
SECOND = Latency("le_fit_alloc_test", 1, 1, 44, 90, ((90, 1),))


def test_the_buckets_of_a_pass_may_take_several_lines() -> None:
    assert parse(LATENCY).latencies == (FIRST, SECOND)


@pytest.mark.parametrize("lost", range(5))
def test_a_latency_that_lacks_a_line_is_left_out(lost: int) -> None:
    lines = LATENCY.splitlines(keepends=True)
    report = parse("".join(lines[:lost] + lines[lost + 1 :]))
    assert report.latencies == ((SECOND,) if lost < 3 else (FIRST,))


@pytest.mark.parametrize("doubled", [1, 2, 4])
def test_a_latency_with_a_line_too_many_is_left_out(doubled: int) -> None:
    lines = LATENCY.splitlines(keepends=True)
    report = parse("".join(lines[: doubled + 1] + lines[doubled:]))
    assert report.latencies == ((SECOND,) if doubled < 3 else (FIRST,))


@pytest.mark.parametrize("buckets", ["100:3,2047", "100:3,:1", "100:3,,2048:4", "100=7", "", "2048:4,100:3", "100:3,100:4"])
def test_garbled_buckets_make_a_latency_worthless(buckets: str) -> None:
    head = LATENCY.splitlines(keepends=True)[0]
    assert parse(f"{head}vmalloc_test: # buckets test=le_fit_alloc_test pass=0 {buckets}\n").latencies == ()


def test_two_loads_in_one_log_are_kept_apart() -> None:
    assert parse(LATENCY + LATENCY).latencies == (FIRST, SECOND, FIRST, SECOND)


@given(
    st.dictionaries(st.integers(0, 2**40), st.integers(1, 2**50), min_size=1, max_size=60).map(lambda found: sorted(found.items())),
    st.integers(1, 20),
)
def test_any_histogram_comes_back_as_it_was(buckets: list[tuple[int, int]], width: int) -> None:
    count = sum(count for _, count in buckets)
    lines = [f"# latency test=a pass=3 ops={count} overhead_ns=1 max_ns={buckets[-1][0]}"]
    for first in range(0, len(buckets), width):
        words = ",".join(f"{lower}:{count}" for lower, count in buckets[first : first + width])
        lines.append(f"# buckets test=a pass=3 {words}")
    log = "".join(f"[  1.0] vmalloc_test: {line}\n" for line in lines)
    assert parse(log).latencies == (Latency("a", 3, count, 1, buckets[-1][0], tuple(buckets)),)


MEMORY = "# memory test=a at=during ns=5 areas=40 used=692224 free=35184 largest_hole=35183 lazy=0 slab_unreclaimable=1466368"


def test_a_look_at_memory() -> None:
    values = {"areas": 40, "used": 692224, "free": 35184, "largest_hole": 35183, "lazy": 0, "slab_unreclaimable": 1466368}
    assert parse(f"vmalloc_test: {MEMORY}\n").looks == (MemoryLine("a", "during", 5, values),)


@pytest.mark.parametrize("line", [MEMORY.replace("during", "later"), MEMORY.replace(" lazy=0", ""), MEMORY + " x=1", MEMORY + "B"])
def test_a_garbled_look_is_passed_over(line: str) -> None:
    assert parse(f"vmalloc_test: {line}\n").looks == ()


@pytest.mark.parametrize("line", ["# note test=a thread=0", "# note test=a thread=0 holes", "# note test=a thread=0 holes=x"])
def test_a_garbled_note_is_passed_over(line: str) -> None:
    assert parse(f"vmalloc_test: {line}\n").notes == ()


@given(st.data())
def test_a_torn_log_yields_only_what_is_whole_in_itself(data: st.DataObject) -> None:
    log = LOG + LATENCY + f"vmalloc_test: {MEMORY}\n"
    begin = data.draw(st.integers(0, len(log)))
    end = data.draw(st.integers(begin, len(log)))
    report = parse(log[:begin] + log[end:])
    for latency in report.latencies:
        assert sum(count for _, count in latency.buckets) == latency.operations
        assert list(latency.buckets) == sorted(latency.buckets)
    assert all(len(look.values) == 6 for look in report.looks)
