# SPDX-License-Identifier: GPL-2.0-only
"""Which files a kernel is compiled from, as Kbuild notes it, and the patches that change none of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.build import compiled
from harness.errors import BuildError

CMD = """\
cmd_mm/vmalloc.o := ccache gcc -Wp,-MD,mm/.vmalloc.o.d -include ../include/linux/kconfig.h -c -o mm/vmalloc.o ../mm/vmalloc.c

source_mm/vmalloc.o := ../mm/vmalloc.c

deps_mm/vmalloc.o := \\
    $(wildcard include/config/smp.h) \\
  ../include/linux/vmalloc.h \\
  ../arch/x86/kernel/../include/asm/page.h \\
  include/generated/bounds.h \\
  /usr/lib/gcc/x86_64-linux-gnu/12/include/stdarg.h \\
  ../../outside.h \\

mm/vmalloc.o: $(deps_mm/vmalloc.o)
"""
COMPILED = ("mm/vmalloc.c", "include/linux/vmalloc.h")
WHERE = "x86_64, profile perf"


def test_sources_are_those_of_kbuilds_notes(tmp_path: Path) -> None:
    for name, text in (
        ("mm/.vmalloc.o.cmd", CMD),
        ("lib/.a.o.cmd", "source_lib/a.o := ../lib/a.S\n"),
        ("lib/a.cmd", "  ../lib/b.c\n"),
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    assert compiled.sources(tmp_path) == ["arch/x86/include/asm/page.h", "include/linux/vmalloc.h", "lib/a.S", "mm/vmalloc.c"]


def test_a_folder_in_which_nothing_was_compiled_is_no_build(tmp_path: Path) -> None:
    (tmp_path / ".built-in.a.cmd").write_text("cmd_built-in.a := rm -f built-in.a; ar rcSTPD built-in.a\n")
    with pytest.raises(BuildError, match=r"no \.cmd files"):
        compiled.sources(tmp_path)


@pytest.mark.parametrize(
    "changed",
    [
        (),
        ("mm/vmalloc.c",),
        ("mm/hmm.c", "include/linux/vmalloc.h"),
        ("mm/Kconfig",),
        ("mm/hmm.c", "mm/Makefile"),
        ("arch/x86/configs/tiny.config",),
        ("scripts/mod/modpost.c",),
        ("arch/x86/entry/syscalls/syscall_64.tbl",),
    ],
)
def test_a_patch_of_something_that_is_used_is_tested(changed: tuple[str, ...]) -> None:
    assert compiled.untested("a.patch", changed, COMPILED, WHERE) == ""


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (("mm/hmm.c",), "mm/hmm.c, which is not compiled for x86_64, profile perf; its effect is not tested here."),
        (
            ("mm/hmm.c", "mm/zpool.c"),
            "mm/hmm.c and mm/zpool.c, none of which is compiled for x86_64, profile perf; its effect is not tested here.",
        ),
        (
            ("Documentation/vm/hmm.rst", "mm/hmm.c", "include/linux/hmm.h"),
            "Documentation/vm/hmm.rst, mm/hmm.c and include/linux/hmm.h, none of which is compiled for x86_64, profile perf;"
            " its effect is not tested here.",
        ),
        (
            ("a/1.c", "a/2.c", "a/3.c", "a/4.c", "a/5.c"),
            "a/1.c, a/2.c, a/3.c and 2 more, none of which is compiled for x86_64, profile perf; its effect is not tested here.",
        ),
        (("Documentation/vm/conf.py",), "Documentation/vm/conf.py, which is documentation; it has no effect to test."),
        (("MAINTAINERS", "mm/notes.txt"), "MAINTAINERS and mm/notes.txt, which are documentation; it has no effect to test."),
    ],
)
def test_a_patch_of_nothing_that_is_used_is_told(changed: tuple[str, ...], said: str) -> None:
    assert compiled.untested("0002-x.patch", changed, COMPILED, WHERE) == f"0002-x.patch changes only {said}"
