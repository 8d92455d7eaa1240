# SPDX-License-Identifier: GPL-2.0-only
"""Kernels by clang/LLVM, for real: built without a warning in the module, booted, compared, and read by binutils."""

from __future__ import annotations

import pytest

from harness.build import llvm
from harness.commands import why
from harness.errors import UsageError
from harness.host import debug_info
from harness.model.toolchains import Toolchain
from harness.runs import lifecycle
from harness.stats.outcome import ExitCode
from tests.support.machines import machines
from tests.support.rig import rig

pytestmark = [pytest.mark.kernel, pytest.mark.nightly, pytest.mark.usefixtures("own_results")]
FILE = "mm/vmalloc.c"


@pytest.mark.parametrize("machine", machines(0))
def test_kernels_of_clang_are_built_booted_compared_and_read(machine: str) -> None:
    try:
        llvm.check_installed()
    except UsageError as missing:
        pytest.skip(f"NOT TESTED: {missing}")
    done = rig(
        *("select", "--kernel", "6.12", "--machine", machine, "--toolchain", "llvm", "--scale", "quick", "--boots", "1"),
        *("--tests", "le_fit_alloc_test,exact_hole_test", "build", "test"),
    )
    assert done.returncode in (ExitCode.GOOD, ExitCode.REGRESSION), done.stdout + done.stderr
    run = lifecycle.find("latest")
    told = run.provenance()
    assert told.toolchain is Toolchain.LLVM
    assert told.tools["clang"].partition(" version ")[2]
    assert told.tools["ld.lld"].partition("LLD ")[2]
    for built in lifecycle.plan_of(run).cells:
        assert "warning:" not in (built.kernel.module.parent / "build.log").read_text()
        assert debug_info.statements(built.kernel.vmlinux, {FILE})
    (changed,) = run.changes()
    assert "alloc_vmap_area" in {change.name for change in changed.changes.functions}
    (covered,) = why.covered(run)
    assert covered.unreached < len(covered.lines)
    assert {counted.variant for counted in run.counted()} == {"stock", "fixes"}
