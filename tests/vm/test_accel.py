# SPDX-License-Identifier: GPL-2.0-only
"""The verdict on KVM, which is kept until the host reboots."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import msgspec
import pytest

from harness.build.rootfs import Rootfs
from harness.errors import VmLost
from harness.model.matrix import Machine, load_machine
from harness.vm import accel, launch
from harness.vm.vm_time import StoodStill


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    """A machine whose guests could run under KVM on this host."""
    monkeypatch.setattr(os, "access", lambda *_: True)
    of = load_machine("x86_64")
    return msgspec.structs.replace(of, qemu=msgspec.structs.replace(of.qemu, kvm_host=platform.machine()))


def choose(machine: Machine) -> str:
    return accel.choose(machine, Path("/k/image"), Rootfs(Path("/r"), "0" * 64, "", {}))


def test_a_kernel_that_does_not_boot_under_kvm_is_tried_once(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    tried = []

    def start(*_: object, **__: object) -> None:
        tried.append(True)
        raise VmLost("it says nothing")

    monkeypatch.setattr(launch, "start", start)
    assert [choose(machine)[:3] for _ in range(2)] == ["tcg", "tcg"]
    assert len(tried) == 1


def test_without_a_boot_kvm_counts_as_none_until_it_is_proven(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    assert accel.chosen(machine)[:3] == "tcg"
    monkeypatch.setattr(accel, "_probe", lambda *_: True)
    assert choose(machine) == "kvm"
    assert accel.chosen(machine) == "kvm"
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert accel.chosen(machine)[:3] == "tcg"


def test_a_qemu_that_was_stopped_meanwhile_proves_nothing(cache: Path, machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    def start(*_: object, **__: object) -> None:
        raise StoodStill("QEMU is stopped")

    monkeypatch.setattr(launch, "start", start)
    with pytest.raises(StoodStill):
        choose(machine)
    assert not (cache / "kvm.json").exists()
