# SPDX-License-Identifier: GPL-2.0-only
"""Instructions of a small kernel and its module attributed to functions, source lines and sections under a lock."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import UsageError
from harness.host import debug_info
from harness.model.attribution import FunctionCount
from harness.suite import attribution
from harness.suite.attribution import Memory
from harness.vm.blocks import Block, Locked
from tests.support import code
from tests.support.code import Code

TEXT, UNLIKELY = 0xFFFFFFFFA0000000, 0xFFFFFFFFA0100000
SECTIONS = {".text": TEXT, ".text.unlikely": UNLIKELY}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Code:
    return code.compiled(tmp_path_factory.mktemp("code"))


@pytest.fixture
def memory(made: Code) -> Memory:
    return Memory(made.vmlinux, made.symbols, made.module, SECTIONS, (debug_info.below(made.folder),))


def by_name(counted: tuple[FunctionCount, ...]) -> dict[tuple[str, str], float]:
    return {(of.function, of.module): of.instructions for of in counted}


def test_instructions_are_those_of_all_blocks_an_operation(memory: Memory, made: Code) -> None:
    leaf, outer = made.address("leaf"), made.address("outer")
    blocks = [Block(leaf, 6, "11"), Block(leaf, 2, "1"), Block(outer, 10, "1")]
    found = memory.functions(blocks, 4)
    assert [(of.function, of.instructions) for of in found] == [("leaf", 3.5), ("outer", 2.5)]


def test_a_block_can_lie_in_two_functions(memory: Memory, made: Code) -> None:
    end = made.address("copy.isra.0") - 1
    assert by_name(memory.functions([Block(end, 3, "11")], 1)) == {("leaf", ""): 3, ("copy", ""): 3}


def test_what_gcc_adds_to_a_name_is_left_out(memory: Memory, made: Code) -> None:
    assert memory.functions([Block(made.address("copy.isra.0"), 1, "1")], 1)[0].function == "copy"


@pytest.mark.parametrize(("symbol", "name"), [("f", "f"), ("f.part.0.cold", "f"), ("f.constprop.12", "f"), (".L1", ".L1")])
def test_a_symbols_name_in_the_source(symbol: str, name: str) -> None:
    assert attribution._of_the_source(symbol) == name


def test_a_modules_functions_are_found_by_its_sections(memory: Memory) -> None:
    found = by_name(memory.functions([Block(TEXT, 5, "1"), Block(UNLIKELY, 7, "1")], 1))
    assert found == {("rarely", "vmalloc_test"): 7, ("in_module", "vmalloc_test"): 5}
    (function,) = memory.functions([Block(TEXT, 5, "1")], 1)
    assert [(line.file, line.text) for line in function.lines] == [("module.c", "own++; /* in the module */")]
    (function,) = memory.functions([Block(UNLIKELY, 5, "1")], 1)
    assert [(line.file, line.text) for line in function.lines] == [("module.c", "own--; /* in its other section */")]


def test_a_module_whose_sections_are_not_known_has_no_functions(made: Code) -> None:
    without = Memory(made.vmlinux, made.symbols, made.module, {}, ())
    assert by_name(without.functions([Block(TEXT, 5, "1")], 1)) == {("[unknown]", ""): 5}


@pytest.mark.parametrize("address", [0xFFFFFFFF80FFFFFF, 0xFFFFFFFFA0000FFF, 0xFFFFFFFFFFFFFFF0])
def test_an_address_of_no_function_is_unknown(memory: Memory, address: int) -> None:
    assert memory.at(address) is None
    (unknown,) = memory.functions([Block(address, 3, "1")], 1)
    assert (unknown.function, unknown.module, unknown.file, unknown.instructions) == ("[unknown]", "", "", 3)


def test_lines_that_were_inlined_have_the_name_of_their_function(memory: Memory, made: Code) -> None:
    start, end = made.address("outer"), made.address("_start")
    (outer,) = memory.functions([Block(start, 2, "1" * (end - start))], 2)
    assert (outer.function, outer.file, outer.instructions) == ("outer", "mm/kernel.c", end - start)
    named = {(line.inlined, line.file, line.text) for line in outer.lines}
    assert ("inlined", "include/linux/inlined.h", "sink = value << 3; /* in inlined */") in named
    assert ("", "mm/kernel.c", "sink--; /* in outer */") in named
    assert sum(line.instructions for line in outer.lines) == outer.instructions
    assert [line.instructions for line in outer.lines] == sorted((line.instructions for line in outer.lines), reverse=True)


def test_without_the_sources_lines_have_numbers_alone(made: Code, tmp_path: Path) -> None:
    memory = Memory(made.vmlinux, made.symbols, made.module, SECTIONS, (debug_info.below(tmp_path),))
    (leaf,) = memory.functions([Block(made.address("leaf"), 1, "1")], 1)
    assert [(line.text, line.line > 0) for line in leaf.lines] == [("", True)]


def test_sections_belong_to_the_function_that_takes_the_lock(memory: Memory, made: Code) -> None:
    leaf, outer = made.address("leaf"), made.address("outer")
    locked = [Locked(leaf, 10, 100, 12, outer), Locked(outer, 1, 900, 900, leaf), Locked(leaf + 1, 5, 60, 40, TEXT)]
    assert list(memory.sections(locked, 10)) == [
        {"function": "outer", "module": "", "ended": "leaf", "times": 1, "instructions": 90, "longest": 900},
        {"function": "leaf", "module": "", "ended": "in_module", "times": 15, "instructions": 16, "longest": 40},
    ]
    (unknown,) = memory.sections([Locked(1, 1, 1, 1, 2)], 1)
    assert (unknown["function"], unknown["ended"]) == ("[unknown]", "[unknown]")


def test_a_file_that_is_no_kernel_is_an_error(made: Code, tmp_path: Path) -> None:
    (tmp_path / "module.ko").write_text("not an object")
    with pytest.raises(UsageError, match=r"module\.ko is not a whole little-endian"):
        Memory(made.vmlinux, made.symbols, tmp_path / "module.ko", SECTIONS, ())


def test_the_guest_prints_the_addresses_of_sections() -> None:
    said = ".text 0xffffffffa0000000\n.text.unlikely 0xffffffffa0100000\ncat: can't open it\n\n"
    assert attribution.sections(said) == SECTIONS
    assert attribution.sections("") == {}


def test_what_is_no_address_is_left_out() -> None:
    assert attribution.sections(".text 0xffffffffa0000000\n.text.hot (null)\n[   12.5] noise\n") == {".text": TEXT}
