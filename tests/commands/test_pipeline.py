# SPDX-License-Identifier: GPL-2.0-only
"""A run that is interrupted: the user is told where it is and how it goes on."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from invoke.exceptions import Exit

from harness.build.kernel_tree import Tree
from harness.build.source import Sources
from harness.commands import options, pipeline
from harness.errors import Interrupted, UsageError
from harness.model.matrix import Base, Variant
from harness.model.selection import Selection, Where
from harness.runs import lifecycle
from tests.support import make


@pytest.mark.parametrize("elsewhere", [False, True])
def test_an_interrupt_names_the_run_and_how_it_goes_on(
    results: Path, base: Base, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, elsewhere: bool
) -> None:
    def begin(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(lifecycle, "begin", begin)
    parent = tmp_path / "other" if elsewhere else None
    with pytest.raises(Interrupted) as caught:
        pipeline.test(make.plan(base), Where(1), "invoke test", parent)
    (folder,) = [made for made in (parent or results).iterdir() if made.is_dir() and not made.is_symlink()]
    more = "" if elsewhere else f"; `invoke test --resume {folder.name}` goes on"
    told = f"interrupted; what was recorded so far is kept in {folder}{more}."
    assert str(caught.value) == told
    with pytest.raises(Exit) as ended, options.errors():
        raise caught.value
    assert (ended.value.code, str(ended.value)) == (130, f"kernel-patch-rig: {told}")


def test_tests_of_which_none_runs_in_the_profile_are_an_error_and_no_run(results: Path, base: Base) -> None:
    planned = make.plan(base, tests=("fault_alloc_test", "fault_pcpu_test"))
    with pytest.raises(UsageError) as caught:
        pipeline.test(planned, Where(1), "invoke test")
    assert str(caught.value) == (
        "None of these tests runs in kernels of the profile perf: fault_alloc_test, fault_pcpu_test."
        " Choose others with --tests, or other kernels with --profile."
    )
    assert not results.exists()


@pytest.mark.parametrize(("variants", "default", "alone"), [("stock", "", True), ("stock,a", "", False), ("stock", "a", False)])
def test_a_run_is_of_stock_alone_where_nothing_else_was_to_be_had(base: Base, variants: str, default: str, alone: bool) -> None:
    had = Sources(msgspec.structs.replace(base, default_series=default), Tree("c", "t", "4.18.0", "here"))
    cells = make.plan(base).cells[:1]
    built = tuple(
        msgspec.structs.replace(of, cell=msgspec.structs.replace(of.cell, variant=Variant(name)))
        for of in cells
        for name in variants.split(",")
    )
    assert pipeline.plan_of(Selection(), had, built).stock_only is alone


def test_an_interrupt_without_a_run_is_said_as_before() -> None:
    with pytest.raises(Exit, match=r"interrupted; what was recorded so far is kept\.") as ended, options.errors():
        raise KeyboardInterrupt
    assert ended.value.code == 130
