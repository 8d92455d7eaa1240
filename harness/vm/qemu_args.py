# SPDX-License-Identifier: GPL-2.0-only
"""The command line of QEMU as a function of what is to be booted."""

from __future__ import annotations

from pathlib import Path

import msgspec

from harness.model.clock import ICOUNT_SHIFT, Clock
from harness.model.matrix import Machine

_CMDLINE = (
    # A kernel that oopses ends its VM at once, which QEMU's exit tells without waiting.
    "oops=panic panic=-1"
    # Kernel addresses in messages are evidence; random ones differ from boot to boot.
    " nokaslr no_hash_pointers"
    # virtio-rng seeds the random numbers that SSH waits for; by default its word counts nothing.
    " rng_core.default_quality=1000"
)
_SANDBOX = "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"
CONSOLE = "console"
"""QEMU's name of the character device behind the guest's serial line"""
CONSOLE_SOCKET = "serial"
"""socket in a VM's folder at which the serial line can be spoken to"""
PIDFILE = "pid"
"""file in a VM's folder by which its QEMU is found if the rig ended before it could note it"""
LOG = "serial.log"
"""file in a VM's folder that holds what the guest wrote to its serial line"""


class Boot(msgspec.Struct, frozen=True):
    """All that decides a QEMU command line."""

    machine: Machine
    clock: Clock
    kernel: Path
    initramfs: Path
    accelerator: str
    port: int
    """on 127.0.0.1, forwarded to the guest's SSH"""
    address: str
    """the guest's"""
    profile: str = ""
    """of the kernel"""
    memory: int = 0
    """MiB; 0 for the machine's own"""
    pauses: bool = False
    """whether a guest that ends is kept as it is, for a debugger or a dump of its memory, instead of ending QEMU"""
    sandbox: bool = False
    """whether this QEMU can deny itself the system calls that it has no need of"""

    @property
    def cpus(self) -> int:
        """How many virtual CPUs it has; counting instructions repeats only with one."""
        return 1 if self.clock is Clock.ICOUNT else self.machine.qemu.cpus


def command(boot: Boot, folder: Path) -> tuple[str, ...]:
    """Return the command that starts `boot` with its socket and its console's log in `folder`."""
    qemu = boot.machine.qemu
    log = folder / LOG
    icount = ("-icount", f"shift={ICOUNT_SHIFT}") if boot.clock is Clock.ICOUNT else ()
    return (
        qemu.binary,
        "-nodefaults",
        "-no-user-config",
        *("-pidfile", str(folder / PIDFILE)),
        *("-action", f"reboot=shutdown,shutdown={'pause' if boot.pauses else 'poweroff'}"),
        *(("-sandbox", _SANDBOX) if boot.sandbox else ()),
        *("-display", "none"),
        *("-machine", qemu.machine),
        *("-accel", boot.accelerator),
        *("-cpu", "host" if boot.accelerator == "kvm" else qemu.cpu),
        *("-smp", str(boot.cpus)),
        *("-m", f"{boot.memory or qemu.memory}M"),
        *icount,
        *("-kernel", str(boot.kernel)),
        *("-initrd", str(boot.initramfs)),
        *("-append", command_line(boot)),
        *("-chardev", f"socket,id={CONSOLE},path={_escaped(folder / CONSOLE_SOCKET)},server=on,wait=off,{_escaped_log(log)}"),
        *("-serial", f"chardev:{CONSOLE}"),
        *("-qmp", f"unix:{_escaped(folder / 'qmp')},server=on,wait=off"),
        *("-netdev", f"user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:{boot.port}-{boot.address}:22"),
        *("-device", "virtio-net-pci,netdev=net,romfile="),
        *("-device", "virtio-rng-pci"),
        *qemu.arguments,
    )


def _escaped_log(log: Path) -> str:
    """Return what has a serial line logged at the file's end, wherever that is meanwhile: a log that was emptied starts again."""
    return f"logappend=on,logfile={_escaped(log)}"


def _escaped(path: Path) -> str:
    """Return `path` as an option of QEMU's takes it."""
    return str(path).replace(",", ",,")


def command_line(boot: Boot) -> str:
    """Return the kernel's command line."""
    qemu = boot.machine.qemu
    parts = [f"console={qemu.console}", _CMDLINE, qemu.cmdline, *(e.cmdline for e in qemu.extra if e.profile == boot.profile)]
    if boot.clock is Clock.ICOUNT:
        # Without its tick an idle aarch64 guest of QEMU 7.2 sleeps through the network's interrupts.
        parts += ["nohz=off", qemu.cmdline_icount]
    return " ".join(part for part in parts if part)
