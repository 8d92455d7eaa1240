# SPDX-License-Identifier: GPL-2.0-only
"""The warnings that a patch brings, from the logs of two builds of which either may have compiled a part only."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from harness.build import build_warnings
from harness.build.build_warnings import NewWarnings
from harness.build.compiler_output import Said
from harness.errors import BuildError

SOURCES = frozenset({"mm/vmalloc.c", "mm/slub.c", "include/linux/vmalloc.h", "arch/x86/lib/copy.S"})
HEAD = "make: warning: jobserver unavailable: using -j1.  Add '+' to parent make rule.\n"
UNUSED = "../mm/vmalloc.c:{}:5: warning: unused variable 'x' [-Wunused-variable]\n"
OLD = "../mm/slub.c:9:1: warning: old [-Wold]\n"
HEADER = "../include/linux/vmalloc.h:7:2: warning: in a header [-Wheader]\n"
LINK = "x86_64-linux-gnu-ld: warning: vmlinux has a LOAD segment with RWX permissions\n"
MODPOST = "WARNING: vmlinux.o(.text+{}): Section mismatch in reference from f() to g()\n"


def log(*parts: str, units: str = "mm/vmalloc mm/slub arch/x86/lib/copy") -> str:
    return HEAD + "".join(f"  CC      {unit}.o\n" for unit in units.split()) + "".join(parts) + LINK


def new(before: str, after: str, *touched: str, sources: frozenset[str] = SOURCES) -> NewWarnings:
    earlier = build_warnings.read(before, sources - {"mm/new.c"})
    return build_warnings.new(earlier, build_warnings.read(after, sources), touched or ("mm/vmalloc.c",))


def test_a_log_has_what_was_compiled_and_what_the_compiler_said() -> None:
    found = build_warnings.read(log(UNUSED.format(3), MODPOST.format("0x1f2e")) + "  AS [M]  drivers/a.o\n  CC [M]  drivers/b.o\n")
    assert found.compiled == {"mm/vmalloc", "mm/slub", "arch/x86/lib/copy", "drivers/a", "drivers/b"}
    assert found.warnings == (
        Said("mm/vmalloc.c", "3", "warning: unused variable 'x' [-Wunused-variable]"),
        Said("", "", "warning: vmlinux.o(.text+#): Section mismatch in reference from f() to g()"),
    )


def test_a_new_warning_is_told() -> None:
    assert new(log(OLD), log(OLD, UNUSED.format(3))).added == ("mm/vmalloc.c: unused variable 'x' [-Wunused-variable]",)


def test_a_warning_that_moved_is_none_and_one_more_of_the_same_is() -> None:
    before = log(UNUSED.format(3), MODPOST.format("0x12"))
    assert new(before, log(UNUSED.format(30), MODPOST.format("0x1200"))) == NewWarnings((), ())
    assert len(new(before, log(UNUSED.format(3), UNUSED.format(9))).added) == 1


def test_a_warning_that_went_is_none() -> None:
    assert new(log(UNUSED.format(3)), log()) == NewWarnings((), ())


def test_a_new_warning_of_the_link_is_told() -> None:
    assert new(log(), log(MODPOST.format("0x12"))).added == ("vmlinux.o(.text+#): Section mismatch in reference from f() to g()",)


def test_a_build_before_that_compiled_nothing_has_not_hidden_old_warnings_of_other_files() -> None:
    """Its warnings were in an earlier log: those of files that the patch does not touch are taken for old."""
    assert new(log(units=""), log(OLD, HEADER)) == NewWarnings((), ())


def test_a_file_of_the_patch_that_the_build_before_did_not_compile_is_not_checked() -> None:
    assert new(log(units="mm/slub"), log(UNUSED.format(3))) == NewWarnings((), ("mm/vmalloc.c",))
    assert new(log(units="mm/slub"), log()) == NewWarnings((), ()), "without a warning there is no new one"


def test_a_file_of_the_patch_that_its_own_build_did_not_compile_is_not_checked() -> None:
    assert new(log(), log(units="mm/slub")) == NewWarnings((), ("mm/vmalloc.c",))


def test_a_file_that_the_kernel_does_not_have_needs_no_check() -> None:
    assert new(log(), log(units="mm/slub"), "Documentation/vm.rst", "drivers/other.c") == NewWarnings((), ())


def test_each_warning_of_a_new_file_is_new() -> None:
    after = log("../mm/new.c:1:1: warning: odd [-Wodd]\n", units="mm/vmalloc mm/slub mm/new")
    assert new(log(units=""), after, "mm/new.c", sources=SOURCES | {"mm/new.c"}).added == ("mm/new.c: odd [-Wodd]",)


def test_a_header_is_checked_by_whole_builds_only() -> None:
    touched = "include/linux/vmalloc.h"
    assert new(log(), log(HEADER), touched).added == ("include/linux/vmalloc.h: in a header [-Wheader]",)
    assert new(log(units="mm/slub"), log(HEADER), touched) == NewWarnings((), (touched,))


def test_warnings_of_a_kernel_in_the_cache(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match=r"cannot be read: .*; build the kernel again"):
        build_warnings.of_kernel(tmp_path)
    (tmp_path / "build.log").write_text(log(OLD))
    (tmp_path / "sources.json").write_bytes(msgspec.json.encode(sorted(SOURCES)))
    assert build_warnings.of_kernel(tmp_path) == build_warnings.read(log(OLD), SOURCES)
    (tmp_path / "sources.json").write_text("{")
    with pytest.raises(BuildError, match="build the kernel again"):
        build_warnings.of_kernel(tmp_path)
