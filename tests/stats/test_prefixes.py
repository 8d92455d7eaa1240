# SPDX-License-Identifier: GPL-2.0-only
"""A series patch by patch: each held against the one before, and what was not checked is no pass."""

from __future__ import annotations

from typing import Any

from harness.model.clock import Clock
from harness.model.records import Finding, Result
from harness.report import prefixes as words
from harness.stats import prefixes
from harness.stats.compare import Comparison
from harness.stats.prefixes import Series
from tests.support import content, make

ONE, TWO, THREE = "0001-clean-up.patch", "0002-off-by-one.patch", "0003-slow-down.patch"
PATCHES = {"stock": (), "s@1": (ONE,), "s@2": (ONE, TWO), "s": (ONE, TWO, THREE)}
BEFORE = {"s@1": "stock", "s@2": "s@1", "s": "s@2"}


def step(variant: str, **other: Any) -> Comparison:
    """Return how le_fit_alloc_test of a prefix is by the one before: the same."""
    fields = {"variant": variant, "against": BEFORE[variant], "verdict": "same", "ratio": 1.0}
    return content.comparison(**{**fields, **other})


def worse(variant: str, **other: Any) -> Comparison:
    """Return a prefix that costs 14 per cent more than the one before."""
    return content.slower(14.0, **{"variant": variant, "against": BEFORE[variant], **other})


def results(*variants: str, test: str = "model_test", outcome: str = "passed", **other: Any) -> list[Result]:
    """Return how a stress test went in variants, all of them if none is named."""
    return [make.result(outcome, variant=v, test=test, clock=Clock.WALL, **other) for v in variants or PATCHES]


def found(variant: str, **other: Any) -> Finding:
    """Return a BUG in model_test of a prefix."""
    return make.finding(**{"variant": variant, "test": "model_test", "fingerprint": "abc", **other})


def series(
    comparisons: list[Comparison] | None = None,
    findings: list[Finding] | None = None,
    went: list[Result] | None = None,
    patches: dict[str, tuple[str, ...]] | None = None,
) -> Series:
    """Return the one series of a run in which all went well unless the arguments say otherwise."""
    same = [step(variant) for variant in BEFORE]
    told = make.provenance(patches=PATCHES if patches is None else patches)
    (made,) = prefixes.series(
        told, same if comparisons is None else comparisons, findings or [], results() if went is None else went
    )
    return made


def said(of: Series, test: str) -> list[str]:
    """Return what the entries of a test's row say."""
    return [words.entry(entry) for matrix in of.matrices for row in matrix.rows if row.test == test for entry in row.entries]


def test_each_prefix_is_held_against_the_one_before_and_the_first_against_stock() -> None:
    shuffled = {name: PATCHES[name] for name in ("s", "s@2", "stock", "s@1")}
    assert prefixes.predecessors(shuffled) == BEFORE
    assert prefixes.predecessors({"stock": (), "a": (), "s@1": (), "s": ()}) == {"s@1": "stock", "s": "s@1"}
    assert prefixes.predecessors({"stock": (), "a": (), "b": ()}) == {}, "whole series are nobody's predecessors"


def test_a_series_without_a_bad_patch_says_so() -> None:
    made = series()
    assert said(made, "le_fit_alloc_test") == ["+0.00 % same"] * 3
    assert said(made, "model_test") == ["ok"] * 3
    assert [(matrix.machine, matrix.profile, matrix.clock) for matrix in made.matrices] == [
        ("x86_64", "perf", Clock.ICOUNT),
        ("x86_64", "perf", Clock.WALL),
    ]
    assert words.conclusion(made) == "s: no patch is bad"


def test_the_patch_that_brings_a_finding_is_bad_and_not_those_behind_it() -> None:
    went = [*results("stock", "s@1"), *results("s@2", "s", outcome="failed")]
    made = series(findings=[found("s@2"), found("s")], went=went)
    assert said(made, "model_test") == ["ok", "FAILED", "FAILED as before"]
    assert [judged.bad for judged in made.judged] == [False, True, False]
    assert words.conclusion(made) == (f"s: first bad: {TWO} (s@2, bug in alloc_vmap_area, mm/vmalloc.c:512 in model_test)")


def test_another_finding_behind_the_first_is_a_bad_patch_of_its_own() -> None:
    went = [*results("stock", "s@1"), *results("s@2", "s", outcome="failed")]
    made = series(findings=[found("s@2"), found("s", kind="kasan", fingerprint="def")], went=went)
    assert said(made, "model_test")[1:] == ["FAILED", "FAILED"]
    assert f"; also bad: {THREE} (s, kasan in alloc_vmap_area, mm/vmalloc.c:512 in model_test)" in words.conclusion(made)


def test_what_stock_shows_too_is_not_the_first_patchs_fault() -> None:
    went = results(outcome="failed")
    made = series(findings=[found(name) for name in PATCHES], went=went)
    assert said(made, "model_test") == ["FAILED as before"] * 3
    assert words.conclusion(made) == "s: no patch is bad"


def test_a_regression_against_the_one_before_is_bad() -> None:
    made = series([step("s@1"), step("s@2", verdict="slower", ratio=1.02), worse("s")])
    assert said(made, "le_fit_alloc_test") == ["+0.00 % same", "+2.0 % slower", "+14.0 % slower (R)"]
    assert words.conclusion(made) == f"s: first bad: {THREE} (s, le_fit_alloc_test +14.0 % against s@2 on x86_64)"


def test_what_is_not_known_is_no_pass() -> None:
    open_ = step("s@1", verdict="undecided", ratio=0.9)
    gap = step("s", verdict="not compared", ratio=None, interval=None, baseline=None)
    went = [*results("stock", "s@1"), *results("s", outcome="error")]
    made = series([open_, step("s@2"), gap], went=went)
    assert said(made, "le_fit_alloc_test") == ["-10.0 % undecided", "+0.00 % same", "not compared"]
    assert said(made, "model_test") == ["ok", "not run", "rig failed"]
    assert words.conclusion(made) == (
        "s: no patch is known to be bad, but not all is known of s@1 (1 test undecided), s@2 (1 test not run),"
        " s (1 test rig failed, 1 test not compared)"
    )


def test_what_is_not_known_before_the_first_bad_patch_is_said() -> None:
    made = series([step("s@1", verdict="undecided", ratio=0.9), worse("s@2"), step("s", verdict="undecided", ratio=0.9)])
    assert words.conclusion(made) == (
        f"s: first bad: {TWO} (s@2, le_fit_alloc_test +14.0 % against s@1 on x86_64);"
        " before it not all is known of s@1 (1 test undecided)"
    )


def test_a_failure_without_a_finding_is_no_pass_and_blames_nobody() -> None:
    made = series(went=[*results("stock", "s@1", "s"), *results("s@2", outcome="failed")])
    assert said(made, "model_test") == ["ok", "failed without a finding", "ok"]
    assert words.conclusion(made) == (
        "s: no patch is known to be bad, but not all is known of s@2 (1 test failed without a finding)"
    )


def test_patches_that_were_not_tried_apart_are_all_named() -> None:
    made = series(
        [step("s@1"), worse("s", against="s@1")], [], results("stock", "s@1", "s"), {n: PATCHES[n] for n in ("stock", "s@1", "s")}
    )
    assert words.conclusion(made).startswith(f"s: first bad: one of {TWO}, {THREE} (s, le_fit_alloc_test +14.0 %")


def test_without_stock_nothing_is_known_of_it() -> None:
    run = {name: names for name, names in PATCHES.items() if name != "stock"}
    assert words.conclusion(series(patches=run)).endswith("; stock was not run, so that its own findings are not known")


def test_known_bugs_skipped_tests_and_deaths_at_boot_have_their_words() -> None:
    known = found("s", expected="an overflow")
    went = [*results("stock", "s@1"), *results("s@2", outcome="skipped"), *results("s", outcome="xfailed")]
    boots = results(test="boot under wall")
    made = series(findings=[known, found("s", test="boot", kind="hang", fingerprint="hang")], went=[*went, *boots])
    assert said(made, "model_test") == ["ok", "skipped", "known bug"]
    assert said(made, "boot") == ["ok", "ok", "FAILED"]
    assert said(series(went=[*results(), *boots]), "boot under wall") == [], "a boot that went well is no row"


def test_the_sizes_of_a_sweep_are_rows_only_where_something_went_wrong() -> None:
    good = results(test="sweep_churn@busy=1000")
    bad = [
        *results("stock", "s@1", test="sweep_long@busy=1000"),
        *results("s@2", "s", test="sweep_long@busy=1000", outcome="error"),
    ]
    made = series(went=[*good, *bad])
    assert said(made, "sweep_churn@busy=1000") == []
    assert said(made, "sweep_long@busy=1000") == ["ok", "rig failed", "rig failed"]


def test_a_comparison_of_two_runs_has_no_patches_to_judge() -> None:
    assert prefixes.series(make.provenance(patches=PATCHES), [], [], []) == []


def test_entries_have_the_colours_of_what_they_say() -> None:
    went = [*results("stock", "s@1"), *results("s@2", "s", outcome="failed")]
    made = series([worse("s@1"), step("s@2", verdict="faster", ratio=0.5)], [found("s@2"), found("s")], went)
    kinds = [words.kind(entry) for matrix in made.matrices for row in matrix.rows for entry in row.entries]
    assert kinds == ["bad", "good", "open", "", "bad", "open"]
