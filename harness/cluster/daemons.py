# SPDX-License-Identifier: GPL-2.0-only
"""Commands of a scheduler and of workers, and the processes of them that run on this host."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from harness import paths
from harness.cluster.address import Address
from harness.cluster.certificates import Certificates
from harness.cluster.revision import Facts
from harness.host import files, parallel, process, stored

_FILES = 1 << 40
"""bytes that a file of a daemon may have: no limit in effect"""
_GRACE = 10.0
"""seconds that a daemon has to end"""
_FAILURES = 1
"""workers that may die with a session or a build before the scheduler gives it up; the client then tries it by itself"""
_OWN_HOST = "127.0.0.1"
REFUSED = "refused: "
"""begins the line by which a worker says why it does not start"""


class Daemon(msgspec.Struct, frozen=True):
    """A process of a cluster on this host."""

    name: str
    pid: int
    started: int

    @property
    def runs(self) -> bool:
        """True if it still runs."""
        return process.alive(self.pid, self.started)

    @property
    def log(self) -> Path:
        """The file with its output."""
        return folder() / f"{self.name}.log"


class Remote(msgspec.Struct, frozen=True):
    """A worker on another host."""

    host: str
    """as for ssh, [user@]host[:port]; it is the worker's name too"""
    rig: str
    """folder of the rig there"""
    key: str
    """name of the worker's files there"""


class State(msgspec.Struct, frozen=True):
    """The cluster that was started from this host."""

    address: str
    scheduler: Daemon
    workers: tuple[Daemon, ...] = ()
    """on this host"""
    remotes: tuple[Remote, ...] = ()

    @property
    def names(self) -> set[str]:
        """Names of all workers."""
        return {*(worker.name for worker in self.workers), *(remote.host for remote in self.remotes)}


class Resources(msgspec.Struct, frozen=True):
    """Cores and memory that a worker has for sessions and builds."""

    cores: int
    memory: int
    """MiB"""


def folder() -> Path:
    """Return the folder of the cluster's state, logs and certificates."""
    return paths.cache() / "cluster"


def cache(name: str) -> Path:
    """Return the cache of a worker."""
    return folder() / "workers" / name


def share(workers: int) -> Resources:
    """Return what each of some workers on this host has."""
    return Resources(max(1, (os.cpu_count() or 1) // workers), parallel.free_memory() // workers)


def load() -> State | None:
    """Return the state of the cluster that was started from this host; None if there is none."""
    try:
        return stored.decode(stored.content(folder() / "state.json"), State)
    except (OSError, msgspec.DecodeError):
        return None


def save(state: State | None) -> None:
    """Store the state, or forget it."""
    file = folder() / "state.json"
    files.write(file, msgspec.json.encode(state)) if state else file.unlink(missing_ok=True)


def scheduler(address: Address, secrets: Certificates, silence: float) -> Daemon:
    """Start a scheduler, to which a worker counts as lost after `silence` seconds without a word."""
    more = {
        "DASK_DISTRIBUTED__SCHEDULER__WORKER_TTL": f"{silence:g}s",
        "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": str(_FAILURES),
        # A session that failed on a worker with a full disk waits for another one, and the idle worker would take it back.
        "DASK_DISTRIBUTED__SCHEDULER__WORK_STEALING": "False",
    }
    words = ("-m", "distributed.cli.dask_scheduler", "--host", str(address), *_common(address, secrets))
    return _start("scheduler", words, more)


def worker(name: str, address: Address, secrets: Certificates, facts: Facts, has: Resources, key: str = "") -> Daemon:
    """Start a worker on this host, with a cache of its own; `key` is the name of its files, by default its own."""
    own = cache(key or name)
    host = _OWN_HOST if address.local else address.near
    words = (
        *("-m", "harness.cluster.join", msgspec.json.encode(facts).decode(), name, msgspec.json.encode(has).decode()),
        *(str(address), "--nworkers", "1", "--memory-limit", "0", "--local-directory", str(own)),
        *("--host", str(Address(address.protocol, host, 0))),
        *_common(address, secrets),
    )
    return _start(key or name, words, {"RIG_CACHE": str(own)})


def pin(name: str) -> str:
    """Return the name of the resource that only the worker `name` has."""
    return f"worker-{name}"


def stop(daemon: Daemon) -> None:
    """End a process of the cluster, and what it started."""
    process.terminate(daemon.pid, daemon.started, _GRACE)


def last_words(daemon: Daemon) -> str:
    """Return why a process ended, by its log."""
    lines = daemon.log.read_text(errors="replace").strip().splitlines() or ["it said nothing"]
    return next((line.removeprefix(REFUSED) for line in lines if line.startswith(REFUSED)), lines[-1])


def _common(address: Address, secrets: Certificates) -> tuple[str, ...]:
    # The pages of Dask about a cluster have no password, so that only this host gets them.
    pages = ("--dashboard-address", f"{_OWN_HOST}:0")
    if not address.encrypted:
        return pages
    own = ("--tls-ca-file", str(secrets.ca), "--tls-cert", str(secrets.certificate), "--tls-key", str(secrets.key))
    return *pages, *own


def _start(name: str, words: Sequence[str], more: Mapping[str, str]) -> Daemon:
    path = os.pathsep.join(filter(None, (str(paths.PROJECT), os.environ.get("PYTHONPATH", ""))))
    settings = {"PYTHONPATH": path, "PYTHONUNBUFFERED": "1", **more}
    command = ("env", f"--chdir={paths.PROJECT}", *(f"{key}={value}" for key, value in settings.items()), sys.executable, *words)
    daemon = Daemon(name, 0, 0)
    daemon.log.parent.mkdir(parents=True, exist_ok=True)
    started = process.start(command, daemon.log, keep=True, largest=_FILES)
    return msgspec.structs.replace(daemon, pid=started.pid, started=process.start_time(started.pid))
