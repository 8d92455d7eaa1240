# SPDX-License-Identifier: GPL-2.0-only
"""Virtual machines: watched, found again, claimed, stopped; none outlives the rig unless it is meant to."""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
from filelock import FileLock, Timeout

from harness import paths
from harness.errors import VmLost
from harness.host import files, process
from harness.host.deadline import POLL, Deadline
from harness.model.clock import Clock
from harness.model.trouble import Testimony
from harness.vm import qemu_args, qmp
from harness.vm.console import Console
from harness.vm.qemu_args import Boot

BOOT_SECONDS = 90.0
"""the longest that a boot may take on a loaded host under emulation; usual are one to three"""
_USUAL_BOOT = 2.0
"""seconds that a boot takes where deadlines are as they are written; where it takes longer, so may everything else"""
LONGEST_LOG = 8 << 20
"""bytes that a guest may write to its serial line; nothing more is kept, and the guest is of no more use"""
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
        state = load(self.folder)
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

    @contextlib.contextmanager
    def standing_still(self) -> Iterator[None]:
        """Have its CPUs stopped meanwhile, so that it writes nothing; raises VmLost if QEMU does not answer."""
        qmp.execute(self.folder / "qmp", "stop")
        try:
            yield
        finally:
            qmp.execute(self.folder / "qmp", "cont")

    def keep(self, test: str) -> None:
        """Leave it up, as it is after `test`, for a person to look at."""
        self.state = msgspec.structs.replace(self.state, owner=0, owner_started=0, kept=test)
        save(self)
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


def identity(boot: Boot) -> str:
    """Return what tells VMs apart that were booted from other files or with other options than the rig's own."""
    return files.digest(msgspec.json.encode(msgspec.structs.replace(boot, port=0, sandbox=False), enc_hook=str))[:16]


def running() -> Iterator[Vm]:
    """Return the VMs that were left up on purpose."""
    for vm in every():
        if vm.running and not vm.state.owner:
            yield vm


def find(cell: str, boot: Boot) -> Vm | None:
    """Return the VM of `cell` that was left up or that this rig booted, if it is just what `boot` would boot.

    It is this process's from now on: no other finds it.
    """
    for vm in every():
        mine = vm.state.owner in (0, os.getpid(), os.getppid()) and not vm.state.kept
        if mine and vm.alive and (vm.state.cell, vm.state.identity) == (cell, identity(boot)) and vm.claim():
            if not vm.state.kept:
                return vm
            vm.release()
    return None


def own() -> Iterator[Vm]:
    """Return the VMs that would end with this process."""
    return (machine for machine in every() if machine.state.owner == os.getpid())


def stop_own() -> None:
    """End the VMs that would end with this process anyway, folders and all."""
    for machine in own():
        machine.stop()


def sweep() -> int:
    """End and remove what rigs that were killed left behind; return how many VMs that were."""
    swept = 0
    for folder in (paths.cache() / "vms").glob("vm-*"):
        state = load(folder)
        if state is None:
            with contextlib.suppress(FileNotFoundError):  # another rig may sweep as well
                if time.time() - folder.stat().st_mtime > BOOT_SECONDS:
                    remove(folder)
            continue
        # A VM that has an owner is the owner's to read and remove, dead or alive.
        pid, started = (state.owner, state.owner_started) if state.owner else (state.pid, state.started)
        if not process.alive(pid, started) and Vm(folder, state).claim():
            process.kill(state.pid, state.started)
            remove(folder)
            swept += 1
    return swept


def remove(folder: Path) -> None:
    """Remove a VM's folder, and end a QEMU of it that nobody came to note the state of."""
    with contextlib.suppress(OSError, ValueError):
        pid = int((folder / qemu_args.PIDFILE).read_text())
        if str(folder).encode() in Path(f"/proc/{pid}/cmdline").read_bytes():
            process.kill(pid, process.start_time(pid))
    shutil.rmtree(folder, ignore_errors=True)


def every() -> Iterator[Vm]:
    """Return all VMs that have a state, whosever they are."""
    for folder in sorted((paths.cache() / "vms").glob("vm-*")):
        state = load(folder)
        if state:
            yield Vm(folder, state)


def load(folder: Path) -> State | None:
    """Return the state of the VM in `folder`; None if there is none, or it cannot be read."""
    try:
        return msgspec.json.decode((folder / "state.json").read_bytes(), type=State)
    except (OSError, msgspec.DecodeError):
        return None


def save(vm: Vm) -> None:
    """Note the state of a VM in its folder."""
    files.write(vm.folder / "state.json", msgspec.json.encode(vm.state))
