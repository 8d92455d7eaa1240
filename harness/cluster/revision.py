# SPDX-License-Identifier: GPL-2.0-only
"""Facts of a host that decide whether its results are those of another: the rig's revision, and the version of each QEMU."""

from __future__ import annotations

import socket
from collections.abc import Collection
from pathlib import Path

import msgspec

from harness import paths
from harness.errors import RigError
from harness.host import files, shell
from harness.model import matrix

_DECIDE = ("harness/**/*.py", "harness/**/*.sh", "test_module/**/*.toml", "qemu_configs/*.toml", "qemu_plugin/*.[ch]")
"""files of the rig that a session's results depend on and that do not travel with it"""
_ABSENT = "none"


class Facts(msgspec.Struct, frozen=True):
    """The rig and the QEMUs of a host; they have to be the same on each host of a cluster."""

    revision: str
    """digest of the rig's files"""
    qemu: dict[str, str]
    """first line of what each QEMU says its version is, by the name of its program; ``none`` if it is not there"""


def facts(binaries: Collection[str] | None = None) -> Facts:
    """Return the facts of this host, as they are now; `binaries` are the QEMUs, by default those of all machines."""
    wanted = binaries or {matrix.load_machine(name).qemu.binary for name in matrix.machine_names()}
    return Facts(revision(), {binary: _version(binary) for binary in sorted(wanted)})


def revision(project: Path = paths.PROJECT) -> str:
    """Return a digest of the rig's files in `project`."""
    found = sorted({file for pattern in _DECIDE for file in project.glob(pattern)})
    return files.digest(*(part for file in found for part in (str(file.relative_to(project)), file)))[:16]


def refusal(here: Facts, there: Facts, host: str = "") -> str:
    """Return why a worker on `host`, by default this one, with the facts `there` cannot work for a client with those `here`.

    It is one sentence, or empty if the worker can.
    """
    name = host or socket.gethostname()
    if there.revision != here.revision:
        return (
            f"{name} has another revision of the rig ({there.revision}) than the client ({here.revision});"
            " call `invoke cluster.down` and `invoke cluster.up` again."
        )
    for binary, version in here.qemu.items():
        other = there.qemu.get(binary, _ABSENT)
        if other != version:
            return (
                f"{name} has another {binary} ('{other}') than the client ('{version}'), so that figures could differ;"
                " install the same version, or leave that host out."
            )
    return ""


def _version(binary: str) -> str:
    try:
        return shell.output((binary, "--version")).splitlines()[0]
    except (RigError, IndexError):
        return _ABSENT
