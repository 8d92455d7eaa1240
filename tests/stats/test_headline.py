# SPDX-License-Identifier: GPL-2.0-only
"""One word a variant, and what decides it: what is broken, or was not checked, never reads as something else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from harness.model.clock import Clock
from harness.model.records import Finding, Result
from harness.report import headlines as words
from harness.stats.compare import Comparison
from harness.stats.headline import Headline, Word, headlines
from harness.stats.slopes import Slope
from tests.support import content, make

SAME = content.comparison(test="even_test", verdict="same", ratio=1.001)
FASTER = content.comparison(test="good_test")
SLOWER = content.slower(2.0, test="slow_test")
WORSE = content.slower(14.0, test="bad_test")
OPEN = content.comparison(test="open_test", verdict="undecided", ratio=0.98)
GAP = content.comparison(test="gap_test", verdict="not compared", ratio=None, interval=None, baseline=None)
STRESS = make.result(variant="mine", test="model_test", clock=Clock.WALL)


def test_a_run_whose_boots_did_not_prove_what_they_ran_proves_nothing() -> None:
    assert line(FASTER, proven=False) == (
        "mine: UNPROVEN - not all boots proved what they ran, 1 test faster (most: good_test, 50.0 % fewer instructions)"
    )
    broken = line(SAME, findings=[make.finding(variant="mine")], proven=False)
    assert broken.startswith("mine: BROKEN"), "who is warned for nothing loses less"


def told(
    comparisons: Sequence[Comparison] = (),
    findings: Sequence[Finding] = (),
    results: Sequence[Result] = (),
    slopes: Sequence[Slope] = (),
    **run: Any,
) -> list[Headline]:
    return list(headlines(make.provenance(**run), comparisons, findings, results, slopes))


def line(*comparisons: Comparison, **other: Any) -> str:
    """Return the headline of the one variant that has one."""
    (made,) = told(comparisons, **other)
    return words.line(made)


@pytest.mark.parametrize(
    ("comparisons", "said"),
    [
        ((SAME,), "mine: SAME - 1 test the same"),
        ((FASTER, SAME), "mine: FASTER - 1 test faster (most: good_test, 50.0 % fewer instructions), 1 test the same"),
        ((FASTER, OPEN), "mine: FASTER - 1 test faster (most: good_test, 50.0 % fewer instructions), 1 of 2 undecided"),
        ((SLOWER,), "mine: SLOWER - 1 test slower (worst: slow_test, 2.0 % more instructions)"),
        (
            (SLOWER, WORSE, SAME),
            "mine: SLOWER - 2 tests slower (worst: bad_test, 14.0 % more instructions), 1 past the threshold of 5 %,"
            " 1 test the same",
        ),
        (
            (SLOWER, FASTER),
            "mine: MIXED - 1 test faster (most: good_test, 50.0 % fewer instructions),"
            " 1 test slower (worst: slow_test, 2.0 % more instructions)",
        ),
        ((OPEN,), "mine: UNPROVEN - 1 of 1 undecided"),
        ((OPEN, SAME), "mine: UNPROVEN - 1 of 2 undecided, 1 test the same"),
        ((GAP, SAME), "mine: UNPROVEN - 1 of 2 not compared, 1 test the same"),
    ],
    ids=["same", "faster", "faster and open", "slower", "worse", "mixed", "open", "open and same", "gap"],
)
def test_figures_decide_a_word(comparisons: tuple[Comparison, ...], said: str) -> None:
    assert line(*comparisons) == said


def test_the_machine_is_named_where_there_are_more() -> None:
    both = (FASTER, content.comparison(test="good_test", machine="aarch64", ratio=0.25))
    assert line(*both, machines={"x86_64": "", "aarch64": ""}) == (
        "mine: FASTER - 1 test faster (most: good_test, 75.0 % fewer instructions on aarch64)"
    )


def test_a_test_that_is_slower_here_and_faster_there_is_mixed() -> None:
    both = (content.comparison(), content.slower(machine="aarch64"))
    assert told(both)[0].word is Word.MIXED


def test_broken_goes_before_all_figures() -> None:
    bug = {"variant": "mine@2", "test": "exact_hole_test", "fingerprint": "abc"}
    boots = [msgspec.structs.replace(make.finding(**bug), boot=boot) for boot in range(3)]
    fast = content.comparison(variant="mine@2")
    run: dict[str, Any] = {"machines": {"x86_64": "", "aarch64": ""}, "patches": {"stock": (), "mine@2": ("a", "b")}, "planned": 99}
    assert line(fast, findings=boots, **run) == (
        "mine@2: BROKEN - 1 cause: bug in alloc_vmap_area, mm/vmalloc.c:512, first in exact_hole_test (x86_64, x 3 boots)"
    )
    other = make.finding(**{**bug, "machine": "aarch64"})
    more = make.finding(variant="mine@2", kind="kasan", fingerprint="def")
    assert line(fast, findings=[*boots, other, more], **run) == (
        "mine@2: BROKEN - 2 causes, the first: bug in alloc_vmap_area, mm/vmalloc.c:512, first in exact_hole_test (x 4 boots)"
    )


def test_what_stock_shows_too_is_said_so_and_stock_is_broken() -> None:
    both = [make.finding(variant=name, fingerprint="abc") for name in ("mine", "stock")]
    stock, mine = told([SAME], both)
    assert (stock.variant, stock.word, mine.word) == ("stock", Word.BROKEN, Word.BROKEN)
    assert words.why(mine).endswith("; stock shows it too")
    assert not words.why(stock).endswith("too")


def test_a_known_bug_breaks_nothing() -> None:
    assert told([SAME], [make.finding(variant="mine", expected="an overflow")])[0].word is Word.SAME


@pytest.mark.parametrize(
    ("outcome", "said"),
    [
        ("error", "the rig failed in 1 test, first in le_fit_alloc_test (x86_64): no QEMU"),
        ("failed", "1 test failed without a finding that says why, first in le_fit_alloc_test (x86_64): no QEMU"),
    ],
)
def test_what_the_rig_could_not_run_proves_nothing(outcome: str, said: str) -> None:
    failed = make.result(outcome, variant="mine", reason="no QEMU")
    assert line(FASTER, results=[failed]) == (
        f"mine: UNPROVEN - {said}, 1 test faster (most: good_test, 50.0 % fewer instructions)"
    )
    stock, mine = told([SAME], results=[make.result("error", reason="no QEMU")])
    assert (stock.variant, stock.word, mine.word) == ("stock", Word.UNPROVEN, Word.SAME)


def test_results_that_are_missing_prove_nothing() -> None:
    assert line(SAME, results=[STRESS], planned=4) == "mine: UNPROVEN - 1 of 4 results are there, 1 test the same"


def test_stress_tests_alone_prove_nothing() -> None:
    around = [make.result(variant="mine", test=test) for test in ("boot under wall", "end under wall")]
    more = make.result("xfailed", variant="mine", test="pcpu_alloc_test")
    skipped = make.result("skipped", variant="mine", test="fault_test")
    assert line(results=[*around, STRESS, STRESS, more]) == (
        "mine: UNPROVEN - no performance test was timed; 2 stress tests passed, nothing found"
    )
    assert line(results=[STRESS, skipped]).endswith("; 1 stress test passed, nothing found, 1 test skipped")
    traced = make.result(variant="mine", test="le_fit_alloc_test", profile="latency")
    assert line(results=[traced, STRESS]) == (
        "mine: UNPROVEN - no performance test was timed; 1 stress test passed, 1 test traced, nothing found"
    )
    assert line() == "mine: UNPROVEN - no performance test was timed"


def test_a_sweep_alone_proves_nothing() -> None:
    sizes = [make.result(variant="mine", test=f"sweep_{name}@busy={size}") for name in ("churn", "long") for size in (1000, 5000)]
    assert line(results=sizes) == ("mine: UNPROVEN - no performance test was timed; 2 workloads of a sweep measured, nothing found")


def test_a_soak_tells_of_its_slopes() -> None:
    flat = Slope("x86_64", "mine", "perf", Clock.WALL, "areas", 0, 30, 100.0, 100.0, "none", per_round=0.0, interval=(0.0, 0.0))
    open_ = msgspec.structs.replace(flat, figure="lazy", verdict="undecided")
    assert line(results=[STRESS], slopes=[flat]).endswith("; no leak in 1 slopes of memory, nothing found")
    assert line(results=[STRESS], slopes=[flat, open_]).endswith("; 1 of 2 slopes of memory undecided, nothing found")


def test_variants_come_as_they_were_asked_for_and_stock_only_where_it_is_alone() -> None:
    names = ("mine", "stock", "mine@10", "mine@9")
    assert [each.variant for each in told(patches=dict.fromkeys(names, ()))] == ["mine", "mine@10", "mine@9"]
    (alone,) = told(patches={"stock": ()}, results=[make.result()])
    assert words.line(alone).startswith("stock: UNPROVEN - stock alone, nothing to compare with")


def test_two_runs_are_compared_by_their_figures_alone() -> None:
    run = "20260101-000000-aaaa"
    both = [content.comparison(variant=name, against=run) for name in ("stock", "mine")]
    assert [(each.variant, each.word) for each in told(both)] == [("stock", Word.FASTER), ("mine", Word.FASTER)]


def test_time_is_not_called_instructions() -> None:
    wall = content.comparison(
        clock=Clock.WALL, baseline=content.summary((10.0,), unit="ns/op"), measured=content.summary((5.0,), unit="ns/op")
    )
    assert line(wall) == "mine: FASTER - 1 test faster (most: le_fit_alloc_test, 50.0 % less time)"


def test_every_word_has_a_colour() -> None:
    assert words.KINDS.keys() == set(Word)
    assert {word for word, kind in words.KINDS.items() if kind == "bad"} == {Word.BROKEN, Word.SLOWER}
    assert {word for word, kind in words.KINDS.items() if kind == "open"} == {Word.UNPROVEN, Word.MIXED}
