# SPDX-License-Identifier: GPL-2.0-only
"""The contents of the cache, and what is removed of it."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path

import msgspec
import pytest

from harness import paths
from harness.build.rootfs import Rootfs
from harness.commands import cache
from harness.errors import RigError
from harness.host import files
from harness.model.matrix import Base
from harness.report import cache as tables
from harness.suite import plan
from tests.support import make
from tests.support.screen import on_terminal

DAY = 24 * 3600.0
NOW = time.time()


@pytest.fixture(autouse=True)
def held(tmp_path: Path, results: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache with entries of several ages."""
    monkeypatch.setenv("RIG_CACHE", str(tmp_path / "cache"))
    for name, days in (("kernels/old", 9), ("kernels/new", 3), ("trees/4.18/mine", 5), ("modules/m", 0.5), ("sources/linux", 99)):
        add(name, days)
    return paths.cache()


def add(name: str, days: float, size: int = 1000) -> Path:
    """Make an entry of `size` bytes that was used `days` ago."""
    folder = paths.cache() / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "file").write_bytes(b"x" * size)
    for path in (folder / "file", folder):
        os.utime(path, (NOW - days * DAY,) * 2)
    return folder


def shown() -> str:
    """Return the table on a terminal of 80 columns."""
    return on_terminal(tables.tables(cache.entries(NOW)), width=80)


def names(limit: int) -> list[str]:
    return [str(entry.path.relative_to(paths.cache())) for entry in cache.prune(limit, NOW)]


def test_what_was_not_used_for_the_longest_time_goes_first(held: Path) -> None:
    assert names(5000) == []
    assert names(3500) == ["kernels/old", "trees/4.18/mine"]
    assert names(0) == ["kernels/new"], "a source may be the user's own, and the module was used today"
    assert sorted(path.name for path in held.glob("*/*") if path.suffix != ".lock" and path.name != "4.18") == ["linux", "m"]


def test_use_counts_and_not_age(held: Path) -> None:
    folder = held / "kernels/old"
    files.seal(folder)
    for path in (folder, folder / "file", folder / files.SEAL):
        os.utime(path, (NOW - 9 * DAY,) * 2)
    assert files.whole(folder)
    assert "kernels/old" not in names(0)


def test_what_the_last_build_and_unfinished_runs_need_stays(base: Base, held: Path, results: Path) -> None:
    def needs(kernel: str) -> plan.Plan:
        made = make.plan(base)
        (built,) = made.cells
        built = msgspec.structs.replace(
            built,
            kernel=msgspec.structs.replace(built.kernel, folder=held / "kernels" / kernel, module=held / "modules/m/x.ko"),
            rootfs=Rootfs(held / "rootfs/r/image", "0" * 64, make.INITRAMFS, {}),
        )
        return msgspec.structs.replace(made, cells=(built,))

    add("rootfs/r", 9)
    plan.save(needs("old"), held / "plan.json")
    run = make.stored(results, "20260102-030405-abcd", [make.sample(1.0)], finished="")
    plan.save(needs("new"), run.folder / "plan.json")
    by_name = {entry.path.name: entry.kept for entry in cache.entries(NOW)}
    assert by_name["old"] == by_name["r"] == "needed by the last build"
    assert by_name["new"] == "needed by 20260102-030405-abcd"
    assert names(0) == ["trees/4.18/mine"]
    run.change(finished="2026-01-02T03:05:05+00:00")
    run.add([make.result("error")])
    assert names(0) == [], "--resume offers a run in which the rig failed"
    (run.folder / "results.jsonl").unlink()
    assert names(0) == ["kernels/new"]


def test_what_cannot_be_read_protects_nothing_and_breaks_nothing(held: Path, results: Path) -> None:
    (held / "plan.json").write_bytes(b"\xff{")
    (results / "broken").mkdir(parents=True)
    (results / "broken/run.json").write_text("[]")
    assert names(4500) == ["kernels/old"]


def test_an_entry_that_another_rig_holds_stays(held: Path) -> None:
    with files.locked(held / "kernels/old"), files.shared(held / "trees/4.18/mine"):
        assert names(0) == ["kernels/new"]
    assert names(0) == ["kernels/old", "trees/4.18/mine"]


def test_a_build_and_a_removal_that_were_cut_off_are_finished(held: Path) -> None:
    add("modules/.m.a1b2c3d4", 2)
    add("modules/.n.a1b2c3d4", 0.1)
    add("kernels/.removing-k", 0.1)
    assert names(6500) == ["kernels/old"]
    assert not (held / "kernels/.removing-k").exists()
    assert names(5500) == ["trees/4.18/mine"]
    assert names(4500) == ["kernels/new"]
    assert names(3500) == ["modules/.m.a1b2c3d4"]
    assert (held / "modules/.n.a1b2c3d4").exists(), "it may still be under way"


def test_a_removal_that_was_cut_off_is_finished_where_nothing_else_is(held: Path) -> None:
    add("mutants/.removing-0", 0.1)
    add("trees/6.1/.removing-stock", 0.1)
    assert names(10_000) == []
    assert not list(held.rglob(".removing-*"))


def test_a_folder_that_is_being_filled_stays(held: Path) -> None:
    with files.scratch(held / "kernels", "k") as filled:
        for path in (filled, *filled.iterdir()):
            os.utime(path, (NOW - 9 * DAY,) * 2)
        assert filled.name not in [Path(name).name for name in names(0)]
        assert filled.exists()


def test_a_log_is_removed_without_a_lock_beside_it(held: Path) -> None:
    log = add("errors", 10) / "file"
    os.utime(log, (NOW - 10 * DAY,) * 2)
    assert names(5500) == ["errors/file"]
    assert not list((held / "errors").iterdir())


def test_a_folder_that_cannot_be_removed_is_named(held: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(Path, "rename", refused)
    with pytest.raises(RigError, match=r"kernels/old cannot be removed: Operation not permitted; remove it by hand"):
        names(0)


def test_an_empty_cache_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RIG_CACHE", str(tmp_path / "none"))
    assert cache.entries() == cache.prune(0) == []
    assert "0 B in all, of which 0 B may go." in shown()


def test_the_table_has_sizes_by_kind() -> None:
    add("kernels/huge", 4, 3 << 20)
    assert re.search(r"^ *kernel +3 +3 MiB +3 MiB ", shown(), re.M)
    assert "3 MiB in all, of which 3 MiB may go." in shown()
