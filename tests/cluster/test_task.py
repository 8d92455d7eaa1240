# SPDX-License-Identifier: GPL-2.0-only
"""A plan that has moved to another host names the files there."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.cluster import task
from harness.errors import RigError
from harness.model.matrix import Base
from tests.support import cells, make


def test_a_plan_moves_as_a_whole(base: Base, cache: Path) -> None:
    planned = cells.plan(base)
    there = Path("/there")
    (built,) = task.moved(planned, cache.resolve(), there).cells
    kernel = built.kernel
    assert (kernel.folder, kernel.image) == (there / "kernels/1111", there / "kernels/1111/image")
    assert kernel.module == there / "modules/2222/vmalloc_test.ko"
    assert kernel.debug_module == there / "modules/2222/debug/vmalloc_test.ko"
    assert built.rootfs.image == there / "rootfs/amd64-3/initramfs.cpio"
    assert task.moved(task.moved(planned, cache.resolve(), there), there, cache.resolve()) == planned


def test_a_plan_with_files_elsewhere_does_not_move(base: Base, cache: Path) -> None:
    with pytest.raises(RigError, match="The plan names a file outside of the cache"):
        task.moved(make.plan(base), cache, Path("/there"))


def test_a_session_is_known_by_its_name(base: Base, cache: Path) -> None:
    planned = cells.plan(base)
    assert task.named(planned, "x86_64-stock-perf-icount-0") == planned.sessions[0]
    with pytest.raises(RigError, match="The plan has no session x86_64-stock-perf-icount-7"):
        task.named(planned, "x86_64-stock-perf-icount-7")


def test_a_soak_has_one_session_a_cell(base: Base, cache: Path) -> None:
    planned = cells.plan(base, hours=0.5, seed=3)
    (session,) = task.sessions(planned)
    assert (session.name, session.steps) == ("x86_64-stock-perf-wall-0", ())
    assert task.named(planned, session.name) == session
    with pytest.raises(RigError, match="The plan has no session x86_64-stock-perf-icount-0"):
        task.named(planned, "x86_64-stock-perf-icount-0")
