# SPDX-License-Identifier: GPL-2.0-only
"""What the rig says of its own precision."""

from __future__ import annotations

import random

from harness.model.clock import Clock
from harness.model.records import Sample
from harness.stats import sensitivity
from harness.stats.sensitivity import Sensitivity, Trial
from tests.support import make

LE_FIT = "le_fit_alloc_test"
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
    injected = {("x86_64", "twin"): 0.0, ("x86_64", "plus-1"): 1.0}
    found = sensitivity.trials(made, injected, ["le_fit_alloc_test"], MARGINS, 5)
    assert {t.injected: t.verdicts for t in found} == {0.0: ("same", "same"), 1.0: ("slower", "slower")}
    assert all(t.right for t in found)
    (slower,) = [t for t in found if t.injected]
    assert abs(slower.measured - 1.0) < 0.01


def test_no_samples_are_no_trials() -> None:
    assert sensitivity.trials([], {("x86_64", "twin"): 0.0}, ["le_fit_alloc_test"], MARGINS, 5) == ()


def trial(injected: float, *verdicts: str, machine: str = "x86_64", clock: Clock = Clock.ICOUNT, test: str = LE_FIT) -> Trial:
    return Trial(machine, clock, test, injected, injected, verdicts)


def told(*trials: Trial) -> Sensitivity:
    return Sensitivity("2026-01-02", "a host", 5, 2, MARGINS, LE_FIT, {"x86_64": True}, trials)


def test_the_smallest_change_is_one_above_which_all_were_found() -> None:
    found = told(trial(0.5, "slower"), trial(1, "slower", "undecided"), trial(2, "slower", "slower"), trial(5, "slower"))
    assert found.smallest(Clock.ICOUNT) == 2
    assert found.smallest(Clock.WALL) is None
    assert told(trial(5, "same")).smallest(Clock.ICOUNT) is None
    assert told(trial(5, "slower"), trial(1, "same", test="b_fit_alloc_test")).smallest(Clock.ICOUNT) == 5


def test_what_is_found_is_found_on_every_machine() -> None:
    one = (trial(0.5, "slower"), trial(1, "slower"))
    assert told(*one, trial(0.4, "same", machine="b"), trial(0.8, "slower", machine="b")).smallest(Clock.ICOUNT) == 0.8
    assert told(*one, trial(0.8, "same", machine="b")).smallest(Clock.ICOUNT) is None


def test_a_false_alarm_is_told_from_noise() -> None:
    noisy, alarmed = trial(0, "same", "undecided"), trial(0, "same", "faster")
    assert [(t.right, t.false_alarm) for t in (noisy, alarmed, trial(0, "same"), trial(1, "faster"))] == [
        (False, False),
        (False, True),
        (True, False),
        (False, False),
    ]
    sentence = told(trial(0, "same"), alarmed, trial(1, "slower")).sentence()
    assert "2 experiments of 5 boots: icount, margin 0.25 %: twins of stock the same in 1 of 2 tests" in sentence
    assert "slow-downs from 1 % on were found each time" in sentence
    assert "none of the slow-downs tried was found each time" in told(trial(1, "same", clock=Clock.WALL)).sentence()
