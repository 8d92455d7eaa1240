# SPDX-License-Identifier: GPL-2.0-only
"""Chooses the accelerator of a machine: KVM only if a kernel boots with it, because /dev/kvm alone proves nothing."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import msgspec

from harness import paths
from harness.build import rootfs
from harness.build.rootfs import Rootfs
from harness.errors import VmLost
from harness.host import files, stored
from harness.model.clock import Clock
from harness.model.matrix import Machine
from harness.vm import launch
from harness.vm.qemu_args import Boot
from harness.vm.vm_time import StoodStill

_SECONDS = 5
"""seconds within which a kernel under KVM has to be ready"""


def choose(machine: Machine, kernel: Path, initramfs: Rootfs) -> str:
    """Return QEMU's accelerator for the wall clock: ``kvm`` if `kernel` boots with it, else an emulator.

    `kernel` has to be one that is known to boot, such as stock. The verdict on KVM is kept until the host reboots.
    """
    emulator = machine.qemu.tcg_crowded if (os.cpu_count() or 1) < machine.qemu.cpus else "tcg"
    if machine.qemu.kvm_host != platform.machine() or not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return emulator
    verdicts = paths.cache() / "kvm.json"
    with files.locked(verdicts):
        boot_id = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        try:
            known = stored.decode(stored.content(verdicts), dict[str, bool])
        except (OSError, msgspec.DecodeError):
            known = {}
        key = f"{boot_id} {machine.name}"
        if key not in known:
            known = {k: v for k, v in known.items() if k.startswith(boot_id)}
            known[key] = _probe(machine, kernel, initramfs)
            files.write(verdicts, msgspec.json.encode(known))
        return "kvm" if known[key] else emulator


def _probe(machine: Machine, kernel: Path, initramfs: Rootfs) -> bool:
    """Boot `kernel` under KVM, and return True if SSH listens in time; raises StoodStill if that cannot be said."""
    boot = Boot(machine, Clock.WALL, kernel, initramfs.image, "kvm", 0, rootfs.ADDRESS)
    try:
        launch.start(boot, f"probe of KVM for {machine.name}", keep=False, seconds=_SECONDS).stop()
    except StoodStill:
        raise  # nothing is known of KVM then, and the verdict would be kept
    except VmLost:
        return False
    return True
