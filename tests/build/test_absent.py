# SPDX-License-Identifier: GPL-2.0-only
"""What a machine cannot have is told; what is merely off, or off for all machines of a release, is not."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from harness import paths
from harness.build import absent
from harness.model.matrix import Base, Cell, Source, Variant, load_machine
from harness.model.toolchains import Toolchain

FILES = {
    "common.config": "CONFIG_A=y\nCONFIG_B=y\nCONFIG_STACKS=y\n# CONFIG_OFF is not set\n",
    "kernel.config": "# CONFIG_STACKS is not set\n",
    "arch-mine.config": "# CONFIG_A is not set\n# CONFIG_OFF is not set\n# CONFIG_OWN is not set\nCONFIG_B=y\n",
    "profile-debug.config": "CONFIG_CHECKS=y\nCONFIG_MORE=m\n",
    "arch-mine-debug.config": "# CONFIG_CHECKS is not set\n# CONFIG_MORE is not set\n",
    "toolchain-llvm-debug.config": "# CONFIG_CHECKS is not set\n",
    "arch-other.config": "CONFIG_A=y\n",
    "arch-other-2.0.config": "# CONFIG_A is not set\n",
}
BASE = Base("1.0", Source(), fragment="kernel.config", name="1.0")
OF_ALL = (
    "Kernels of mine, profile debug, go without CONFIG_A, which the machine does not have:"
    " qemu_configs/kconfig/arch-mine.config says why."
)
OF_ONE = OF_ALL.replace("CONFIG_A", "CONFIG_CHECKS, CONFIG_MORE").replace("arch-mine.", "arch-mine-debug.")


@pytest.fixture(autouse=True)
def fragments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paths, "FRAGMENTS", tmp_path)
    for name, content in FILES.items():
        (tmp_path / name).write_text(content)


def cell(machine: str, variant: str = "stock", toolchain: Toolchain = Toolchain.GCC) -> Cell:
    return Cell(msgspec.structs.replace(load_machine("x86_64"), name=machine), Variant(variant), "debug", toolchain)


def test_what_a_machines_own_fragments_turn_off_is_told_once_however_many_kernels_it_has() -> None:
    told = absent.notes(BASE, [cell("mine"), cell("mine", "series")])
    assert told == (OF_ALL, OF_ONE)


def test_a_machine_that_has_all_is_not_told_of() -> None:
    assert absent.notes(BASE, [cell("other")]) == ()


def test_a_machine_may_lack_something_with_one_base_alone() -> None:
    of_its_base = OF_ALL.replace("of mine", "of other").replace("arch-mine.", "arch-other-2.0.")
    assert absent.notes(msgspec.structs.replace(BASE, name="2.0"), [cell("other")]) == (of_its_base,)
    assert absent.notes(msgspec.structs.replace(BASE, name="2.1", like="2.0"), [cell("other")]) == (of_its_base,)


def test_a_toolchain_may_lack_something_too() -> None:
    told = absent.notes(BASE, [cell("other"), cell("other", toolchain=Toolchain.LLVM)])
    assert told == (
        "Kernels of other by llvm, profile debug, go without CONFIG_CHECKS, which the toolchain does not have:"
        " qemu_configs/kconfig/toolchain-llvm-debug.config says why.",
    )
