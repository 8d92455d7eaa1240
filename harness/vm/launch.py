# SPDX-License-Identifier: GPL-2.0-only
"""Starts QEMU, and waits until the guest's SSH listens."""

from __future__ import annotations

import atexit
import functools
import os
import socket
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from harness import paths
from harness.build import rootfs
from harness.errors import RigError, VmLost
from harness.host import deadline, process, shell, shortage
from harness.host.deadline import POLL, Deadline
from harness.model.trouble import Testimony
from harness.vm import blocks, qemu_args, sockets, vms
from harness.vm.qemu_args import Boot
from harness.vm.vm_time import hardly_ran
from harness.vm.vms import GuestDied, State, Vm

_SILENT_SECONDS = 45.0
"""maximum seconds without output of a guest that boots"""
_PORTS = 5
"""maximum number of ports to try: another process may take one first"""

Ask = Callable[[Vm], Testimony]
"""examines a guest that hangs"""


def free_port() -> int:
    """Return a port of the host that nobody listens on at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start(
    boot: Boot,
    cell: str,
    *,
    keep: bool,
    seconds: float = vms.BOOT_SECONDS,
    ask: Ask | None = None,
    port: Callable[[], int] = free_port,
) -> Vm:
    """Start QEMU and return once the guest reports that SSH listens, which may take `seconds`.

    The VM ends with this process unless `keep`. Raises GuestDied if the guest ends or is not ready in time; `ask`
    examines one that hangs first. Raises VmLost if QEMU itself does not start.
    """
    if not keep:
        atexit.register(vms.stop_own)
    boot = msgspec.structs.replace(boot, sandbox=has_sandbox(boot.machine.qemu.binary))
    root = paths.cache() / "vms"
    root.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="vm-", dir=root))
    began = deadline.own_time().ran
    try:
        vm = _launch(boot, folder, cell, port, keep=keep)
    except BaseException:
        if state := vms.load(folder):
            process.kill(state.pid, state.started)
        vms.remove(folder)
        raise
    try:
        ready = _ready(vm, began, seconds)
    except BaseException as error:
        try:
            if isinstance(error, GuestDied) and ask and vm.alive:
                error.testimony = ask(vm)
        finally:
            vm.stop()
        raise
    vm.state = msgspec.structs.replace(vm.state, boot_seconds=round(ready, 3))
    vms.save(vm)
    return vm


def _launch(boot: Boot, folder: Path, cell: str, port: Callable[[], int], *, keep: bool) -> Vm:
    output = ""
    sockets.make(folder)
    (folder / blocks.FOLDER).mkdir()
    for _ in range(_PORTS):
        number = port()
        boot = msgspec.structs.replace(boot, port=number)
        command = qemu_args.command(boot, folder)
        qemu = process.start(command, folder / "qemu.log", keep=keep or boot.pauses, largest=vms.LONGEST_LOG)
        owner = 0 if keep else os.getpid()
        state = State(
            cell,
            boot.clock,
            vms.identity(boot),
            qemu.pid,
            process.start_time(qemu.pid),
            owner,
            process.start_time(owner) if owner else 0,
            number,
            boot.accelerator,
            command,
            pauses=boot.pauses,
        )
        vms.save(vm := Vm(folder, state))
        vm.claim()
        silence = Deadline(_SILENT_SECONDS, vm.time)
        while qemu.poll() is None and not vm.console.size and not silence.over:
            time.sleep(POLL / 2)
        if vm.console.size or not qemu.poll():
            return vm
        output = (folder / "qemu.log").read_text(errors="replace").strip()
        vm.release()
        if "forwarding" not in output:
            break
    said = shortage.reason(output.splitlines()) or (output.splitlines()[-1] if output else "it said nothing")
    raise VmLost(f"{cell}: {boot.machine.qemu.binary} did not start: {shortage.advised(said)}")


def _ready(vm: Vm, began: float, seconds: float) -> float:
    late, silence = Deadline(seconds, vm.time), Deadline(_SILENT_SECONDS - (deadline.own_time().ran - began), vm.time)
    log = ""
    while True:
        alive = vm.alive
        new = vm.console.read() if alive else vm.console.rest()
        if new:
            silence = Deadline(_SILENT_SECONDS, vm.time)
        log += new
        if rootfs.READY in log:
            return deadline.own_time().ran - began
        if not alive:
            raise GuestDied(f"{vm.ended(f'{vm.state.cell}: the guest ended while it booted')}.", log)
        if late.over:
            raise _late(late, f"{vm.state.cell}: the guest was not ready {seconds:.0f} s after its start", log)
        if silence.over:
            raise _late(silence, f"{vm.state.cell}: the guest said nothing for {_SILENT_SECONDS:.0f} s while it booted", log)
        time.sleep(POLL)


def _late(over: Deadline, what: str, log: str) -> VmLost:
    """Return the end of a guest that let a deadline pass; it has not died if it hardly ran meanwhile."""
    return VmLost(f"{what}, but {hardly_ran(over.doubt)}") if over.doubt else GuestDied(f"{what}.", log)


@functools.cache
def has_sandbox(binary: str) -> bool:
    """Return True if QEMU supports -sandbox; its help lists the option even if it does not."""
    shell.output((binary, "-version"), error=VmLost)
    try:
        shell.output((binary, "-sandbox", "on", "-version"))
    except RigError:
        return False
    return True
