# SPDX-License-Identifier: GPL-2.0-only
"""Starts, watches and kills background processes; pid and start time together identify one."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec

from harness.errors import VmLost
from harness.host import shell
from harness.host.deadline import POLL, Deadline

# The signal that ends a process with the rig is tied to the thread that starts it;
# the thread of this pool lives as long as the rig.
_starter = ThreadPoolExecutor(max_workers=1, thread_name_prefix="starter")
_LAST_THREADS = 2.0
"""seconds that the other threads of a process may take to end after its main thread"""
_started: dict[int, subprocess.Popen[bytes]] = {}


def start(command: Sequence[str], log: Path, *, keep: bool, largest: int) -> subprocess.Popen[bytes]:
    """Start `command` with its output in `log`; it dies with this process unless `keep`.

    It may write files of at most `largest` bytes, and gets SIGXFSZ beyond that. Raises VmLost if it cannot be run.
    """
    process = _starter.submit(_spawn, limited(command, keep=keep, largest=largest), log).result()
    _started[process.pid] = process
    return process


def limited(command: Sequence[str], *, keep: bool, largest: int) -> tuple[str, ...]:
    """Return `command` with the limits of `start`."""
    return "prlimit", f"--fsize={largest}:", "--core=0", *(() if keep else ("setpriv", "--pdeathsig", "KILL")), *command


def start_time(pid: int) -> int:
    """Return the start time of a process, in clock ticks since the host's boot; 0 if there is no such process."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    return 0 if fields[0] == "Z" else int(fields[19])


def alive(pid: int, started: int) -> bool:
    """Return True if the process `pid` that started at `started` still runs."""
    return pid > 0 and started > 0 and start_time(pid) == started


def stopped(pid: int, root: Path = Path("/")) -> bool:
    """Return True if a process is stopped: by a signal, by a debugger, or with its control group, which its state does not show.

    `root` has proc and sys.
    """
    try:
        state = (root / f"proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        return state in "Tt" or any(map(_frozen, _groups(pid, root)))
    except (OSError, IndexError, ValueError):
        return False


def _groups(pid: int, root: Path) -> Iterator[Path]:
    """Yield the files that tell whether a process's control groups are frozen; see cgroups(7)."""
    for line in (root / f"proc/{pid}/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if not controllers:  # version 2, alone or beside version 1
            for mounted in ("sys/fs/cgroup", "sys/fs/cgroup/unified"):
                yield root / mounted / path.lstrip("/") / "cgroup.events"
        elif controllers == "freezer":
            yield root / "sys/fs/cgroup/freezer" / path.lstrip("/") / "freezer.state"


def _frozen(file: Path) -> bool:
    try:
        said = file.read_text().splitlines()
    except OSError:  # the top group has no such file, and groups of another container cannot be seen
        return False
    return "FROZEN" in said or "frozen 1" in said


class CpuTime(msgspec.Struct, frozen=True):
    """Time of a process's threads on CPUs."""

    used: float = 0.0
    """seconds of all its threads on a CPU"""
    waits: Mapping[int, float] = {}
    """seconds by thread in which it could have run but had no CPU"""


def cpu_time(pid: int) -> CpuTime:
    """Return the time of a process's threads on CPUs so far; none if the kernel does not count it."""
    used, waits = 0, {}
    with contextlib.suppress(OSError):  # the process has ended meanwhile
        for file in Path(f"/proc/{pid}/task").glob("*/schedstat"):
            with contextlib.suppress(OSError, ValueError):  # the thread has ended meanwhile
                ran, waited, _ = map(int, file.read_text().split())
                used += ran
                waits[int(file.parent.name)] = waited / 1e9
    return CpuTime(used / 1e9, waits)


def kill(pid: int, started: int) -> None:
    """End a process at once, and wait until it is gone."""
    if alive(pid, started):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        deadline = Deadline(5.0)
        while alive(pid, started) and not deadline.over:
            time.sleep(POLL)
    own = _started.pop(pid, None)
    if own:
        own.poll()  # or it would stay a zombie


def terminate(pid: int, started: int, grace: float) -> None:
    """Ask a process to end, and end it at once if it still runs after `grace` seconds."""
    if alive(pid, started):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
        deadline = Deadline(grace)
        while alive(pid, started) and not deadline.over:
            time.sleep(POLL)
    kill(pid, started)


def end(pid: int) -> str:
    """Return how a process of this rig ended, such as ``by signal 9 (Killed)``; empty if it runs or is not this rig's."""
    code = exit_code(pid)
    if code is None:
        return ""
    return f"by signal {-code} ({signal.strsignal(-code)})" if code < 0 else f"with exit code {code}"


def exit_code(pid: int) -> int | None:
    """Return the exit code of a process of this rig, or the negative number of a signal; None if it runs or is not this rig's."""
    process = _started.get(pid)
    if process is None or start_time(pid):
        return None
    last = Deadline(_LAST_THREADS)
    while (code := process.poll()) is None:
        if last.over:
            return None
        time.sleep(POLL)
    return code


def unlimited(pid: int) -> None:
    """Raise a process's file size limit to the hard limit of the host."""
    _, most = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (most, most))


def _spawn(command: Sequence[str], log: Path) -> subprocess.Popen[bytes]:
    with log.open("wb") as sink:
        try:
            return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=sink, stderr=sink, start_new_session=True)
        except OSError as error:
            raise VmLost(shell.not_run(command[0], str(error.strerror))) from error
