# SPDX-License-Identifier: GPL-2.0-only
"""What compilers and checkers say of lines of files: those that were there before are not new, wherever they moved."""

from __future__ import annotations

from harness.build import compiler_output
from harness.build.compiler_output import Said

LOG = """\
$ make mm/vmalloc.o
  CC      mm/vmalloc.o
In file included from ../include/linux/mm.h:10,
../mm/vmalloc.c:500:13: warning: unused variable 'x' [-Wunused-variable]
  500 |         int x;
../include/linux/mm.h:7:1: warning: no prototype [-Wmissing-prototypes]
../include/linux/mm.h:7:1: warning: no prototype [-Wmissing-prototypes]
mm/vmalloc.c:600:5: error: 'y' undeclared
../mm/vmalloc.c:24:10: fatal error: gone.h: No such file or directory
mm/vmalloc.c:1:1: note: declared here
make[1]: *** [mm/vmalloc.o] Error 1
"""
UNUSED = Said("mm/vmalloc.c", "500", "warning: unused variable 'x' [-Wunused-variable]")


def test_warnings_and_errors_of_a_log() -> None:
    said = compiler_output.parsed(LOG.splitlines())
    assert [one.shown for one in said] == [
        "mm/vmalloc.c:500: warning: unused variable 'x' [-Wunused-variable]",
        "include/linux/mm.h:7: warning: no prototype [-Wmissing-prototypes]",
        "mm/vmalloc.c:600: error: 'y' undeclared",
        "mm/vmalloc.c:24: fatal error: gone.h: No such file or directory",
    ]


def test_a_warning_that_moved_is_not_new() -> None:
    moved, second = Said(UNUSED.file, "512", UNUSED.text), Said(UNUSED.file, "900", UNUSED.text)
    assert compiler_output.added([UNUSED], [moved]) == []
    assert compiler_output.added([UNUSED], [moved, second]) == [second]
    assert compiler_output.added([UNUSED], [Said("mm/hmm.c", "500", UNUSED.text)]) == [Said("mm/hmm.c", "500", UNUSED.text)]
