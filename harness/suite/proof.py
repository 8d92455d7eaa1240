# SPDX-License-Identifier: GPL-2.0-only
"""Proves that a guest runs what was built for its cell, by asking the guest itself before its first test."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from harness.build import identity, rootfs
from harness.errors import Mismatch, VmLost
from harness.model.records import Booted
from harness.suite.plan import Session
from harness.vm import qmp, sockets
from harness.vm.qemu_args import Boot, command_line
from harness.vm.ssh import Guest
from harness.vm.vms import Vm

_UNKNOWN = "unknown"
_LOADED = "/sys/module/vmalloc_test/notes/.note.gnu.build-id"
_ASK = """\
hex() { busybox od -An -v -tx1 "$1" | busybox tr -d ' \\n'; }
echo "release $(uname -r)"
echo "command_line $(cat /proc/cmdline)"
echo "initramfs $(cat %s)"
echo "kernel $(hex /sys/kernel/notes)"
"""
# The module is loaded for a moment, to run no test; a kernel that does not load it says so in each of its tests. One that is
# loaded already, as by a person who used a VM that is up, is none that the rig put there. A foreign module cannot be loaded
# without running its tests.
_ASK_MODULE = """\
if [ -e /sys/module/vmalloc_test ]; then
    echo "module loaded already"
elif /sbin/insmod "$1" tests=none; then
    echo "module $(hex %s)"
    rmmod vmalloc_test
fi
"""


def prove(
    guest: Guest,
    session: Session,
    machine: Vm,
    boot: Boot,
    module: str,
    build_id: Callable[[Path], str] = identity.build_id,
) -> Booted:
    """Ask the guest of `machine`, which was to be booted as `boot`, what it runs, and return its answers.

    `module` is the test module's file in the guest; `build_id` reads that of the file which was sent. Raises Mismatch with
    both values where they are not what was built for the cell of `session`; VmLost when the guest does not answer.
    """
    sent = build_id(session.built.kernel.module)
    return check(_answers(guest.run(*asking(module, foreign=session.built.kernel.foreign))), session, boot, sent, _version(machine))


def asking(module: str, *, foreign: bool = False) -> tuple[str, ...]:
    """Return the command that has a guest say what it runs; `module` is the test module's file there, if it is not `foreign`."""
    script = _ASK % rootfs.IDENTITY + ("" if foreign else _ASK_MODULE % _LOADED)
    return "sh", "-c", script, "sh", module


def check(answers: Mapping[str, str], session: Session, boot: Boot, sent: str, qemu: str) -> Booted:
    """Compare the answers of a guest with what was built for its cell, and return them; Mismatch if they differ.

    `sent` is the build-id of the module's file that the guest was given, whether it could load that or not.
    """
    kernel = session.built.kernel
    build_id, module = _build_id(answers.get("kernel", "")), _build_id(answers.get("module", ""))
    pairs = [
        ("the kernel's build-id", build_id, kernel.build_id, f"that of {kernel.vmlinux}"),
        ("the module's build-id", module if "module" in answers else sent, kernel.module_build_id, f"that of {kernel.module}"),
        ("the initramfs", answers.get("initramfs", ""), session.built.rootfs.identity, f"that of {session.built.rootfs.image}"),
        ("the release", answers.get("release", ""), kernel.release, "that of the built kernel"),
        ("the command line", answers.get("command_line", ""), command_line(boot), "the one asked for"),
    ]
    for what, actual, wanted, whose in pairs:
        if actual != wanted:
            raise Mismatch(
                f"{session.name}: the guest does not run what was built: {what} is '{actual}' in the guest, but {whose} is"
                f" '{wanted}'; nothing was tested. Remove {kernel.folder}, {kernel.module.parent} and"
                f" {session.built.rootfs.image.parent}, and build again."
            )
    cell = session.built.cell
    place = (cell.machine.name, cell.variant.name, cell.profile, session.clock, session.boot)
    return Booted(
        *place,
        build_id=build_id,
        vmlinux_build_id=kernel.build_id,
        module_build_id=module,
        initramfs=answers["initramfs"],
        release=answers["release"],
        command_line=answers["command_line"],
        qemu=qemu,
    )


def _answers(output: str) -> dict[str, str]:
    parted = (line.partition(" ") for line in output.splitlines())
    return {name: value.strip() for name, _, value in parted}


def _build_id(notes: str) -> str:
    """Return the build-id in notes, which are hexadecimal digits here."""
    try:
        return identity.of_notes(bytes.fromhex(notes))
    except ValueError:
        return ""


def _version(machine: Vm) -> str:
    try:
        answer = qmp.execute(machine.sockets / sockets.QMP, "query-version")
        number = answer["qemu"] if isinstance(answer, dict) else {}
        return ".".join(str(number[part]) for part in ("major", "minor", "micro"))
    except (VmLost, LookupError):
        return _UNKNOWN
