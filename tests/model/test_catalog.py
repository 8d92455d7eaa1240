# SPDX-License-Identifier: GPL-2.0-only
"""Choosing tests by name, kind and pattern, and what profiles are good for."""

from __future__ import annotations

import pytest

from harness import paths
from harness.errors import UsageError
from harness.model import catalog


def test_tests_are_chosen_by_name_and_by_kind() -> None:
    every = [test.name for test in catalog.suite().tests if test.kind != "sweep"]
    assert list(catalog.choose("all")) == list(catalog.choose("")) == every
    assert len(catalog.choose("sweep")) == len(catalog.suite().tests) - len(every) > 0
    performance, stress = catalog.choose("performance"), catalog.choose("stress")
    assert performance
    assert stress
    assert sorted([*performance, *stress]) == sorted(every)
    assert catalog.choose(f"{every[1]}, {every[0]},{every[1]}") == (every[1], every[0])


@pytest.mark.parametrize("wanted", ["le_fit_aloc_test", "le_fit_alloc_test,le_fit_aloc_test"])
def test_an_unknown_test_gets_a_hint(wanted: str) -> None:
    with pytest.raises(UsageError, match=r"no test 'le_fit_aloc_test'; did you mean 'le_fit_alloc_test'\?"):
        catalog.choose(wanted)


def test_tests_are_chosen_by_pattern() -> None:
    every = [test.name for test in catalog.suite().tests]
    sweeps = tuple(name for name in every if name.startswith("sweep_"))
    assert catalog.choose("sweep_*") == sweeps
    assert len(sweeps) > 2
    assert catalog.choose("sweep_free_*, le_fit_alloc_tes?") == ("sweep_free_merge", "sweep_free_no_merge", "le_fit_alloc_test")
    assert set(catalog.choose("performance,fault_*")) == {*catalog.choose("performance"), "fault_alloc_test", "fault_pcpu_test"}
    assert set(catalog.choose("*")) == set(every)


@pytest.mark.parametrize(
    ("wanted", "near"),
    [
        ("le_fit", "le_fit_alloc_test"),
        ("swep_*", "sweep"),
        ("performance,strss", "stress"),
        ("fault_", "fault_alloc_test' or 'fault_pcpu_test"),
    ],
)
def test_the_nearest_test_is_named_and_no_other(wanted: str, near: str) -> None:
    with pytest.raises(UsageError) as caught:
        catalog.choose(wanted)
    assert str(caught.value) == f"There is no test '{wanted.rpartition(',')[2]}'; did you mean '{near}'?"


@pytest.mark.parametrize("wanted", ["", " ", "zzz", "[", "*_nothing"])
def test_what_is_near_to_no_test_gets_a_short_hint(wanted: str) -> None:
    with pytest.raises(UsageError) as caught:
        catalog.choose(f"stress,{wanted}")
    assert str(caught.value).count("'") <= 8
    assert "known are" not in str(caught.value)


def test_the_profiles_with_fault_injection_are_those_that_configure_it() -> None:
    for fragment in paths.FRAGMENTS.glob("profile-*.config"):
        configured = {"CONFIG_FAIL_PAGE_ALLOC=y", "CONFIG_FAULT_INJECTION_DEBUG_FS=y"} <= set(fragment.read_text().splitlines())
        assert catalog.profile_use(fragment.stem.removeprefix("profile-")).faults == configured, fragment.name
