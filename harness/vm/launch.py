# SPDX-License-Identifier: GPL-2.0-only
"""Starts QEMU, and waits until the guest's SSH listens."""

from __future__ import annotations

import atexit
import contextlib
import functools
import os
import re
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
from harness.model.clock import Clock
from harness.model.trouble import Testimony
from harness.vm import blocks, qemu_args, sockets, vms
from harness.vm.qemu_args import Boot
from harness.vm.vm_time import hardly_ran
from harness.vm.vms import GuestDied, State, Vm

_SILENT_SECONDS = 45.0
"""maximum seconds without output of a guest that boots"""
_PORTS = 5
"""maximum number of ports to try: another process may take one first"""
_BOOTS = 3
"""maximum number of boots of a guest whose clock comes out wrong"""
_FASTEST, _SLACK = 1.2, 0.5
"""maximum seconds of a guest's clock for each of the host's, and maximum seconds more in all"""
_UPTIME = re.compile(rf"^\[ *(\d+\.\d+)\] {re.escape(rootfs.READY)}$", re.M)

Ask = Callable[[Vm], Testimony]
"""examines a guest that hangs"""


class WrongClock(VmLost):
    """The guest's clock runs away, so that all times and limits in it are wrong; that is not the kernel's fault."""


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
    examines one that hangs first. Raises VmLost if QEMU itself does not start, or if the guest's clock is wrong in each
    of a few boots.
    """
    if not keep:
        atexit.register(vms.stop_own)
    boot = msgspec.structs.replace(boot, sandbox=has_sandbox(boot.machine.qemu.binary))
    for _ in range(_BOOTS - 1):
        with contextlib.suppress(WrongClock):
            return _start(boot, cell, keep=keep, seconds=seconds, ask=ask, port=port)
    return _start(boot, cell, keep=keep, seconds=seconds, ask=ask, port=port)


def _start(boot: Boot, cell: str, *, keep: bool, seconds: float, ask: Ask | None, port: Callable[[], int]) -> Vm:
    root = paths.cache() / "vms"
    root.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="vm-", dir=root))
    began, at = deadline.own_time().ran, _now()
    try:
        vm = _launch(boot, folder, cell, port, keep=keep)
    except BaseException:
        if state := vms.load(folder):
            process.kill(state.pid, state.started)
        vms.remove(folder)
        raise
    try:
        ready, log = _ready(vm, began, seconds)
        _check_clock(vm, log, _now() - at)
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


def _ready(vm: Vm, began: float, seconds: float) -> tuple[float, str]:
    """Return the seconds from `began` on until the guest was ready, and its console log."""
    late, silence = Deadline(seconds, vm.time), Deadline(_SILENT_SECONDS - (deadline.own_time().ran - began), vm.time)
    log = ""
    while True:
        alive = vm.alive
        new = vm.console.read() if alive else vm.console.rest()
        if new:
            silence = Deadline(_SILENT_SECONDS, vm.time)
        log += new
        if rootfs.READY in log:
            return deadline.own_time().ran - began, log
        if not alive:
            raise GuestDied(f"{vm.ended(f'{vm.state.cell}: the guest ended while it booted')}.", log)
        if late.over:
            raise _late(late, f"{vm.state.cell}: the guest was not ready {seconds:.0f} s after its start", log)
        if silence.over:
            raise _late(silence, f"{vm.state.cell}: the guest said nothing for {_SILENT_SECONDS:.0f} s while it booted", log)
        time.sleep(POLL)


def _now() -> float:
    """Return the seconds of a clock that goes on while the host or this process sleeps, as a guest's may."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def _check_clock(vm: Vm, log: str, passed: float) -> None:
    """Raise WrongClock if a guest whose clock counts time counted more of it than has passed since QEMU's start, in seconds.

    A kernel on x86_64 measures the frequency of its clock against a timer. On a busy host it may find a fraction of it.
    """
    counted = _UPTIME.search(log)
    if vm.state.clock is Clock.WALL and counted and float(counted[1]) > _FASTEST * passed + _SLACK:
        raise WrongClock(
            f"{vm.state.cell}: the guest's clock counted {float(counted[1]):.1f} s in {passed:.1f} s, {_BOOTS} times in a row: its"
            " kernel measured the CPU's frequency while the host was busy; test it again when the host is less busy."
        )


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
