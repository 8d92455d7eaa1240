# SPDX-License-Identifier: GPL-2.0-only
"""A bisect in words, where it is not as simple as one patch that is bad."""

from __future__ import annotations

from typing import Any

from harness.model.bisection import Begun
from harness.model.records import SPACE
from harness.model.selection import Selection
from harness.report import bisection
from harness.report.bisection import command, sentences, variant
from harness.stats.compare import Comparison
from harness.stats.cost_steps import CostStep, CostSteps
from harness.stats.first_failure import FirstFailure, Tally
from tests.support.content import comparison, slower, summary


def begun(**other: Any) -> Begun:
    fields: dict[str, Any] = {
        "date": "2026-01-02T03:04:05+00:00",
        "command": "invoke bisect mine --test le_fit_alloc_test",
        "wanted": Selection(tests="le_fit_alloc_test", plain=True, jobs=2),
        "series": "mine",
        "patches": ("a.patch", "b.patch", "c.patch", "d.patch"),
        "subjects": ("do a", "do b", "do c", "do d"),
        "machines": ("x86_64",),
        "tests": ("le_fit_alloc_test",),
        "metric": "cost",
        "boots": 3,
        "tries": 0,
        "identity": "0" * 16,
    }
    return Begun(**{**fields, **other})


def undecided(change: float) -> Comparison:
    return slower(change, verdict="undecided", interval=(0.99, 1.05), more=12)


def cost(*steps: CostStep, whole: Comparison | None = None, **other: Any) -> list[str]:
    """Return the sentences of a cost that was searched, without the machine's name and the commands."""
    said = sentences(begun(**other), {"x86_64": CostSteps(whole or slower(4.0), steps)})
    return [line.removeprefix("x86_64: ") for line in said if " again: " not in line]


def test_names_of_prefixes() -> None:
    assert [variant(begun(), number) for number in range(5)] == ["stock", "mine@1", "mine@2", "mine@3", "mine"]
    assert [variant(begun(series="mine@7", patches=("",) * 7), number) for number in (0, 6, 7)] == ["stock", "mine@6", "mine@7"]


def test_patches_that_add_up_are_told_together() -> None:
    first = cost(CostStep(0, 4, slower(4.0), spread=True))[0]
    assert first.startswith(
        "patches 1 to 4 of 4 together make le_fit_alloc_test slower, +4.0 %, 95 % interval +4.0 to +4.0, and no half"
    )


def test_a_step_that_is_undecided_is_no_step() -> None:
    said = cost(CostStep(1, 2, undecided(2.0)), CostStep(2, 3, slower(2.0)))
    assert said[0].startswith('patch 2 of 4, "do b" (b.patch), may change le_fit_alloc_test: undecided, +12 boots')
    assert said[1].startswith('patch 3 of 4, "do c" (c.patch), makes le_fit_alloc_test slower')
    steps = CostSteps(slower(), (CostStep(1, 2, undecided(2.0)),))
    assert not steps.found


def test_a_step_without_figures_between_names_its_patches() -> None:
    first = cost(CostStep(1, 3, slower(2.0)))[0]
    assert first.startswith("one of these patches of 4 makes le_fit_alloc_test slower, +2.0 %, 95 % interval +2.0 to +2.0: ")
    assert ': 2, "do b" (b.patch); 3, "do c" (c.patch) (mine@1 ' in first


def test_space_is_larger_and_not_slower() -> None:
    measured = summary((110.0,), (110.0,), (110.0,), unit=SPACE)
    assert " larger, +50.0 %" in cost(CostStep(0, 1, slower(50.0, baseline=measured, measured=measured)))[0]


def test_a_cost_that_is_the_same_has_its_figure() -> None:
    same = comparison(verdict="same", ratio=1.001, interval=(0.999, 1.002))
    said = sentences(begun(), {"x86_64": CostSteps(same, obstacle="it is the same")})
    assert said == ["x86_64: it is the same (+0.10 %, 95 % interval -0.10 to +0.20)."]


def test_each_step_has_a_command_and_boots_only_if_they_were_asked_for() -> None:
    result = CostSteps(slower(), (CostStep(0, 1, slower()), CostStep(3, 4, slower())))
    said = [line for line in sentences(begun(), {"x86_64": result}) if " again: " in line]
    assert said == [
        f"x86_64: again: invoke test --machine x86_64 --variant {variants} --tests le_fit_alloc_test --plain"
        for variants in ("stock,mine@1", "mine@3,mine")
    ]
    wanted = Selection(tests="le_fit_alloc_test", boots=3)
    assert "--boots 3" in sentences(begun(wanted=wanted), {"x86_64": result})[-1]
    longer = summary(*[(5120.0,)] * 12)
    more = CostSteps(slower(), (CostStep(0, 1, slower(baseline=longer, measured=longer)),))
    assert "--boots 12" in sentences(begun(), {"x86_64": more})[-1]


def test_a_command_has_all_that_was_asked_for() -> None:
    wanted = Selection(tests="x", loops=0.5, unsettled=True, source="a folder", kernel="4.18", series="/s/mine", margin=0.5, jobs=2)
    told = begun(wanted=wanted, command="env RIG_SOURCE=/linux invoke bisect --series mine")
    assert command(told, ["x86_64", "aarch64"], (1, 2)) == (
        "env RIG_SOURCE=/linux invoke test --machine x86_64,aarch64 --variant mine@1,mine@2 --tests x --loops 0.5 --unsettled"
        " --source 'a folder' --series /s/mine --kernel 4.18 --margin 0.5"
    )
    assert "--series" not in command(told, ["x86_64"], (0,)), "stock is none of its"


def test_another_finding_of_the_whole_series_is_told() -> None:
    bad = Tally(2, 1, 1, "bug in f", ("a",))
    good = (Tally(0, 3), Tally(1, 3))

    def said(whole: Tally) -> list[str]:
        return sentences(begun(metric="failure"), {"x86_64": FirstFailure(whole, good, (bad, whole))})

    other = "x86_64: The whole series showed another finding too (oops in g): bisect again once this one is mended."
    assert other in said(Tally(4, 3, 3, "oops in g", ("a", "b")))
    assert not [line for line in said(Tally(4, 3, 3, "bug in f", ("a",))) if "another finding" in line]


def test_a_whole_series_that_is_the_patch_is_not_told_twice() -> None:
    whole = Tally(4, 3, 2, "bug in f", ("a",))
    said = sentences(begun(metric="failure"), {"x86_64": FirstFailure(whole, (Tally(3, 6),), (whole,))})
    assert said[0].endswith("With it le_fit_alloc_test failed in 2 of 3 boots (bug in f); mine@3 passed in 6 boots.")


def test_words_of_a_mail_harm_no_terminal() -> None:
    subjects = ("\x1b]0;title\x07", "do b", "do c", "do d")
    assert "\x1b" not in cost(CostStep(0, 1, slower()), subjects=subjects)[0]
    assert bisection.sentences(begun(), {}) == []
