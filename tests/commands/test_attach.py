# SPDX-License-Identifier: GPL-2.0-only
"""Attaching to VMs that are up, and what is said where the one that was asked for is not."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import pytest

from harness.commands import attach
from harness.errors import UsageError
from harness.host import process
from harness.model.clock import Clock
from harness.vm.vms import State

CELL = "x86_64/free-list/perf"


def up(cache: Path, *found: tuple[str, Clock, str]) -> None:
    """Let VMs be up: cell, clock and after which test each was kept. Their QEMU is this process."""
    own = os.getpid()
    started = process.start_time(own)
    assert started
    for number, (cell, clock, kept) in enumerate(found):
        state = State(cell, clock, "key", own, started, 0, 0, 2200 + number, "tcg", ("qemu",), kept=kept)
        folder = cache / "vms" / f"vm-{number}"
        folder.mkdir(parents=True)
        (folder / "state.json").write_bytes(msgspec.json.encode(state))


def debug(cell: str, clock: str) -> Sequence[str]:
    return attach.debug(cell, clock, ())


def test_there_is_no_shell_where_no_vm_is_up() -> None:
    with pytest.raises(UsageError, match="No VM of x86_64/stock/perf is up; run `invoke boot` first"):
        attach.ssh("x86_64/stock/perf", "")


@pytest.mark.parametrize("task", [attach.ssh, debug])
@pytest.mark.parametrize(("asked", "other"), [("wall", Clock.ICOUNT), ("icount", Clock.WALL)])
def test_a_vm_under_another_clock_is_said_so(
    cache: Path, task: Callable[[str, str], Sequence[str]], asked: str, other: Clock
) -> None:
    up(cache, (CELL, other, ""), ("x86_64/stock/perf", Clock(asked), ""))
    with pytest.raises(UsageError) as caught:
        task(CELL, asked)
    assert (
        str(caught.value) == f"No VM of {CELL} is up under {asked}, but one is under {other}; say --clock {other}, or leave it out."
    )


def test_an_unknown_clock_is_said_so(cache: Path) -> None:
    up(cache, (CELL, Clock.ICOUNT, ""))
    with pytest.raises(UsageError, match=r"There is no clock 'walk'; known are icount, wall\."):
        attach.ssh(CELL, "walk")


def test_the_nearest_cell_that_is_up_is_named(cache: Path) -> None:
    up(cache, (CELL, Clock.ICOUNT, ""))
    with pytest.raises(UsageError, match=rf"No VM of x86_64/freelist/perf is up; did you mean '{CELL}'\?"):
        attach.ssh("x86_64/freelist/perf", "wall")


def test_a_vm_that_was_kept_comes_first(cache: Path) -> None:
    up(cache, (CELL, Clock.ICOUNT, ""), (CELL, Clock.WALL, "le_fit_alloc_test"))
    assert "2201" in " ".join(attach.ssh(CELL, ""))
    assert "2200" in " ".join(attach.ssh(CELL, "icount"))
