# SPDX-License-Identifier: GPL-2.0-only
"""Virtual machines: started, found again, stopped; none outlives the rig unless it is meant to."""

from __future__ import annotations

import atexit
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec

from harness import paths, qemu_args, qmp, rootfs, store
from harness.clock import POLL, Deadline
from harness.console import Console
from harness.errors import VmLost
from harness.matrix import Clock
from harness.qemu_args import Boot

BOOT_SECONDS = 90.0
"""the longest that a boot may take on a loaded host under emulation; usual are one to three"""
_PORTS = 5
"""how often a port is picked, should somebody else take it first"""

# The signal that ends QEMU with the rig is tied to the thread that starts QEMU;
# the thread of this pool lives as long as the rig.
_starter = ThreadPoolExecutor(max_workers=1, thread_name_prefix="qemu")


class GuestDied(VmLost):
    """The guest ended, or never came up; its log tells more."""

    def __init__(self, message: str, log: str, first_line: int = 1) -> None:
        """Say `message`; `log` is what the console said from its line `first_line` on."""
        super().__init__(message)
        self.log = log
        self.first_line = first_line


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
    boot_seconds: float = 0.0
    """from QEMU's start to the guest's word that SSH listens"""


class Vm:
    """A running virtual machine."""

    def __init__(self, folder: Path, state: State) -> None:
        """Wrap the VM whose socket and log are in `folder`."""
        self.folder = folder
        self.state = state
        self.console = Console(folder / "serial.log")

    @property
    def alive(self) -> bool:
        """Whether its QEMU still runs."""
        return _alive(self.state.pid, self.state.started)

    def status(self) -> str:
        """Return QEMU's word for its state, such as ``running``."""
        answer = qmp.execute(self.folder / "qmp", "query-status")
        return str(answer["status"]) if isinstance(answer, dict) else "unknown"

    def stop(self) -> None:
        """End it, by QMP or by force, and remove its folder."""
        if self.alive:
            with contextlib.suppress(VmLost):
                qmp.execute(self.folder / "qmp", "quit", 2.0)
            deadline = Deadline(2.0)
            while self.alive and not deadline.over:
                time.sleep(POLL)
        _kill(self.state.pid, self.state.started)
        shutil.rmtree(self.folder, ignore_errors=True)


def identity(boot: Boot) -> str:
    """Return what tells VMs apart that were booted from other files or with other options."""
    return store.digest(msgspec.json.encode(msgspec.structs.replace(boot, port=0), enc_hook=str))[:16]


def start(boot: Boot, cell: str, *, keep: bool, seconds: float = BOOT_SECONDS) -> Vm:
    """Start QEMU and return once the guest says that SSH listens, which may take `seconds`.

    The VM ends with this process unless `keep`. Raises GuestDied when the guest ends or
    is not ready in time, VmLost when QEMU itself does not start.
    """
    if not keep:
        atexit.register(stop_own)
    root = paths.cache() / "vms"
    root.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="vm-", dir=root))
    began = time.monotonic()
    try:
        vm = _launch(boot, folder, cell, keep=keep)
    except BaseException:
        if state := _load(folder):
            _kill(state.pid, state.started)
        shutil.rmtree(folder, ignore_errors=True)
        raise
    try:
        ready = _ready(vm, began, seconds)
    except BaseException:
        vm.stop()
        raise
    vm.state = msgspec.structs.replace(vm.state, boot_seconds=round(ready, 3))
    _save(vm)
    return vm


def running() -> Iterator[Vm]:
    """Return the VMs that were left up on purpose."""
    for vm in _all():
        if vm.alive and not vm.state.owner:
            yield vm


def find(cell: str, boot: Boot) -> Vm | None:
    """Return the VM of `cell` that was left up or that this rig booted, if it is just what `boot` would boot."""
    for vm in _all():
        mine = vm.state.owner in (0, os.getpid(), os.getppid())
        if mine and vm.alive and (vm.state.cell, vm.state.identity) == (cell, identity(boot)):
            return vm
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
                    shutil.rmtree(folder, ignore_errors=True)
            continue
        # A VM that has an owner is the owner's to read and remove, dead or alive.
        pid, started = (state.owner, state.owner_started) if state.owner else (state.pid, state.started)
        if not _alive(pid, started):
            _kill(state.pid, state.started)
            shutil.rmtree(folder, ignore_errors=True)
            swept += 1
    return swept


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
        process = _starter.submit(_spawn, command, folder, keep).result()
        owner = 0 if keep else os.getpid()
        state = State(
            cell,
            boot.clock,
            identity(boot),
            process.pid,
            _start_time(process.pid),
            owner,
            _start_time(owner) if owner else 0,
            boot.port,
            boot.accelerator,
            command,
        )
        vm = Vm(folder, state)
        _save(vm)
        deadline = Deadline(BOOT_SECONDS)
        while process.poll() is None and not deadline.over:
            if (folder / "qmp").exists():
                return vm
            time.sleep(POLL / 2)
        process.kill()
        process.wait()
        said = (folder / "qemu.log").read_text(errors="replace").strip()
        if "forwarding" not in said:
            break
    raise VmLost(f"{cell}: {boot.machine.qemu.binary} did not start: {said.splitlines()[-1] if said else 'it said nothing'}")


def _spawn(command: tuple[str, ...], folder: Path, keep: bool) -> subprocess.Popen[bytes]:
    end = () if keep else ("setpriv", "--pdeathsig", "KILL")
    with (folder / "qemu.log").open("wb") as log:
        try:
            return subprocess.Popen((*end, *command), stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        except OSError as error:
            raise VmLost(f"`{command[0]}` cannot be run: {error.strerror}; ./bootstrap installs what the rig needs.") from error


def _ready(vm: Vm, began: float, seconds: float) -> float:
    deadline = Deadline(seconds)
    log = ""
    while True:
        alive = vm.alive
        log += vm.console.read() if alive else vm.console.rest()
        if rootfs.READY in log:
            return time.monotonic() - began
        if not alive:
            raise GuestDied(f"{vm.state.cell}: the guest ended while it booted.", log)
        if deadline.over:
            raise GuestDied(f"{vm.state.cell}: the guest was not ready {seconds:.0f} s after its start.", log)
        time.sleep(POLL)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _start_time(pid: int) -> int:
    """Return when a process started, in clock ticks since the host's boot; 0 if there is none."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    return 0 if fields[0] == "Z" else int(fields[19])


def _alive(pid: int, started: int) -> bool:
    return pid > 0 and started > 0 and _start_time(pid) == started


def _kill(pid: int, started: int) -> None:
    if _alive(pid, started):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            return
        deadline = Deadline(5.0)
        while _alive(pid, started) and not deadline.over:
            time.sleep(POLL)
