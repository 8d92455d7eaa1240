# SPDX-License-Identifier: GPL-2.0-only
"""One module fits kernels that differ in what its build does not read."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.build import git, interface, source
from harness.model.matrix import Base


def digest(base: Base, folder: Path) -> str:
    return interface.digest(git.tree_of(source.resolve(base, str(folder), print).commit))


@pytest.mark.parametrize(
    ("path", "matters"),
    [
        ("mm/vmalloc.c", False),
        ("mm/new.c", False),
        ("kernel/entry.S", False),
        ("mm/internal.h", True),
        ("mm/Makefile", True),
        ("mm/Kconfig", True),
        ("kernel/bounds.c", True),
        ("arch/x86/kernel/asm-offsets.c", True),
        ("include/linux/vmalloc.h", True),
        ("include/odd.c", True),
        ("scripts/mod/modpost.c", True),
        ("tools/objtool/check.c", True),
        ("drivers/tools/x.c", False),
    ],
)
def test_what_a_modules_build_reads(base: Base, kernel_source: Path, path: str, matters: bool) -> None:
    before = digest(base, kernel_source)
    (kernel_source / path).parent.mkdir(parents=True, exist_ok=True)
    (kernel_source / path).write_text("changed\n")
    assert (digest(base, kernel_source) != before) is matters
