# SPDX-License-Identifier: GPL-2.0-only
"""How a night begins: alone, without VMs from before, and with which kernels."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import filelock
import msgspec
import pytest

from harness import paths
from harness.commands import nightly
from harness.errors import UsageError
from harness.model.selection import Selection
from harness.stats.outcome import ExitCode
from tests.support.night import Night


def test_two_nights_at_once_are_one_too_many(night: Night) -> None:
    paths.RESULTS.mkdir()
    with filelock.FileLock(paths.RESULTS / ".nightly.lock"), pytest.raises(UsageError, match="A nightly run is under way"):
        night.run()
    assert not night.seen
    assert night.run() == ExitCode.GOOD


class Up:
    """A VM that somebody left up."""

    state = type("State", (), {"cell": "aarch64/stock/perf"})

    def __init__(self, seen: list[object]) -> None:
        self._seen = seen

    def stop(self) -> None:
        self._seen.append("stopped")


def test_no_vm_from_before_is_used(night: Night) -> None:
    def running() -> Iterator[Any]:
        yield Up(night.seen)

    night.parts = msgspec.structs.replace(
        night.parts,
        running=running,
        sweep=lambda: night.seen.append("swept"),
        stop_own=lambda: night.seen.append("own stopped"),
    )
    night.run()
    assert night.seen[:2] == ["swept", "stopped"]
    assert isinstance(night.seen[2], Selection)
    assert night.seen[-1] == "own stopped"
    assert "taking down aarch64/stock/perf, which was left up" in night.log


def test_a_mistyped_option_takes_nothing_down(night: Night) -> None:
    night.parts = msgspec.structs.replace(night.parts, running=lambda: [Up(night.seen)])
    with pytest.raises(UsageError, match="There is no machine 'x86'"):
        nightly.run(Selection(machine="x86"), "invoke nightly", night.parts)
    assert not night.seen


@pytest.mark.parametrize(
    ("wanted", "series", "variants"),
    [
        (Selection(), ["gap-tree"], ""),
        (Selection(), ["gap-tree", "other"], "stock,gap-tree,other"),
        (Selection(variant="stock"), ["free-list", "other"], "stock"),
        (Selection(series="mine"), ["free-list", "other"], ""),
        (Selection(kernel="6.1"), [], ""),
    ],
)
def test_every_series_is_tested(wanted: Selection, series: list[str], variants: str) -> None:
    assert nightly.everything(wanted, lambda _: series).variant == variants


def test_series_of_a_neighbour_are_not_tested_on_a_source_of_another_release(kernel_source: Path) -> None:
    makefile = kernel_source / "Makefile"
    assert nightly.everything(Selection(source=str(kernel_source)), lambda _: ["one", "two"]).variant == "stock,one,two"
    makefile.write_text(makefile.read_text().replace("PATCHLEVEL = 18", "PATCHLEVEL = 19"))
    assert nightly.everything(Selection(source=str(kernel_source)), lambda _: ["one", "two"]).variant == ""


def test_a_night_builds_every_profile_but_those_that_are_only_looked_into() -> None:
    assert nightly.everything(Selection()).profile == "perf,debug,latency"
    assert nightly.everything(Selection(profile="trace")).profile == "trace", "unless it is told to"
