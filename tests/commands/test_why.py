# SPDX-License-Identifier: GPL-2.0-only
"""Asking a run why it is slower and which lines ran: the names that are taken, and what is said where there is no answer."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.commands import why
from harness.errors import UsageError
from harness.model.run_folder import Run
from tests.support import make
from tests.support.counted import changed, counted, function, reached


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A run of two machines, tests and variants."""
    made = make.stored(tmp_path, patches={"stock": (), "mine": ("z.patch", "a.patch"), "mine@1": ("z.patch",)})
    made.add(
        counted(function("f", 10.0), machine=machine, test=test, variant=variant)
        for machine in ("x86_64", "aarch64")
        for test in ("ne_fit_alloc_test", "model_test")
        for variant in ("stock", "mine", "mine@1")
    )
    made.add([changed(50, patch="z.patch"), changed(10, patch="a.patch"), reached("a_test", 50)])
    return made


def test_all_comparisons_of_a_run(run: Run) -> None:
    assert len(why.explain(run)) == 8
    assert {of.against for of in why.explain(run)} == {"stock"}


@pytest.mark.parametrize(
    ("test", "full"),
    [("ne_fit", "ne_fit_alloc_test"), ("ne_fit_alloc", "ne_fit_alloc_test"), ("model", "model_test"), ("model_test", "model_test")],
)
def test_a_test_goes_by_its_short_name(run: Run, test: str, full: str) -> None:
    assert {of.test for of in why.explain(run, test=test)} == {full}


def test_options_are_taken_together(run: Run) -> None:
    (found,) = why.explain(run, "aarch64", "model", "mine@1")
    assert (found.machine, found.test, found.variant) == ("aarch64", "model_test", "mine@1")


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ({"machine": "x86"}, "has no machine 'x86'; did you mean 'x86_64'?"),
        ({"test": "ne_fitt"}, "has no test 'ne_fitt'; known are model_test, ne_fit_alloc_test."),
        ({"variant": "min"}, "has no variant 'min'; did you mean 'mine'?"),
        ({"variant": "stock"}, "has no variant 'stock'; known are mine, mine@1."),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_name_that_a_run_does_not_have_gets_a_hint(run: Run, wanted: dict[str, str], said: str) -> None:
    with pytest.raises(UsageError) as caught:
        why.explain(run, **wanted)
    assert str(caught.value) == f"{run.folder.name} {said}"


def test_a_machine_and_a_variant_go_by_their_whole_name(tmp_path: Path) -> None:
    run = make.stored(tmp_path)
    run.add(counted(function("f", 1.0), variant=variant) for variant in ("stock", "my_test", "my"))
    assert [of.variant for of in why.explain(run, variant="my")] == ["my"]


def test_a_run_without_counts_says_why(tmp_path: Path) -> None:
    run = make.stored(tmp_path)
    for answer in (why.explain, why.covered):
        with pytest.raises(UsageError, match=r"made with --plain, by an older rig, or with a QEMU without plugins"):
            answer(run)


def test_a_run_of_stock_alone_has_nothing_to_compare(tmp_path: Path) -> None:
    run = make.stored(tmp_path)
    run.add([counted(function("f", 1.0)), changed(variant="stock")])
    with pytest.raises(UsageError, match=r"does not have the instructions by function of stock and a variant"):
        why.explain(run)
    with pytest.raises(UsageError, match=r"none of its variants changes a line that there is code of\.$"):
        why.covered(run)


def test_patches_are_in_the_order_of_the_series(run: Run) -> None:
    (found,) = why.covered(run)
    assert [(of.patch, len(of.unreached)) for of in found.files] == [("z.patch", 0), ("a.patch", 1)]
