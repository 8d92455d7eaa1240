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
    if not _may_have_kvm(machine):
        return _emulator(machine)
    with files.locked(_verdicts()):
        boot_id = _boot_id()
        known = _known()
        key = f"{boot_id} {machine.name}"
        if key not in known:
            known = {k: v for k, v in known.items() if k.startswith(boot_id)}
            known[key] = _probe(machine, kernel, initramfs)
            files.write(_verdicts(), msgspec.json.encode(known))
        return "kvm" if known[key] else _emulator(machine)


def chosen(machine: Machine) -> str:
    """Return QEMU's accelerator for the wall clock as far as it is known without a boot: ``kvm`` if a kernel booted with it."""
    proven = _may_have_kvm(machine) and _known().get(f"{_boot_id()} {machine.name}", False)
    return "kvm" if proven else _emulator(machine)


def _emulator(machine: Machine) -> str:
    return machine.qemu.tcg_crowded if (os.cpu_count() or 1) < machine.qemu.cpus else "tcg"


def _may_have_kvm(machine: Machine) -> bool:
    return machine.qemu.kvm_host == platform.machine() and os.access("/dev/kvm", os.R_OK | os.W_OK)


def _verdicts() -> Path:
    return paths.cache() / "kvm.json"


def _boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def _known() -> dict[str, bool]:
    """Return whether kernels of machines boot with KVM, by the host's boot and the machine."""
    try:
        return stored.decode(stored.content(_verdicts()), dict[str, bool])
    except (OSError, msgspec.DecodeError):
        return {}


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
