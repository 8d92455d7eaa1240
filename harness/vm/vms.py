# SPDX-License-Identifier: GPL-2.0-only
"""Watches, finds, claims and stops virtual machines; none outlives the rig unless the user wants it."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
from filelock import FileLock, Timeout

from harness import paths
from harness.errors import VmLost
from harness.host import files, process, shortage, stored
from harness.host.deadline import POLL, Deadline
from harness.model.clock import Clock
from harness.model.trouble import Testimony
from harness.vm import qemu_args, qmp, sockets
from harness.vm.console import Console
from harness.vm.qemu_args import Boot
from harness.vm.vm_time import VmTime

BOOT_SECONDS = 90.0
"""maximum seconds of a boot on a loaded host under emulation; usual are one to three"""
_USUAL_BOOT = 2.0
"""seconds of a usual boot; if a boot takes longer, all deadlines are longer by the same factor"""
LONGEST_LOG = 8 << 20
"""maximum bytes of a guest's console log; a guest that reaches it is not used any more"""
_TERMINATED = "terminating on signal"
"""in QEMU's own messages, when it was told to end"""
_LOOK = 0.2
"""seconds between two queries of QEMU's state"""


class GuestDied(VmLost):
    """The guest ended, or did not boot; its log has the reason."""

    def __init__(self, message: str, log: str, first_line: int = 1, cell: str = "") -> None:
        """Store `message`, and in `log` the console's output from its line `first_line` on; `cell` is the guest's name."""
        super().__init__(message)
        self.cell = cell
        self.log = log
        self.first_line = first_line
        self.testimony = Testimony(heard=False)


class State(msgspec.Struct, frozen=True):
    """State of a running VM, stored as state.json in its folder."""

    cell: str
    clock: Clock
    identity: str
    """digest of all settings of its boot except the port"""
    pid: int
    started: int
    """start time of the process; together with the pid it identifies the process"""
    owner: int
    """pid of the rig that it dies with; 0 for one that was left running on purpose"""
    owner_started: int
    port: int
    accelerator: str
    command: tuple[str, ...]
    pauses: bool = False
    """True if QEMU pauses when its guest ends"""
    kept: str = ""
    """name of the test after whose failure it was left running; empty for a VM without a failure"""
    boot_seconds: float = 0.0
    """seconds from QEMU's start until SSH listens"""
    used: bool = False
    """True once tests ran in it; what is timed in it then is not as in a VM that has just booted"""


class Vm:
    """A running virtual machine."""

    def __init__(self, folder: Path, state: State) -> None:
        """Wrap the VM whose state and log are in `folder`."""
        self.folder = folder
        self.state = state
        self.sockets = sockets.of(folder)
        """folder of its sockets"""
        self.console = Console(folder / qemu_args.LOG)
        self.time = VmTime(state.cell, state.pid)
        """time that its guest's deadlines count"""
        self._claim = FileLock(folder / "claim", timeout=0)
        self._next_look = 0.0
        self._halted = False

    @property
    def running(self) -> bool:
        """True if its QEMU still runs."""
        return process.alive(self.state.pid, self.state.started)

    @property
    def alive(self) -> bool:
        """True if its guest runs and its console's log is not full."""
        if self.running and self.state.pauses and not self._halted and time.monotonic() >= self._next_look:
            self._next_look = time.monotonic() + _LOOK
            with contextlib.suppress(VmLost):
                self._halted = self.status() != "running"
        return self.running and not self._halted and self.console.size < LONGEST_LOG

    def ended(self, what: str) -> str:
        """Return the message `what`, with QEMU's exit status if it is known and not 0.

        Raises VmLost if a signal ended QEMU that no guest can send, or QEMU gave up for want of something, such as threads:
        that says nothing of the guest. A crash of a QEMU that another process started cannot be told from a signal.
        """
        if self.console.size >= LONGEST_LOG:
            return f"{what}: its console's log had reached its limit of {LONGEST_LOG >> 20} MiB"
        status, code = process.end(self.state.pid), process.exit_code(self.state.pid)
        if code != 0 and (lacking := shortage.reason(self._messages.splitlines())):
            raise VmLost(
                f"{self.state.cell}: QEMU gave up, because the host lacks something: {shortage.advised(lacking)}. Its kernel cannot"
                " be judged: test it again."
            )
        if self._killed:
            raise VmLost(
                f"{self.state.cell}: QEMU was killed, by somebody or by a host that ran out of memory. Its kernel cannot be judged:"
                " test it again."
            )
        return f"{what}: QEMU ended {status}" if status and status != "with exit code 0" else what

    @property
    def _killed(self) -> bool:
        """True if QEMU did not end by itself, as it does when its guest ends; only who started it knows a signal."""
        code = process.exit_code(self.state.pid)
        # A QEMU that ends by itself removes its pid file.
        unknown = code is None and not self.running and (self.folder / qemu_args.PIDFILE).exists()
        return unknown or code == -signal.SIGKILL or _TERMINATED in self._messages

    @property
    def _messages(self) -> str:
        try:
            return (self.folder / "qemu.log").read_text(errors="replace")
        except OSError:
            return ""

    @property
    def pace(self) -> float:
        """Factor by which it is slower than usual, at least 1; deadlines are multiplied by it."""
        return max(1.0, self.state.boot_seconds / _USUAL_BOOT)

    def claim(self) -> bool:
        """Claim the VM for this process, until it ends or calls `release`; return False if another process has it."""
        if not (self.folder / "state.json").exists():
            return False
        try:
            self._claim.acquire()
        except (Timeout, OSError):
            return False
        state = load(self.folder)
        if state is None:  # it was stopped meanwhile; only the lock's file is left
            self.release()
            self._remove()
            return False
        self.state = state
        return True

    def release(self) -> None:
        """Give up the claim, so that another process can find the VM."""
        self._claim.release()

    def status(self) -> str:
        """Return the state that QEMU reports, such as ``running``."""
        answer = qmp.execute(self.sockets / sockets.QMP, "query-status")
        return str(answer["status"]) if isinstance(answer, dict) else "unknown"

    def monitor(self, line: str) -> str:
        """Return the answer of QEMU's monitor to `line`; raises VmLost if it does not answer."""
        return str(qmp.execute(self.sockets / sockets.QMP, "human-monitor-command", {"command-line": line})).replace("\r", "")

    @contextlib.contextmanager
    def standing_still(self) -> Iterator[None]:
        """Stop its CPUs during the with block, so that it writes nothing; raises VmLost if QEMU does not answer."""
        qmp.execute(self.sockets / sockets.QMP, "stop")
        try:
            yield
        finally:
            qmp.execute(self.sockets / sockets.QMP, "cont")

    def use(self) -> None:
        """Note that tests run in the VM from now on."""
        self.state = msgspec.structs.replace(self.state, used=True)
        save(self)

    def keep(self, test: str) -> None:
        """Leave the VM running after the failure of `test`, for the user to examine."""
        self.state = msgspec.structs.replace(self.state, owner=0, owner_started=0, kept=test)
        save(self)
        self.release()

    def stop(self) -> None:
        """End the VM, by QMP or else by SIGKILL, and remove its folder."""
        if self.running:
            with contextlib.suppress(VmLost):
                qmp.execute(self.sockets / sockets.QMP, "quit", deadline=2.0)
            deadline = Deadline(2.0)
            while self.running and not deadline.over:
                time.sleep(POLL)
        process.kill(self.state.pid, self.state.started)
        self._remove()
        self.release()

    def _remove(self) -> None:
        shutil.rmtree(self.sockets, ignore_errors=True)
        shutil.rmtree(self.folder, ignore_errors=True)


def identity(boot: Boot) -> str:
    """Return a digest of a boot's files and options, without those that the rig chooses itself."""
    return files.digest(msgspec.json.encode(msgspec.structs.replace(boot, port=0, sandbox=False), enc_hook=str))[:16]


def running() -> Iterator[Vm]:
    """Yield the VMs that were left running on purpose."""
    for vm in every():
        if vm.running and not vm.state.owner:
            yield vm


def find(cell: str, boot: Boot, *, unused: bool = False) -> Vm | None:
    """Claim and return a VM of `cell` that was left running or that this rig booted, if it has the identity of `boot`.

    With `unused` it is one in which no test ran yet. No other process finds it then.
    """
    for vm in every():
        mine = vm.state.owner in (0, os.getpid(), os.getppid()) and not vm.state.kept
        if mine and vm.alive and (vm.state.cell, vm.state.identity) == (cell, identity(boot)) and vm.claim():
            if not vm.state.kept and not (unused and vm.state.used):
                return vm
            vm.release()
    return None


def make_way(cell: str, clock: Clock) -> None:
    """Stop the VM of `cell` under `clock` that was left running, if nobody uses it: another is to take its place."""
    for vm in running():
        if (vm.state.cell, vm.state.clock) == (cell, clock) and not vm.state.kept and vm.claim():
            vm.stop()


def own() -> Iterator[Vm]:
    """Return the VMs that end with this process."""
    return (machine for machine in every() if machine.state.owner == os.getpid())


def stop_own() -> None:
    """Stop the VMs that end with this process, and remove their folders."""
    for machine in own():
        machine.stop()


def sweep() -> int:
    """Remove the VMs of rigs that were killed; return their number."""
    swept = 0
    for folder in (paths.cache() / "vms").glob("vm-*"):
        state = load(folder)
        if state is None:
            with contextlib.suppress(FileNotFoundError):  # another rig may sweep as well
                if time.time() - folder.stat().st_mtime > BOOT_SECONDS:
                    remove(folder)
            continue
        # Only its owner may read and remove a VM that has one, whether it runs or not.
        pid, started = (state.owner, state.owner_started) if state.owner else (state.pid, state.started)
        if not process.alive(pid, started) and Vm(folder, state).claim():
            process.kill(state.pid, state.started)
            remove(folder)
            swept += 1
    return swept


def remove(folder: Path) -> None:
    """Remove a VM's folder, and end its QEMU if no state was stored for it."""
    with contextlib.suppress(OSError, ValueError):
        pid = int((folder / qemu_args.PIDFILE).read_text())
        if str(folder).encode() in Path(f"/proc/{pid}/cmdline").read_bytes():
            process.kill(pid, process.start_time(pid))
    shutil.rmtree(sockets.of(folder), ignore_errors=True)
    shutil.rmtree(folder, ignore_errors=True)


def every() -> Iterator[Vm]:
    """Return all VMs that have a state, whosever they are."""
    for folder in sorted((paths.cache() / "vms").glob("vm-*")):
        state = load(folder)
        if state:
            yield Vm(folder, state)


def load(folder: Path) -> State | None:
    """Return the state of the VM in `folder`; None if it is missing or cannot be read."""
    try:
        return stored.decode(stored.content(folder / "state.json"), State)
    except (OSError, msgspec.DecodeError):
        return None


def save(vm: Vm) -> None:
    """Store the state of a VM in its folder."""
    files.write(vm.folder / "state.json", msgspec.json.encode(vm.state))
