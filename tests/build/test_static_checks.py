# SPDX-License-Identifier: GPL-2.0-only
"""Warnings that a series adds: those that were there before do not count, wherever they moved."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.build import patches, source, static_checks
from harness.build.compiler_output import Said
from harness.build.jobserver import Jobserver
from harness.build.kbuild import KernelBuild
from harness.build.patches import Patched
from harness.build.static_checks import Heard
from harness.model.matrix import Base, Cell, Variant, load_machine
from harness.model.series_check import Check, State
from tests.support.series import diff

UNUSED = Said("mm/vmalloc.c", "500", "warning: unused variable 'x' [-Wunused-variable]")
SOURCES = ("mm/vmalloc.c", "mm/hmm.c")


def compared(before: Heard, after: Heard) -> Check:
    return static_checks._compared("sparse", before, after, SOURCES)


def test_no_new_warning_is_a_pass() -> None:
    assert compared(Heard((UNUSED,), ()), Heard((UNUSED,), ())) == Check("sparse", State.GOOD, "no new warnings")


def test_a_new_warning_is_found() -> None:
    check = compared(Heard((), ()), Heard((UNUSED,), ()))
    assert (check.state, check.summary, check.details) == (State.FOUND, "1 new warning", (UNUSED.shown,))


def test_a_file_that_no_longer_compiles_is_found() -> None:
    broken = Said("mm/vmalloc.c", "600", "error: 'y' undeclared")
    check = compared(Heard((), ()), Heard((broken,), ("mm/vmalloc.c",)))
    assert (check.state, check.summary, check.details) == (State.FOUND, "mm/vmalloc.c does not compile", (broken.shown,))


def test_an_error_of_sparse_is_found_though_the_file_compiles() -> None:
    check = compared(Heard((), ()), Heard((Said("mm/vmalloc.c", "600", "error: bad constant"),), ()))
    assert check.state is State.FOUND


def test_a_file_that_never_compiled_is_not_checked() -> None:
    error = Said("mm/hmm.c", "6", "error: 'y' undeclared")
    check = compared(Heard((error,), ("mm/hmm.c",)), Heard((error, Said("mm/hmm.c", "9", "error: z")), ("mm/hmm.c",)))
    assert check.state is State.GOOD
    assert check.summary == "no new warnings; not checked: mm/hmm.c, which this configuration does not compile"
    check = compared(Heard((), SOURCES), Heard((), SOURCES))
    assert check.state is State.NOT_CHECKED
    assert "mm/vmalloc.c, mm/hmm.c does not compile in this configuration" in check.summary


def test_what_the_compiler_says_on_the_way_is_not_sparses() -> None:
    other = Said("mm/vmalloc.c", "9", "warning: context imbalance")
    assert static_checks._without(Heard((UNUSED, other), ()), {UNUSED}).said == (other,)


MAKEFILE = """
Makefile: ;
.PHONY: FORCE
allnoconfig:
\tcp $(KCONFIG_ALLCONFIG) $(O)/.config
mm/%.o: FORCE
\t@mkdir -p $(O)/$(dir $@)
\t@test -e $(O)/$@ && { echo "the object was not made anew" >&2; exit 1; } || true
\t@sed -n 's,^W=$(W)C=$(C),../mm/$*.c:1: warning: ,p' mm/$*.c
\t@! grep -q ERROR mm/$*.c || { echo "../mm/$*.c:2:1: error: no"; exit 1; }
\t@touch $(O)/$@
"""
"""a kernel's Makefile, for which each line of a file says with which options it is a warning"""


def checks(base: Base, kernel_source: Path, tmp_path: Path, new: str) -> list[Check]:
    """Return the checks of a series that makes line 10 of a file of two others."""
    (kernel_source / "Makefile").write_text((kernel_source / "Makefile").read_text() + MAKEFILE)
    (kernel_source / "mm/hmm.c").write_text("W=1C= old\n")
    tree = source.resolve(base, str(kernel_source), print)
    (tmp_path / "fix.patch").write_text(diff(10, new=new))
    patched = patches.apply(tree, Variant("mine", tmp_path / "fix.patch"))
    cell = Cell(load_machine("x86_64"), Variant("check"), "perf")
    with Jobserver(1, 1) as jobs:
        builds = [KernelBuild(base, cell, of, jobs, print) for of in (Patched(tree.commit, tree.tree, (), ()), patched)]
        return static_checks.checks(builds[0], builds[1], ["mm/vmalloc.c", "mm/hmm.c", "mm/a.h"])


@pytest.mark.parametrize(
    ("new", "gcc", "sparse"),
    [
        ("fine", "no new warnings", "no new warnings"),
        ("W=1C= bad", "1 new warning", "no new warnings"),
        ("W=C=2 bad", "no new warnings", "1 new warning"),
        ("ERROR", "mm/vmalloc.c does not compile", "mm/vmalloc.c does not compile"),
    ],
)
def test_files_are_compiled_before_and_after_the_series(
    base: Base, kernel_source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, new: str, gcc: str, sparse: str
) -> None:
    monkeypatch.setattr("shutil.which", lambda name, **_: name)
    told = checks(base, kernel_source, tmp_path, new)
    assert [(check.name, check.summary) for check in told] == [("gcc W=1", gcc), ("sparse", sparse)]


def test_without_sparse_it_is_not_a_pass(base: Base, kernel_source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda name, **_: None)
    told = checks(base, kernel_source, tmp_path, "fine")
    assert told[1] == Check("sparse", State.NOT_CHECKED, "it is not installed")
