# SPDX-License-Identifier: GPL-2.0-only
"""Virtual machines: started, found again, stopped; none outlives the rig unless it is meant to."""

from __future__ import annotations

import atexit
import contextlib
import functools
import os
import shutil
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
from filelock import FileLock, Timeout

from harness import paths, process, qemu_args, qmp, rootfs, shell, store
from harness.clock import POLL, Deadline
from harness.console import Console
from harness.errors import RigError, VmLost
from harness.matrix import Clock
from harness.qemu_args import Boot
from harness.trouble import Testimony

BOOT_SECONDS = 90.0
"""the longest that a boot may take on a loaded host under emulation; usual are one to three"""
_SILENT_SECONDS = 45.0
"""the longest that a guest may say nothing while it boots"""
_USUAL_BOOT = 2.0
"""seconds that a boot takes where deadlines are as they are written; where it takes longer, so may everything else"""
LONGEST_LOG = 8 << 20
"""bytes that a guest may write to its serial line; nothing more is kept, and the guest is of no more use"""
_PORTS = 5
"""how often a port is picked, should somebody else take it first"""
_LOOK = 0.2
"""seconds between two questions to QEMU whether its guest has ended"""


class GuestDied(VmLost):
    """The guest ended, or never came up; its log tells more."""

    def __init__(self, message: str, log: str, first_line: int = 1) -> None:
        """Say `message`; `log` is what the console said from its line `first_line` on."""
        super().__init__(message)
        self.log = log
        self.first_line = first_line
        self.testimony = Testimony(heard=False)


class State(msgspec.Struct, frozen=True):
    """What is kept about a running VM, as state.json in its folder."""

    cell: str
    clock: Clock
    identity: str
    """digest of all that it was booted with, but for the port"""
    pid: int
    started: int
    """the process's start time, which with its pid is its identity"""
    owner: int
    """pid of the rig that it dies with; 0 when it was left up on purpose"""
    owner_started: int
    port: int
    accelerator: str
    command: tuple[str, ...]
    pauses: bool = False
    """whether QEMU stays when its guest ends"""
    kept: str = ""
    """the test after whose failure it was left up; empty for one that is sound"""
    boot_seconds: float = 0.0
    """from QEMU's start to the guest's word that SSH listens"""


class Vm:
    """A running virtual machine."""

    def __init__(self, folder: Path, state: State) -> None:
        """Wrap the VM whose sockets and log are in `folder`."""
        self.folder = folder
        self.state = state
        self.console = Console(folder / qemu_args.LOG)
        self._claim = FileLock(folder / "claim", timeout=0)
        self._next_look = 0.0
        self._halted = False

    @property
    def running(self) -> bool:
        """Whether its QEMU still runs."""
        return process.alive(self.state.pid, self.state.started)

    @property
    def alive(self) -> bool:
        """Whether its guest may still do something that is seen."""
        if self.running and self.state.pauses and not self._halted and time.monotonic() >= self._next_look:
            self._next_look = time.monotonic() + _LOOK
            with contextlib.suppress(VmLost):
                self._halted = self.status() != "running"
        return self.running and not self._halted and self.console.size < LONGEST_LOG

    def ended(self, what: str) -> str:
        """Return `what` happened, and how QEMU ended where that is known and tells more."""
        if self.console.size >= LONGEST_LOG:
            return f"{what}: its console's log had reached its limit of {LONGEST_LOG >> 20} MiB"
        said = process.end(self.state.pid)
        return f"{what}: QEMU ended {said}" if said and said != "with exit code 0" else what

    @property
    def pace(self) -> float:
        """How many times slower than usual it is, which is what deadlines have to be multiplied with: at least 1."""
        return max(1.0, self.state.boot_seconds / _USUAL_BOOT)

    def claim(self) -> bool:
        """Take it for this process, which no other can do until this one ends or releases it; return whether that worked."""
        if not (self.folder / "state.json").exists():
            return False
        try:
            self._claim.acquire()
        except (Timeout, OSError):
            return False
        state = _load(self.folder)
        if state is None:  # it was stopped meanwhile; the lock's file is all there is
            self.release()
            shutil.rmtree(self.folder, ignore_errors=True)
            return False
        self.state = state
        return True

    def release(self) -> None:
        """Let another process find it."""
        self._claim.release()

    def status(self) -> str:
        """Return QEMU's word for its state, such as ``running``."""
        answer = qmp.execute(self.folder / "qmp", "query-status")
        return str(answer["status"]) if isinstance(answer, dict) else "unknown"

    def monitor(self, line: str) -> str:
        """Return what QEMU's monitor says to `line`; raises VmLost if it does not answer."""
        return str(qmp.execute(self.folder / "qmp", "human-monitor-command", {"command-line": line})).replace("\r", "")

    def keep(self, test: str) -> None:
        """Leave it up, as it is after `test`, for a person to look at."""
        self.state = msgspec.structs.replace(self.state, owner=0, owner_started=0, kept=test)
        _save(self)
        self.release()

    def stop(self) -> None:
        """End it, by QMP or by force, and remove its folder."""
        if self.running:
            with contextlib.suppress(VmLost):
                qmp.execute(self.folder / "qmp", "quit", deadline=2.0)
            deadline = Deadline(2.0)
            while self.running and not deadline.over:
                time.sleep(POLL)
        process.kill(self.state.pid, self.state.started)
        shutil.rmtree(self.folder, ignore_errors=True)
        self.release()


Ask = Callable[[Vm], Testimony]
"""finds out what a guest does that hangs"""


def identity(boot: Boot) -> str:
    """Return what tells VMs apart that were booted from other files or with other options than the rig's own."""
    return store.digest(msgspec.json.encode(msgspec.structs.replace(boot, port=0, sandbox=False), enc_hook=str))[:16]


def start(boot: Boot, cell: str, *, keep: bool, seconds: float = BOOT_SECONDS, ask: Ask | None = None) -> Vm:
    """Start QEMU and return once the guest says that SSH listens, which may take `seconds`.

    The VM ends with this process unless `keep`. Raises GuestDied when the guest ends or
    is not ready in time, after one that hangs was asked by `ask`; VmLost when QEMU itself does not start.
    """
    if not keep:
        atexit.register(stop_own)
    boot = msgspec.structs.replace(boot, sandbox=_has_sandbox(boot.machine.qemu.binary))
    root = paths.cache() / "vms"
    root.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="vm-", dir=root))
    began = time.monotonic()
    try:
        vm = _launch(boot, folder, cell, keep=keep)
    except BaseException:
        if state := _load(folder):
            process.kill(state.pid, state.started)
        _remove(folder)
        raise
    try:
        ready = _ready(vm, began, seconds)
    except GuestDied as died:
        if ask and vm.alive:
            died.testimony = ask(vm)
        vm.stop()
        raise
    except BaseException:
        vm.stop()
        raise
    vm.state = msgspec.structs.replace(vm.state, boot_seconds=round(ready, 3))
    _save(vm)
    return vm


def running() -> Iterator[Vm]:
    """Return the VMs that were left up on purpose."""
    for vm in _all():
        if vm.running and not vm.state.owner:
            yield vm


def find(cell: str, boot: Boot) -> Vm | None:
    """Return the VM of `cell` that was left up or that this rig booted, if it is just what `boot` would boot.

    It is this process's from now on: no other finds it.
    """
    for vm in _all():
        mine = vm.state.owner in (0, os.getpid(), os.getppid()) and not vm.state.kept
        if mine and vm.alive and (vm.state.cell, vm.state.identity) == (cell, identity(boot)) and vm.claim():
            if not vm.state.kept:
                return vm
            vm.release()
    return None


def stop_own() -> None:
    """End the VMs that would end with this process anyway, folders and all."""
    for machine in _all():
        if machine.state.owner == os.getpid():
            machine.stop()


def sweep() -> int:
    """End and remove what rigs that were killed left behind; return how many VMs that were."""
    swept = 0
    for folder in (paths.cache() / "vms").glob("vm-*"):
        state = _load(folder)
        if state is None:
            with contextlib.suppress(FileNotFoundError):  # another rig may sweep as well
                if time.time() - folder.stat().st_mtime > BOOT_SECONDS:
                    _remove(folder)
            continue
        # A VM that has an owner is the owner's to read and remove, dead or alive.
        pid, started = (state.owner, state.owner_started) if state.owner else (state.pid, state.started)
        if not process.alive(pid, started) and Vm(folder, state).claim():
            process.kill(state.pid, state.started)
            _remove(folder)
            swept += 1
    return swept


def _remove(folder: Path) -> None:
    """Remove a VM's folder, and end a QEMU of it that nobody came to note the state of."""
    with contextlib.suppress(OSError, ValueError):
        pid = int((folder / qemu_args.PIDFILE).read_text())
        if str(folder).encode() in Path(f"/proc/{pid}/cmdline").read_bytes():
            process.kill(pid, process.start_time(pid))
    shutil.rmtree(folder, ignore_errors=True)


def _all() -> Iterator[Vm]:
    for folder in sorted((paths.cache() / "vms").glob("vm-*")):
        state = _load(folder)
        if state:
            yield Vm(folder, state)


def _load(folder: Path) -> State | None:
    try:
        return msgspec.json.decode((folder / "state.json").read_bytes(), type=State)
    except (OSError, msgspec.DecodeError):
        return None


def _save(vm: Vm) -> None:
    store.write(vm.folder / "state.json", msgspec.json.encode(vm.state))


def _launch(boot: Boot, folder: Path, cell: str, *, keep: bool) -> Vm:
    said = ""
    for _ in range(_PORTS):
        boot = msgspec.structs.replace(boot, port=_free_port())
        command = qemu_args.command(boot, folder)
        qemu = process.start(command, folder / "qemu.log", keep=keep or boot.pauses, largest=LONGEST_LOG)
        owner = 0 if keep else os.getpid()
        state = State(
            cell,
            boot.clock,
            identity(boot),
            qemu.pid,
            process.start_time(qemu.pid),
            owner,
            process.start_time(owner) if owner else 0,
            boot.port,
            boot.accelerator,
            command,
            pauses=boot.pauses,
        )
        vm = Vm(folder, state)
        _save(vm)
        vm.claim()
        deadline = Deadline(_SILENT_SECONDS)
        while qemu.poll() is None and not vm.console.size and not deadline.over:
            time.sleep(POLL / 2)
        if vm.console.size or not qemu.poll():
            return vm
        said = (folder / "qemu.log").read_text(errors="replace").strip()
        if "forwarding" not in said:
            break
    raise VmLost(f"{cell}: {boot.machine.qemu.binary} did not start: {said.splitlines()[-1] if said else 'it said nothing'}")


def _ready(vm: Vm, began: float, seconds: float) -> float:
    deadline, silence = Deadline(seconds), Deadline(_SILENT_SECONDS - (time.monotonic() - began))
    log = ""
    while True:
        alive = vm.alive
        new = vm.console.read() if alive else vm.console.rest()
        if new:
            silence = Deadline(_SILENT_SECONDS)
        log += new
        if rootfs.READY in log:
            return time.monotonic() - began
        if not alive:
            raise GuestDied(f"{vm.ended(f'{vm.state.cell}: the guest ended while it booted')}.", log)
        if deadline.over:
            raise GuestDied(f"{vm.state.cell}: the guest was not ready {seconds:.0f} s after its start.", log)
        if silence.over:
            raise GuestDied(f"{vm.state.cell}: the guest said nothing for {_SILENT_SECONDS:.0f} s while it booted.", log)
        time.sleep(POLL)


@functools.cache
def _has_sandbox(binary: str) -> bool:
    """Return whether QEMU was built with it; its help lists the option in any case."""
    shell.output((binary, "-version"), error=VmLost)
    try:
        shell.output((binary, "-sandbox", "on", "-version"))
    except RigError:
        return False
    return True


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
