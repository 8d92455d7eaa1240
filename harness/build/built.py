# SPDX-License-Identifier: GPL-2.0-only
"""A cell with all that it takes to boot it."""

from __future__ import annotations

import msgspec

from harness.build.kbuild import Kernel
from harness.build.rootfs import Rootfs
from harness.model.matrix import Cell


class BuiltCell(msgspec.Struct, frozen=True):
    """A cell with all that it takes to boot it."""

    cell: Cell
    kernel: Kernel
    rootfs: Rootfs
    accelerator: str
    """accelerator of VMs under the wall clock; under icount it is always TCG"""
