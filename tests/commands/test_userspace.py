# SPDX-License-Identifier: GPL-2.0-only
"""The allocator in user space: it finds what is wrong, and nothing where nothing is."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, find, given, settings
from hypothesis import strategies as st

from harness.commands import userspace, userspace_trace
from harness.errors import UsageError
from harness.model.known_bugs import UserspaceBug
from harness.model.selection import Selection
from harness.model.userspace import LAYOUTS, Leg, Outcome, explained, legs, missing, read
from harness.report import userspace as report
from tests.support import screen
from tests.support.userspace import base, program, small

SMALL = Leg("small", 1, 15_000, 7)
BUG = UserspaceBug("^bug: kernel BUG", "wrap", "addresses wrap")


def run(folder: Path, variant: str, leg: Leg, mutant: str = "") -> Outcome:
    bugs = base().userspace_bugs if variant == "stock" else ()
    return userspace.run_leg(userspace.Program(variant, program(variant, mutant), bugs), leg, folder)


# Real allocators


@pytest.mark.parametrize("layout", LAYOUTS)
def test_stock_shows_its_bugs_and_passes_without_them(layout: str, tmp_path: Path) -> None:
    outcome = run(tmp_path, "stock", msgspec.structs.replace(SMALL, layout=layout))
    assert not outcome.failure
    assert {"wrap", "exact"} <= {bug.without for bug in outcome.known}
    assert not missing("stock", [outcome], base().userspace_bugs)


@pytest.mark.parametrize("variant", ["fixes", "free-list"])
@pytest.mark.parametrize("cpus", [1, 3])
def test_a_series_that_is_right_passes(variant: str, cpus: int, tmp_path: Path) -> None:
    outcome = run(tmp_path, variant, msgspec.structs.replace(SMALL, cpus=cpus))
    assert not outcome.failure
    counts = {kind: (done, refused) for kind, done, refused in outcome.counts}
    assert all(done for done, _ in counts.values()), "an operation was never tried"
    assert counts["get"][1], "nothing was refused"


@pytest.mark.parametrize(
    ("mutant", "kinds"),
    [
        ("no-purge-when-full", {"refused"}),
        ("alignment-halved", {"alignment"}),
        ("object-leaked-when-refused", {"sanitizer", "leak"}),
    ],
)
def test_a_bug_made_on_purpose_is_found(mutant: str, kinds: set[str], tmp_path: Path) -> None:
    assert run(tmp_path, "free-list", SMALL, mutant).kind in kinds


def test_a_failure_is_shortened_to_what_repeats_it(tmp_path: Path) -> None:
    outcome = userspace.run_leg(userspace.Program("stock", program("stock")), SMALL, tmp_path)
    assert outcome.kind
    assert 0 < outcome.shortest < 30
    operations = outcome.trace.read_text().splitlines()
    assert len(operations) == outcome.shortest
    assert userspace_trace.replay(program("stock"), SMALL, operations)[0] == outcome.kind


def test_an_interleaving_is_repeated_by_its_seed(tmp_path: Path) -> None:
    beside = msgspec.structs.replace(SMALL, cpus=3, operations=5000)
    seen = [run(tmp_path, "free-list", msgspec.structs.replace(beside, seed=seed)).counts for seed in (1, 1, 2)]
    assert seen[0] == seen[1] != seen[2]


def test_an_address_space_of_32_bits(tmp_path: Path) -> None:
    probe = tmp_path / "probe.c"
    probe.write_text("int main(void) { return 0; }\n")
    if subprocess.run(("gcc", "-m32", probe, "-o", tmp_path / "probe"), capture_output=True, check=False).returncode:
        pytest.skip("NOT TESTED: gcc cannot build for 32 bits; Debian's gcc-multilib is what it needs")
    outcome = userspace.run_leg(userspace.Program("free-list", program("free-list", "", "-m32")), SMALL, tmp_path)
    assert not outcome.failure


def test_the_task_runs_a_series_by_its_name(results: Path) -> None:
    outcomes = userspace.run(Selection(variant="fixes", source=str(small()), jobs=2), 3000, 1)
    assert len(outcomes) == len(legs(3000, 1))
    assert not userspace.failed(outcomes)
    assert all(outcome.log.is_relative_to(results / "userspace") for outcome in outcomes)
    shown = screen.on_terminal(report.tables(outcomes))
    assert shown.count("passed") == len(outcomes)


# Sequences that Hypothesis makes and shortens; addresses are those of the small address space.

START, END, PAGE = 0xFFFFFF8008000000, 0xFFFFFF800B000000, 4096


@st.composite
def windows(draw: st.DrawFn) -> tuple[int, int]:
    if draw(st.booleans()):
        return START, END
    begin = draw(st.integers(-16, 64))
    return START + begin * PAGE, START + (begin + draw(st.integers(0, 48))) * PAGE


@st.composite
def gets(draw: st.DrawFn, largest_shift: int = 20) -> str:
    pages, shift = draw(st.integers(1, 12)), draw(st.integers(0, largest_shift))
    low, high = draw(windows())
    failing = draw(st.sampled_from((0, 0, 0, 1, 2, 3)))
    return f"get {pages * PAGE:#x} {1 << shift:#x} {low:#x} {high:#x} {draw(st.integers(0, 3))} {failing}"


def operations(largest_shift: int = 20) -> st.SearchStrategy[list[str]]:
    """Return lists of operations, as many that free as that allocate."""
    one = st.integers(0, 40)
    ways = (
        gets(largest_shift),
        gets(largest_shift),
        st.builds("put {} {} 0 0 0 0".format, one, st.integers(0, 2)),
        st.builds("put {} {} 0 0 0 0".format, one, st.integers(0, 2)),
        st.builds("map_ram {:#x} 0 0 0 0 {}".format, st.integers(1, 80), st.integers(0, 4)),
        st.builds("unmap_ram {} 0 0 0 0 0".format, one),
        st.builds("pcpu_get {} {} {:#x} {:#x} 0 {}".format, one, st.integers(0, 3), one, one, st.integers(0, 4)),
        st.builds("pcpu_free {} 0 0 0 0 0".format, one),
        st.just("purge 0 0 0 0 0 0"),
    )
    return st.lists(st.one_of(ways), min_size=1, max_size=60)


def fails(variant: str, some: Sequence[str]) -> str:
    return userspace_trace.replay(program(variant), SMALL, some)[0]


@given(some=operations(largest_shift=63))
@settings(max_examples=40, suppress_health_check=list(HealthCheck))
def test_no_sequence_of_operations_is_wrong(some: list[str]) -> None:
    assert not fails("free-list", some)


def test_hypothesis_finds_the_alignment_that_wraps() -> None:
    quick = settings(max_examples=200, derandomize=True, database=None, deadline=None)
    some = find(operations(largest_shift=63), lambda some: fails("stock", some) == "bug", settings=quick)
    assert len(some) < 6
    assert any(one.startswith("get") and int(one.split()[2], 16) >= 1 << 35 for one in some), "it is the alignment"


# Values


def test_what_the_program_prints_is_read() -> None:
    passed = ["count get 7 refused 2", "passed 7 operations, 3 objects at the end"]
    assert read(passed, 0) == ("", "", (("get", 7, 2),))
    assert read(["failure bug kernel BUG at mm/vmalloc.c:512!"], 1)[:2] == ("bug", "kernel BUG at mm/vmalloc.c:512!")
    asan = ["==7==ERROR: AddressSanitizer: heap-use-after-free on address 0x1", "failure sanitizer see the report"]
    assert read(asan, 1)[:2] == ("sanitizer", "AddressSanitizer: heap-use-after-free on address 0x1")
    assert read(asan[::-1], 1)[:2] == ("sanitizer", "AddressSanitizer: heap-use-after-free on address 0x1")
    assert read([], -9)[:2] == ("rig", "the program ended with code -9")


def test_legs_are_most_of_the_operations_one_after_the_other() -> None:
    chosen = legs(1_200_000, 5)
    assert sum(leg.operations for leg in chosen) == 1_200_000
    assert sum(leg.operations for leg in chosen if leg.cpus == 1) == 900_000
    assert {leg.layout for leg in chosen} == set(LAYOUTS)


def test_a_known_bug_explains_a_failure_until_it_is_left_out() -> None:
    outcome = Outcome("stock", SMALL, "bug", "kernel BUG at mm/vmalloc.c:512!")
    assert explained(outcome, [BUG]) == BUG
    left_out = msgspec.structs.replace(outcome, leg=msgspec.structs.replace(SMALL, without=("wrap",)))
    assert explained(left_out, [BUG]) is None
    assert explained(msgspec.structs.replace(outcome, kind="leak"), [BUG]) is None


def test_a_known_bug_that_does_not_show_is_a_failure() -> None:
    (never,) = missing("stock", [Outcome("stock", SMALL)], [BUG, msgspec.structs.replace(BUG, always=False, without="x")])
    assert never.failure == "missing: a known bug was not seen: addresses wrap"
    assert not missing("stock", [Outcome("stock", SMALL, known=(BUG,))], [BUG])


def test_the_fewest_operations_that_fail() -> None:
    lines = [str(number) for number in range(100)]
    assert userspace_trace.fewest(lines, lambda some: {"13", "71"} <= set(some), 1e18) == ["13", "71"]
    assert userspace_trace.fewest(lines, lambda some: {"13", "71"} <= set(some), 0.0) == lines


def test_options_of_machines_have_no_meaning() -> None:
    with pytest.raises(UsageError, match="--scale has no meaning in user space"):
        userspace.only_what_counts(Selection(scale="quick"))
    userspace.only_what_counts(Selection(variant="stock", jobs=1))
