# SPDX-License-Identifier: GPL-2.0-only
"""A cell with all that it takes to boot it."""

from __future__ import annotations

from pathlib import Path

import msgspec

from harness.build.kernel import Kernel
from harness.build.rootfs import Rootfs
from harness.model.clock import Clock
from harness.model.matrix import Cell


class BuiltCell(msgspec.Struct, frozen=True):
    """A cell with all that it takes to boot it."""

    cell: Cell
    kernel: Kernel
    rootfs: Rootfs
    accelerator: str
    """accelerator of VMs under the wall clock; under icount it is always TCG"""
    plugin: Path | None = None
    """plugin of QEMU that counts which blocks of the kernel run; None if this QEMU has no plugins"""

    def emulated(self, clock: Clock) -> bool:
        """Return True if QEMU emulates the CPU of its VMs under `clock`."""
        return clock is Clock.ICOUNT or self.accelerator.startswith("tcg")
