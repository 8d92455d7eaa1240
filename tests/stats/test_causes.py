# SPDX-License-Identifier: GPL-2.0-only
"""Findings of one cause are one, and those of two are two."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from harness.model.records import Finding
from harness.model.trouble import Severity
from harness.report import findings
from harness.stats.causes import causes, reasons
from tests.support import make


def failed(title: str, **other: Any) -> Finding:
    """Return a test that failed for a reason."""
    return make.finding(
        **{"kind": "test-failed", "title": title, "fingerprint": "test-failed", "function": "", "where": "", **other}
    )


def in_boot(boot: int, found: Finding) -> Finding:
    """Return a finding as it would be in another boot."""
    return msgspec.structs.replace(found, boot=boot)


def test_one_trouble_is_one_cause_wherever_it_was_seen() -> None:
    bug = {"variant": "mine@2", "fingerprint": "abc"}
    seen = [
        make.finding(**bug, test="exact_hole_test"),
        in_boot(1, make.finding(**bug, test="exact_hole_test")),
        make.finding(**bug, test="model_test"),
        make.finding(**bug, test="window_test", machine="aarch64", title="kernel BUG at mm/vmalloc.c:513!"),
    ]
    (cause,) = causes(seen)
    assert (cause.variant, cause.boots, len(cause.findings)) == ("mine@2", 3, 4)
    assert cause.machines == ("x86_64", "aarch64")
    assert cause.tests == ("exact_hole_test", "model_test", "window_test")
    assert findings.sentence(cause) == (
        "FINDING: mine@2 on x86_64 and aarch64: bug: kernel BUG at mm/vmalloc.c:512! (in alloc_vmap_area, mm/vmalloc.c:512)"
        " in exact_hole_test and 2 more tests, x 3 boots"
    )


@pytest.mark.parametrize(
    "other",
    [{"variant": "mine"}, {"fingerprint": "def"}, {"kind": "kasan"}, {"expected": "an overflow"}],
    ids=["variant", "fingerprint", "kind", "known"],
)
def test_another_trouble_is_another_cause(other: dict[str, Any]) -> None:
    assert len(causes([make.finding(fingerprint="abc"), make.finding(**{"fingerprint": "abc", **other})])) == 2


def test_what_is_worse_than_a_warning_stands_before_it() -> None:
    warned = make.finding(kind="vmap-exhausted", fingerprint="abc", severity=Severity.WARNING)
    failing = failed("refused: a hole", severity=Severity.ERROR)
    assert [cause.first for cause in causes([warned, failing])] == [failing, warned]
    other = msgspec.structs.replace(failing, variant="mine")
    assert [cause.first for cause in causes([other, warned])] == [warned, other], "each variant by itself"


def test_what_the_rig_saw_itself_is_told_apart_by_test_and_title() -> None:
    one = failed("-EEXIST: overlap of [ffffc90000a10000,ffffc90000a20000)", test="exact_hole_test")
    again = failed("-EEXIST: overlap of [ffff000008a10000,ffff000008a20000)", test="exact_hole_test", machine="aarch64")
    assert len(causes([one, again])) == 1, "addresses are no difference"
    assert len(causes([one, failed(one.trouble.title, test="model_test")])) == 2
    assert len(causes([one, failed("-ERANGE: outside", test="exact_hole_test")])) == 2
    assert len(causes([failed("returned -12 at 300 kB"), failed("returned -12 at 37 kB")])) == 1, "amounts are none either"
    assert len(causes([failed("returned -12"), failed("returned -22")])) == 2, "errors are"


def test_the_sizes_of_a_sweep_have_one_cause() -> None:
    sizes = ["sweep_churn@busy=500", "sweep_churn@busy=5000", "sweep_churn@holes=500"]
    seen = [in_boot(boot, failed("-ENOMEM: at size 500", test=size)) for boot in range(8) for size in sizes]
    (cause,) = causes(seen)
    assert (len(cause.findings), cause.tests) == (24, tuple(sizes))
    assert findings.sentence(cause) == (
        "FINDING: stock on x86_64: test-failed: -ENOMEM: at size 500 in sweep_churn at 3 sizes, x 8 boots"
    )
    assert len(causes([*seen, failed("-ENOMEM: at size 500", test="sweep_no_holes@busy=500")])) == 2


def test_results_of_one_reason_are_counted() -> None:
    told = {"outcome": "error", "reason": "QEMU 123 did not start"}
    lost = [make.result(**told, boot=boot, test=test) for boot in range(3) for test in ("boot", "sweep_churn@busy=500")]
    other = make.result(**{**told, "reason": "QEMU 7 did not start"}, machine="aarch64", test="sweep_churn@busy=1000")
    found = reasons([*lost, make.result("failed", reason="a bug"), other, make.result(**told, variant="mine")], "error")
    assert [(reason.variant, len(reason.results), reason.boots) for reason in found] == [("stock", 7, 4), ("mine", 1, 1)]
    assert findings.where(found[0]) == "x86_64/stock/perf and aarch64/stock/perf boot and 1 more test, x 4 boots"
    assert findings.where(found[1]) == "x86_64/mine/perf le_fit_alloc_test"


def test_a_known_bug_is_one_cause_however_it_shows() -> None:
    shown = [make.leak(fingerprint="a"), make.leak(fingerprint="b", kind="warning")]
    (cause,) = causes(shown)
    assert cause.expected == "md_blocks are left"
    assert findings.sentence(cause).endswith("in pcpu_alloc_test, x 1 boot: md_blocks are left")
    assert findings.sentence(cause).startswith("known bug: stock on x86_64, debug: memory-leak: ")


def test_the_unexpected_comes_first_then_the_order_of_patches() -> None:
    names = ["mine", "mine@10", "mine@9", "stock"]
    made = causes([make.leak(), *(make.finding(variant=name) for name in names)])
    assert [(bool(cause.expected), cause.variant) for cause in made] == [
        (False, "stock"),
        (False, "mine@9"),
        (False, "mine@10"),
        (False, "mine"),
        (True, "stock"),
    ]


def test_the_same_trouble_of_two_variants_has_one_key() -> None:
    stock, mine = causes([make.finding(fingerprint="a"), make.finding(fingerprint="a", variant="mine")])
    assert stock.key == mine.key


def test_what_nobody_can_be_blamed_for_is_named_by_its_title() -> None:
    assert findings.short(failed("-ERANGE: outside").trouble) == "test-failed: -ERANGE: outside"
    assert findings.short(make.trouble()) == "bug in alloc_vmap_area, mm/vmalloc.c:512"


def test_a_page_shows_a_screen_of_a_log_and_the_rest_when_asked() -> None:
    long = findings.log(make.trouble(text="\n".join(f"line {n}" for n in range(100))))
    assert (len(long.shown.splitlines()), len(long.rest.splitlines()), long.more) == (40, 60, "60 more lines of the log")
    short = findings.log(make.trouble())
    assert (short.shown, short.rest) == (make.trouble().text, "")
    dumped = failed(
        "-EIO: lost", text="MemTotal: 1 kB\n" * 50 + "vmalloc_test: not ok 1 model_test # -EIO: lost\n" + "slab 1\n" * 50
    )
    told = findings.log(dumped.trouble)
    assert "not ok 1 model_test" in told.shown
    assert len(told.shown.splitlines()) == 16, "also of a record that has all that the guest printed"
    assert not told.rest
