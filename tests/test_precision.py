# SPDX-License-Identifier: GPL-2.0-only
"""What the rig says of its own precision."""

from __future__ import annotations

import random

from harness import precision
from harness.matrix import Clock
from harness.precision import Precision, Trial
from harness.records import Sample
from tests import make

MARGINS = {Clock.ICOUNT: 0.25, Clock.WALL: 5.0}


def samples(costs: dict[str, float], boots: int, noise: float) -> list[Sample]:
    rng = random.Random(1)
    return [
        make.sample(cost * (1 + rng.gauss(0, noise)), variant=variant, boot=boot, repeat=repeat)
        for variant, cost in costs.items()
        for boot in range(boots)
        for repeat in range(2)
    ]


def test_each_experiment_has_boots_of_its_own() -> None:
    made = samples({"stock": 1000.0, "twin": 1000.0, "plus-1": 1010.0}, boots=11, noise=1e-5)
    found = precision.trials(made, {"twin": 0.0, "plus-1": 1.0}, ["le_fit_alloc_test"], MARGINS, 5)
    assert {t.injected: t.verdicts for t in found} == {0.0: ("same", "same"), 1.0: ("slower", "slower")}
    assert all(t.found for t in found)
    (slower,) = [t for t in found if t.injected]
    assert abs(slower.measured - 1.0) < 0.01


def test_no_samples_are_no_trials() -> None:
    assert precision.trials([], {"twin": 0.0}, ["le_fit_alloc_test"], MARGINS, 5) == ()


def trial(injected: float, *verdicts: str, clock: Clock = Clock.ICOUNT, test: str = "le_fit_alloc_test") -> Trial:
    return Trial("x86_64", clock, test, injected, injected, verdicts)


def told(*trials: Trial) -> Precision:
    return Precision("2026-01-02", "a host", 5, MARGINS, "le_fit_alloc_test", {"x86_64": True}, trials)


def test_the_smallest_change_is_one_above_which_all_were_found() -> None:
    found = told(trial(0.5, "slower"), trial(1, "slower", "undecided"), trial(2, "slower", "slower"), trial(5, "slower"))
    assert found.smallest(Clock.ICOUNT) == 2
    assert found.smallest(Clock.WALL) is None
    assert told(trial(5, "same")).smallest(Clock.ICOUNT) is None
    assert told(trial(5, "slower"), trial(1, "same", test="b_fit_alloc_test")).smallest(Clock.ICOUNT) == 5


def test_a_false_alarm_is_told() -> None:
    sentence = told(trial(0, "same"), trial(0, "same", "slower"), trial(1, "slower")).sentence()
    assert "twins of stock the same in 1 of 2 tests, a change of 1 % was always found" in sentence
    assert "none of the changes tried was always found" in told(trial(1, "same", clock=Clock.WALL)).sentence()
