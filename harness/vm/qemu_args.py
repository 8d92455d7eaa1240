# SPDX-License-Identifier: GPL-2.0-only
"""Builds the command line of QEMU for a boot."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec

from harness.model.clock import ICOUNT_SHIFT, Clock
from harness.model.matrix import Machine
from harness.text import escaped
from harness.vm import blocks, sockets

_CMDLINE = (
    # An oops ends the VM at once: the rig sees QEMU exit and need not wait for a timeout.
    "oops=panic panic=-1"
    # Addresses in messages have to be real, and the same in each boot.
    " nokaslr no_hash_pointers"
    # virtio-rng seeds the random numbers that SSH waits for; its default quality of 0 would add no entropy.
    " rng_core.default_quality=1000"
)
_SANDBOX = "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"
CONSOLE = "console"
"""QEMU's name of the character device behind the guest's serial line"""
PIDFILE = "pid"
"""file in a VM's folder with QEMU's pid, for a VM whose rig died before it stored the state"""
LOG = "serial.log"
"""file in a VM's folder with the output of the guest's serial line"""


Plugged = Callable[[Path, Path, Path], tuple[str, str]]


class Boot(msgspec.Struct, frozen=True):
    """Inputs of a QEMU command line."""

    machine: Machine
    clock: Clock
    kernel: Path
    initramfs: Path
    accelerator: str
    port: int | str
    """port of 127.0.0.1 that is forwarded to the guest's SSH; text if a shell is to put it in"""
    address: str
    """IP address of the guest"""
    profile: str = ""
    """profile of the kernel"""
    memory: int = 0
    """MiB; 0 for the machine's own"""
    pauses: bool = False
    """True if QEMU pauses when its guest ends, for a debugger or a dump of its memory; False if it exits"""
    sandbox: bool = False
    """True if this QEMU supports -sandbox"""
    plugin: Path | None = None
    """plugin that counts which blocks of the kernel run"""
    symbols: Path | None = None
    """the kernel's System.map, for the plugin"""

    @property
    def cpus(self) -> int:
        """Number of virtual CPUs; one under icount, which repeats only with one."""
        return 1 if self.clock is Clock.ICOUNT else self.machine.qemu.cpus


def command(boot: Boot, folder: Path, plugged: Plugged = blocks.option) -> tuple[str, ...]:
    """Return the command that starts `boot` with its console's log in `folder`, and its sockets where `folder` says.

    `plugged` makes the option that loads the plugin of it, the folder for its files and the kernel's symbols.
    """
    qemu = boot.machine.qemu
    channels = sockets.of(folder)
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
        *("-chardev", f"socket,id={CONSOLE},path={escaped(channels / sockets.CONSOLE)},server=on,wait=off,{_escaped_log(log)}"),
        *("-serial", f"chardev:{CONSOLE}"),
        *("-qmp", f"unix:{escaped(channels / sockets.QMP)},server=on,wait=off"),
        *("-netdev", f"user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:{boot.port}-{boot.address}:22"),
        *("-device", "virtio-net-pci,netdev=net,romfile="),
        *("-device", "virtio-rng-pci"),
        *(plugged(boot.plugin, folder / blocks.FOLDER, boot.symbols) if boot.plugin and boot.symbols else ()),
        *qemu.arguments,
    )


def _escaped_log(log: Path) -> str:
    """Return the options that log a serial line in append mode: a log that was emptied starts at 0 again."""
    return f"logappend=on,logfile={escaped(log)}"


def command_line(boot: Boot) -> str:
    """Return the kernel's command line."""
    qemu = boot.machine.qemu
    parts = [f"console={qemu.console}", _CMDLINE, qemu.cmdline, *(e.cmdline for e in qemu.extra if e.profile == boot.profile)]
    if boot.clock is Clock.ICOUNT:
        # Without the tick an idle aarch64 guest of QEMU 7.2 misses the network's interrupts.
        parts += ["nohz=off", qemu.cmdline_icount]
    return " ".join(part for part in parts if part)
