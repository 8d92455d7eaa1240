# SPDX-License-Identifier: GPL-2.0-only
"""QEMU's plugin on a guest that does a known number of things: exact counts, sections, and files in their order."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec
import pytest

from harness.model.coverage import BETWEEN, BOOT
from harness.model.matrix import machine_names
from harness.suite import coverage
from harness.suite.attribution import Memory
from harness.vm import blocks
from harness.vm.blocks import Block, Dump
from tests.support import guest
from tests.support.guest import Guest

LOOPS = 1000
"""of the guest's timed loop"""
IN_LOOP = {
    "loop": 11,
    "locks": 7,
    "disables": 7,
    "disables_and_locks": 9,
    "locks_and_disables": 10,
    "jumps": 6,
    "takes_by_jump": 2,
    "drops_by_jump": 2,
    "varies": 8,
    "enables": 6,
    "returns": 10,
    "indirect": 7,
    "_raw_spin_lock": 6 * 2,
    "_raw_spin_unlock": 6 * 2,
}
"""instructions of each pass of the loop by function, as guest.S has them"""
ONCE = {"upper": 1, "loop": 1, "loop_ends": 2, "varies": 10 - 1}
"""those beside: the loop's counter is set, its end is called, and one section is longer"""
SECTIONS = {
    # where it began: instructions, and where it ended
    "locks_takes": (2 + 2 + 1, "locks_drops"),
    "disables_begins": (4, "disables_ends"),
    "disables_and_locks_begins": (1 + 1 + 2 + 1 + 1 + 2, "disables_and_locks_drops"),
    "locks_and_disables_takes": (2 + 4 + 2 + 1, "locks_and_disables_drops"),
    "takes_by_jump_jumps": (2 + 2 + 2, "drops_by_jump_jumps"),
    "varies_takes": (2 + 2 + 1, "varies_drops_late"),
    "enables_begins": (4, "enables_ends"),
    "returns_begins": (1 + 7, "returns_ends"),
    "_raw_spin_lock": (2 + 1 + 1, "indirect_drops"),
}
KINDS = ["other", "loop", "test", "other", "test", "other"]


@pytest.fixture(scope="module", params=machine_names())
def ran(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Guest, list[Dump]]]:
    """A guest that ran once for all tests, and what the plugin wrote of it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RIG_CACHE", str(tmp_path_factory.mktemp("c") / "cache"))
        made = guest.assembled(request.param, tmp_path_factory.mktemp("guest"))
        yield made, made.run()


@pytest.fixture
def made(ran: tuple[Guest, list[Dump]]) -> Guest:
    return ran[0]


@pytest.fixture
def dumps(ran: tuple[Guest, list[Dump]]) -> list[Dump]:
    return ran[1]


def by_function(of: Guest, ran: Iterable[Block]) -> dict[str, int]:
    """Return how many instructions ran of each function."""
    memory = Memory(of.file, of.symbols, of.file, {}, ())
    return {function.function: int(function.instructions) for function in memory.functions(ran, 1)}


def calls(of: Guest, dump: Dump) -> int:
    """Return how often the function `idle` ran, which tells the parts of the guest apart."""
    return by_function(of, dump.blocks).get("idle", 0) // 2


def test_each_instruction_of_the_loop_is_counted(made: Guest, dumps: list[Dump]) -> None:
    assert [dump.kind for dump in dumps] == KINDS
    assert [dump.number for dump in dumps] == list(range(6))
    loop = dumps[1]
    wanted = Counter({function: LOOPS * each for function, each in IN_LOOP.items()}) + Counter(ONCE)
    assert by_function(made, loop.blocks) == wanted
    assert sum(block.times * len(block.sizes) for block in loop.blocks) == 109_013
    assert not loop.lost


def test_sections_are_counted_from_where_they_begin_to_where_they_end(made: Guest, dumps: list[Dump]) -> None:
    loop, labels = dumps[1], made.labels
    found = {of.began: (of.times, of.sum, of.longest, of.ended) for of in loop.sections}
    wanted = {labels[began]: (LOOPS, LOOPS * each, each, labels[ended]) for began, (each, ended) in SECTIONS.items()}
    each, ended = SECTIONS["varies_takes"]
    wanted[labels["varies_takes"]] = (LOOPS, LOOPS * each + 10, each + 10, labels[ended])
    assert found == wanted


def test_what_runs_in_tests_is_told_from_what_runs_beside(made: Guest, dumps: list[Dump]) -> None:
    assert [calls(made, dump) for dump in dumps] == [3, 0, 0, 2, 5, 7]
    tested = by_function(made, dumps[2].blocks)
    assert tested["loop"] == LOOPS * IN_LOOP["loop"] + 1, "a test has its loop's blocks too"
    assert not any(dump.sections for dump in dumps if dump.kind != "loop")


def test_a_guest_that_ends_in_a_test_has_that_in_its_last_file(made: Guest, tmp_path: Path) -> None:
    ended = guest.assembled(made.machine.name, tmp_path, "CRASHES")
    dumps = ended.run()
    assert [dump.kind for dump in dumps] == ["other", "loop", "test", "other", "test"]
    assert calls(ended, dumps[-1]) == 5
    first = {test: by_function(ended, ran).get("idle", 0) // 2 for test, ran in coverage.by_test("first", dumps[:3]).items()}
    assert first == {BOOT: 3, "first": 0}
    second = {test: by_function(ended, ran)["idle"] // 2 for test, ran in coverage.by_test("second", dumps[3:]).items()}
    assert second == {BETWEEN: 2, "second": 5}


@pytest.mark.parametrize("kills", [False, True], ids=["SIGTERM", "SIGKILL"])
def test_a_qemu_that_is_ended_in_a_test_leaves_whole_files(made: Guest, tmp_path: Path, kills: bool) -> None:
    spins = guest.assembled(made.machine.name, tmp_path, "SPINS")
    spins.folder.mkdir()
    deadline = time.monotonic() + guest.PATIENCE
    with spins.start(*guest.ALONE) as qemu:
        try:
            while not (spins.folder / "000003.other").exists() and time.monotonic() < deadline:
                time.sleep(0.01)
            (qemu.kill if kills else qemu.terminate)()
            qemu.wait(guest.PATIENCE)
        finally:
            qemu.kill()
    dumps = blocks.taken(spins.folder)
    assert [dump.kind for dump in dumps] == ["other", "loop", "test", "other", *([] if kills else ["test"])]
    assert kills or by_function(spins, dumps[-1].blocks)["spins"] > 0
    assert not [path for path in spins.folder.iterdir() if path.name != "part"]


def test_with_several_cpus_there_are_no_loops(made: Guest) -> None:
    dumps = made.run(("-smp", "2"))
    assert [dump.kind for dump in dumps] == [kind for kind in KINDS if kind != "loop"]
    assert [calls(made, dump) for dump in dumps] == [3, 0, 2, 5, 7]


def test_the_same_guest_has_the_same_figures(made: Guest, dumps: list[Dump]) -> None:
    assert made.run() == dumps


def test_files_that_cannot_be_written_are_said_and_the_guest_goes_on(made: Guest, tmp_path: Path) -> None:
    nowhere = msgspec.structs.replace(made, folder=tmp_path / "file")
    nowhere.folder.write_text("where the folder should be")
    with nowhere.start(*guest.ALONE) as qemu:
        said, _ = qemu.communicate(timeout=guest.PATIENCE)
    rows = [row for row in said.splitlines() if row.startswith("blocks: ")]
    assert rows == [f"blocks: {nowhere.folder}/part cannot be written: Not a directory"] * len(KINDS)
