# SPDX-License-Identifier: GPL-2.0-only
"""Findings of one cause are one, and those of two are two."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from harness.model.records import Finding
from harness.model.trouble import Severity
from harness.report import findings
from harness.stats.causes import causes, fingerprint, groups, reasons
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
        " in exact_hole_test and 2 more tests, x 3 boots [8d79b1a7]"
    )


@pytest.mark.parametrize(
    "other",
    [
        {"variant": "mine"},
        {"function": "vfree"},
        {"kind": "kasan"},
        {"title": "kernel BUG at mm/slub.c:1!"},
        {"expected": "an overflow"},
    ],
    ids=["variant", "function", "kind", "title", "known"],
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
        "FINDING: stock on x86_64: test-failed: -ENOMEM: at size 500 in sweep_churn at 3 sizes, x 8 boots [3af4fa91]"
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


@pytest.mark.parametrize(
    ("one", "again"),
    [
        ({"title": "kernel BUG at mm/vmalloc.c:512!"}, {"title": "kernel BUG at mm/vmalloc.c:533!", "where": "mm/vmalloc.c:533"}),
        ({"title": "BUG: KASAN: use-after-free in f+0x66/0x90 [m]"}, {"title": "BUG: KASAN: use-after-free in f+0x78/0xa0 [m]"}),
        ({"title": "BUG: x in f.cold+0xd2/0xd7", "function": "f.cold"}, {"title": "BUG: x in f+0x158/0x16c", "function": "f"}),
        ({"title": "BUG: x", "function": "f.isra.3.part.0"}, {"title": "BUG: x", "function": "f.constprop.12"}),
        ({"title": "BUG: Bad page state in process sh  pfn:33ea2"}, {"title": "BUG: Bad page state in process sh  pfn:48728"}),
        (
            {"title": "insmod: page allocation failure: order:10", "process": "insmod/65"},
            {"title": "vmalloc_test/0: page allocation failure: order:0", "process": "vmalloc_test/0/97"},
        ),
        (
            {"title": "INFO: task insmod:64 blocked for more than 2 seconds.", "process": "insmod/64"},
            {"title": "INFO: task provoked/7:93 blocked for more than 120 seconds.", "process": "provoked/7/93"},
        ),
        (
            {"title": "list_add corruption. (next=ffff880033cefbe0)."},
            {"title": "list_add corruption. (next=ffffffc00861fb80)."},
        ),
        (
            {"title": "1 leaked object (64 bytes in all) from alloc_vmap_area"},
            {"title": "at least 300 leaked objects (19200 bytes in all) from alloc_vmap_area"},
        ),
        ({"title": "WARNING: x"}, {"title": "WARNING: x (3 times)"}),
        ({"frames": ()}, {"fingerprint": "another call trace"}),
        ({"variant": "mine@2", "machine": "aarch64", "profile": "debug", "test": "model_test"}, {}),
    ],
    ids=lambda of: str(of)[:60],
)
def test_a_fingerprint_is_the_same_in_another_boot_build_and_cell(one: dict[str, Any], again: dict[str, Any]) -> None:
    assert fingerprint(make.finding(**one)) == fingerprint(make.finding(**again))


def test_a_fingerprint_is_written_down_and_must_not_change() -> None:
    """A dismissal is kept by it: another way to compute it would undo all that users have dismissed."""
    assert fingerprint(make.finding()) == "8d79b1a7"
    assert fingerprint(failed("returned -12 at 300 kB", test="sweep_churn@busy=500")) == fingerprint(
        failed("returned -12 at 37 kB", test="sweep_churn@holes=1000")
    )


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"title": "BUG: KASAN: use-after-free in f"}, {"title": "BUG: KASAN: slab-out-of-bounds in f"}),
        ({"function": "vmap"}, {"function": "vmalloc"}),
        ({"kind": "bug"}, {"kind": "warning"}),
        ({"function": "", "fingerprint": "one"}, {"function": "", "fingerprint": "other"}),
        ({"function": "", "title": "one"}, {"function": "", "title": "other"}),
        ({"kind": "hang", "test": "model_test"}, {"kind": "hang", "test": "window_test"}),
        ({"kind": "test-failed", "title": "returned -12"}, {"kind": "test-failed", "title": "returned -22"}),
    ],
    ids=lambda of: str(of)[:60],
)
def test_another_trouble_has_another_fingerprint(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert fingerprint(make.finding(**one)) != fingerprint(make.finding(**other))


def test_the_causes_of_variants_are_grouped_in_their_order() -> None:
    bug, leak = make.finding(), make.finding(kind="kasan")
    seen = [msgspec.structs.replace(found, variant=name) for name in ("stock", "mine") for found in (bug, leak)]
    assert [[(c.variant, c.first.trouble.kind) for c in group] for group in groups(causes(seen))] == [
        [("stock", "bug"), ("mine", "bug")],
        [("stock", "kasan"), ("mine", "kasan")],
    ]


def test_what_was_dismissed_stands_between_the_unexpected_and_the_known() -> None:
    dismissed = msgspec.structs.replace(make.finding(kind="kasan"), dismissed="2026-11-27: ours")
    ordered = causes([make.leak(), dismissed, make.finding()])
    assert [(cause.unexpected, bool(cause.dismissed), bool(cause.expected)) for cause in ordered] == [
        (True, False, False),
        (False, True, False),
        (False, False, True),
    ]
    assert findings.sentence(ordered[1]).startswith("dismissed 2026-11-27: ours (stock on x86_64: kasan: kernel BUG at")
