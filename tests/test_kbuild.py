# SPDX-License-Identifier: GPL-2.0-only
"""What a build's log says, and what is said of a configuration that cannot be."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from harness import kbuild
from harness.errors import RigError
from harness.matrix import Base, Cell, Machine, Variant, load_machine

LOG = """\
$ make ARCH=x86_64 bzImage
  CC      mm/vmalloc.o
mm/slab.c:10:5: warning: unused variable 'error' [-Wunused-variable]
{error}
make[2]: *** [scripts/Makefile.build:318: mm/vmalloc.o] Error 1
make[1]: *** [Makefile:1053: mm] Error 2
make: *** [Makefile:146: sub-make] Error 2
"""


@pytest.mark.parametrize(
    "error",
    [
        "../mm/vmalloc.c:512:9: error: 'foo' undeclared (first use in this function)",
        "../mm/vmalloc.c:24:10: fatal error: linux/nothing.h: No such file or directory",
        "mm/vmalloc.c:(.text+0x123): undefined reference to `foo'",
        'ERROR: "foo" [vmalloc_test.ko] undefined!',
    ],
)
def test_the_first_error_is_found(tmp_path: Path, error: str) -> None:
    (tmp_path / "log").write_text(LOG.format(error=error))
    assert kbuild.first_error(tmp_path / "log") == error


def test_without_a_compilers_error_it_is_makes(tmp_path: Path) -> None:
    (tmp_path / "log").write_text(LOG.format(error=""))
    assert kbuild.first_error(tmp_path / "log").startswith("make[2]: ***")


@pytest.mark.parametrize(("content", "said"), [("", "the log is empty"), ("one\ntwo\n\n", "two"), ("\xff\n", "\xff")])
def test_without_any_error_it_is_the_last_line(tmp_path: Path, content: str, said: str) -> None:
    (tmp_path / "log").write_text(content)
    assert kbuild.first_error(tmp_path / "log") == said


def without_fragment(base: Base, machine: Machine) -> tuple[Base, Machine]:
    return msgspec.structs.replace(base, fragment="kernel-9.99.config"), machine


def without_architecture(base: Base, machine: Machine) -> tuple[Base, Machine]:
    return base, msgspec.structs.replace(machine, name="vax")


@pytest.mark.parametrize(
    ("lacking", "named"),
    [(without_fragment, "kernel-9.99.config"), (without_architecture, "arch-vax.config")],
    ids=lambda v: getattr(v, "__name__", ""),
)
def test_a_missing_fragment_is_named(base: Base, lacking: object, named: str) -> None:
    assert callable(lacking)
    changed, machine = lacking(base, load_machine("x86_64"))
    with pytest.raises(RigError) as caught:
        kbuild.configuration(changed, Cell(machine, Variant("stock"), "perf"))
    assert named in str(caught.value)
