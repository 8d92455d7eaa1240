# SPDX-License-Identifier: GPL-2.0-only
"""Jobs for LAVA, a lab of boards: one in QEMU, and one on the real board of a machine, of a cell and its tests."""

from __future__ import annotations

from typing import Any

import msgspec

from harness.model.matrix import Machine
from harness.report.template import render

PROMPT = "kernel-patch-rig# "
FOLDER = "lava"
"""folder of the guest with what is added to its initramfs"""
INIT = """\
#!/bin/sh
# The first process of a guest in LAVA: a shell on the console, and no network.
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
export PS1='{prompt}'
exec sh -i < /dev/console > /dev/console 2>&1
"""


class File(msgspec.Struct, frozen=True):
    """A file that a job fetches."""

    url: str
    sha256: str
    path: str = ""
    """place of it on the board"""


class Test(msgspec.Struct, frozen=True):
    """One load of the module."""

    name: str
    command: str
    """line for a shell of the guest"""

    @property
    def good(self) -> str:
        """Words on the console of a test that passed."""
        return f"vmalloc_test: ok 1 {self.name}"

    @property
    def bad(self) -> str:
        """Words on the console of a test that failed."""
        return f"vmalloc_test: not ok 1 {self.name}"


class Job(msgspec.Struct, frozen=True):
    """The tests of a cell in a lab."""

    name: str
    metadata: dict[str, str]
    minutes: int
    kernel: File
    initramfs: File
    build_id: str
    """of the kernel, which the board has to report"""
    files: tuple[File, ...]
    """the module and the script, for a board with a system of its own"""
    tests: tuple[Test, ...]


def qemu(job: Job, machine: Machine) -> str:
    """Return the definition of a job that boots a cell's kernel in QEMU under the guest's own time."""
    of = machine.qemu
    words = (f"console={of.console}", f"rdinit=/{FOLDER}/init", "oops=panic", of.cmdline)
    told: dict[str, Any] = {
        "arch": machine.build.arch,
        "machine": of.machine,
        "cpu": of.cpu,
        "memory": of.memory,
        "cpus": of.cpus,
        "command_line": " ".join(word for word in words if word),
    }
    return render("lava-qemu.yaml.j2", {}, job=job, qemu=told, prompt=PROMPT)


def board(job: Job, machine: Machine, boot: str) -> str:
    """Return the definition of a job that flashes the image at the URL `boot` to a machine's real board and runs the tests."""
    # Without a shell's variable in it, which LAVA would take for one of its own.
    kernel = f"od -An -v -tx1 /sys/kernel/notes | tr -d ' \\n' | grep -q {job.build_id}"
    return render("lava-board.yaml.j2", {}, job=job, board=machine.board, boot=boot, kernel=kernel)
