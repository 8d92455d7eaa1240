# SPDX-License-Identifier: GPL-2.0-only
"""What clang makes of the rig's options: the same object wherever the tree is, with debug information that binutils read."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from harness.build import toolchain
from harness.host import debug_info, shell
from harness.host.debug_info import Line
from harness.model.matrix import Machine, load_machine, machine_names

SOURCE = '#include "../include/b.h"\nint first(void) { return 0; }\nint c(volatile int *at)\n{\n\treturn b(at) + 1;\n}\n'
HEADER = "static inline int b(volatile int *at)\n{\n\t*at = 3;\n\treturn *at;\n}\n"


@pytest.fixture(params=machine_names())
def machine(request: pytest.FixtureRequest) -> Machine:
    if not shutil.which(toolchain.LLVM.compiler):
        pytest.skip("clang is MISSING, so nobody looked at what it makes of the rig's options; apt-get install clang lld llvm")
    return load_machine(request.param)


def compiled(machine: Machine, tree: Path) -> Path:
    """Compile mm/a.c and mm/a.S of a tree as Kbuild does; return the build folder."""
    folder = tree / "build"
    for name, text in (("mm/a.c", SOURCE), ("include/b.h", HEADER), ("mm/a.S", "entry:\n\tnop\n")):
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text(text)
    folder.mkdir()
    names, _ = toolchain.flags(toolchain.SOURCE_NAMES, folder)
    target = f"--target={machine.build.cross_compile.removesuffix('-')}"
    options = (target, "-O2", "-gdwarf-4", *names.split("=", 1)[1].split(), "-fmacro-prefix-map=../=")
    for name in ("a.c", "a.S"):
        shell.output((toolchain.LLVM.compiler, *options, "-c", "-o", f"{name}.o", f"../mm/{name}"), cwd=folder)
    return folder


def test_objects_are_the_same_wherever_the_tree_is(tmp_path: Path, machine: Machine) -> None:
    one, other = (compiled(machine, tmp_path / place) for place in ("one", "another/place"))
    for name in ("a.c.o", "a.S.o"):
        assert (one / name).read_bytes() == (other / name).read_bytes()
        assert str(tmp_path).encode() not in (one / name).read_bytes()


def test_binutils_read_its_debug_information(tmp_path: Path, machine: Machine) -> None:
    file = compiled(machine, tmp_path / "tree") / "a.c.o"
    found = debug_info.statements(file, {"mm/a.c", "include/b.h"})
    inlined = found["include/b.h", 3][0]
    assert ("mm/a.c", 5) in found
    ((_, told),) = debug_info.lines(file, ".text", [inlined])
    assert told == [Line("b", "include/b.h", 3), Line("c", "mm/a.c", 5)]
