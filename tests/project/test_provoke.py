# SPDX-License-Identifier: GPL-2.0-only
"""The module that provokes: it builds for every machine, in the kernel's style, and does what it is told."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from harness.build import kbuild
from harness.commands import pipeline
from harness.host import files
from harness.model.matrix import STOCK, Variant
from harness.model.selection import Selection
from harness.suite.plan import Plan
from tests import provoke
from tests.project.test_kernel_style import checkpatch
from tests.provoke import record, table

pytestmark = pytest.mark.kernel
_ON_PURPOSE = "LINUX_VERSION_CODE,LOGGING_CONTINUATION,AVOID_BUG,FUNCTION_ARGUMENTS"


@pytest.fixture(scope="module")
def built() -> Plan:
    """Stock kernels of both machines."""
    made = pipeline.build(Selection(profile="perf"), (Variant(STOCK),))
    if made.base.name != "4.18":
        pytest.skip("NOT TESTED: there is no source of Linux 4.18 on this machine, which the module is made for")
    return made


def test_the_module_builds_for_every_machine_without_a_warning(built: Plan) -> None:
    for cell in built.cells:
        module = provoke.build(built.base, cell.cell, cell.kernel)
        assert module.name == "provoke.ko"
        assert provoke.build(built.base, cell.cell, cell.kernel) == module, "it is cached"
        assert "warning:" not in (module.parent / "build.log").read_text().lower()


def test_a_build_folder_with_another_kernel_is_built_again(built: Plan) -> None:
    cell = built.cells[0]
    holder = kbuild.folder_of(kbuild.tree_of(built.base, cell.cell.variant), cell.cell) / kbuild.KEY
    module = provoke.build(built.base, cell.cell, cell.kernel)
    with files.locked(module.parent):
        shutil.rmtree(module.parent)
    holder.write_text("0" * 16)
    assert provoke.build(built.base, cell.cell, cell.kernel) == module
    assert holder.read_text() == cell.kernel.key
    assert module.exists()


def test_the_module_is_in_the_kernels_style(built: Plan) -> None:
    sources: list[Path] = [path for path in provoke.sources() if path.suffix in (".c", ".h")]
    assert len(sources) > 5
    assert checkpatch(built, "--ignore", _ON_PURPOSE, "-f", *sources) == ""


@pytest.mark.parametrize("machine", table.MACHINES)
def test_what_is_provoked_is_still_said_in_the_recorded_words(built: Plan, machine: str) -> None:
    provocation = next(p for p in table.all_on("4.18", machine) if p.name == "slab_redzone")
    assert ": Redzone overwritten" in record.record(built, provocation, machine)
