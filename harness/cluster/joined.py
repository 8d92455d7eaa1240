# SPDX-License-Identifier: GPL-2.0-only
"""Program by which another host's `invoke cluster.up` starts a worker on this host, looks at it, ends it, and removes old rigs.

Its arguments are ``start``, ``look``, ``stop`` or ``tidy``, and the name of the worker's files. What it is to start is on its
standard input.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import msgspec

from harness.cluster import certificates, daemons, installed, revision
from harness.cluster.address import Address
from harness.cluster.daemons import Daemon
from harness.cluster.revision import Facts
from harness.errors import RigError
from harness.host import files, stored


class Asked(msgspec.Struct, frozen=True):
    """A worker that is to be started."""

    name: str
    address: Address
    """of the scheduler"""
    facts: Facts
    """of the scheduler's host"""
    secrets: tuple[str, ...]
    """CA, certificate and key; nothing for a scheduler without TLS"""


class Looked(msgspec.Struct, frozen=True):
    """State of a worker."""

    runs: bool
    said: str
    """last words of its log"""


def start(key: str, asked: Asked) -> None:
    """Start a worker; one of the same key that still runs is ended before. Raises RigError if this host cannot be a worker."""
    if said := revision.refusal(asked.facts, revision.facts(list(asked.facts.qemu))):
        raise RigError(said)
    with files.locked(_file(key)):
        _stop(key)
        secrets = certificates.place(daemons.cache(key) / certificates.FOLDER)
        if asked.secrets:
            certificates.store(secrets, *asked.secrets)
        daemon = daemons.worker(asked.name, asked.address, secrets, asked.facts, daemons.share(1), key)
        files.write(_file(key), msgspec.json.encode(daemon))


def look(key: str) -> Looked:
    """Return the state of a worker."""
    daemon = _known(key)
    return Looked(daemon.runs, daemons.last_words(daemon)) if daemon else Looked(False, "it was not started")


def stop(key: str) -> bool:
    """End a worker, and remove its certificates; return whether it ran."""
    with files.locked(_file(key)):
        ran = _stop(key)
        certificates.forget(certificates.place(daemons.cache(key) / certificates.FOLDER))
        _file(key).unlink(missing_ok=True)
        return ran


def _stop(key: str) -> bool:
    daemon = _known(key)
    if not daemon or not daemon.runs:
        return False
    daemons.stop(daemon)
    return True


def _known(key: str) -> Daemon | None:
    try:
        return stored.decode(stored.content(_file(key)), Daemon)
    except (OSError, msgspec.DecodeError):
        return None


def _file(key: str) -> Path:
    return daemons.folder() / "joined" / f"{key}.json"


def main(does: str, key: str) -> None:
    """Do what the program is called for."""
    if does == "start":
        start(key, stored.decode(sys.stdin.buffer.read(), Asked))
    else:
        answers: dict[str, Callable[[str], object]] = {"look": look, "stop": stop, "tidy": lambda _: installed.remove_unused()}
        sys.stdout.buffer.write(msgspec.json.encode(answers[does](key)) + b"\n")


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except RigError as error:
        sys.exit(str(error))
