# SPDX-License-Identifier: GPL-2.0-only
"""The program that starts a worker for another host: it refuses, keeps secrets, and ends all that it started."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from harness.cluster import certificates, daemons, joined, revision
from harness.cluster.address import Address
from harness.cluster.daemons import Daemon
from harness.cluster.joined import Asked, Looked
from harness.cluster.revision import Facts
from harness.errors import RigError
from harness.host import process

FACTS = Facts("1" * 16, {})
ASKED = Asked("me@a", Address("tls", "10.0.0.1", 1), FACTS, ("the ca", "the certificate", "the key"))


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """The words with which workers were started; each is a process that sleeps."""
    started: list[tuple[Any, ...]] = []

    def worker(*words: Any) -> Daemon:
        started.append(words)
        daemon = Daemon(words[-1], 0, 0)
        daemon.log.parent.mkdir(parents=True, exist_ok=True)
        pid = process.start(("sh", "-c", "echo one; echo hello; exec sleep 60"), daemon.log, keep=False, largest=1000).pid
        return msgspec.structs.replace(daemon, pid=pid, started=process.start_time(pid))

    monkeypatch.setattr(daemons, "worker", worker)
    monkeypatch.setattr(revision, "facts", lambda _: FACTS)
    return started


def test_a_worker_is_started_looked_at_and_ended(here: list[Any], cache: Path) -> None:
    joined.start("k1", ASKED)
    ((name, at, secrets, facts, has, key),) = here
    assert (name, at, facts, has.cores, key) == ("me@a", ASKED.address, FACTS, os.cpu_count(), "k1")
    assert [file.read_text() for file in (secrets.ca, secrets.certificate, secrets.key)] == ["the ca", "the certificate", "the key"]
    assert {file.stat().st_mode & 0o777 for file in secrets.ca.parent.iterdir()} == {0o600}
    assert secrets.ca.parent.stat().st_mode & 0o777 == 0o700
    assert joined.look("k1").runs
    assert joined.stop("k1")
    assert not list(secrets.ca.parent.iterdir()), "whoever finds the key may run code on all hosts"
    assert joined.look("k1") == Looked(False, "it was not started")
    assert not joined.stop("k1")


def test_a_worker_that_was_left_over_is_ended_before(here: list[Any]) -> None:
    joined.start("k1", ASKED)
    first = joined._known("k1")
    joined.start("k1", ASKED)
    second = joined._known("k1")
    assert first
    assert second
    assert (first.runs, second.runs) == (False, True)
    assert joined.stop("k1")


def test_a_worker_without_tls_has_no_secrets(here: list[Any]) -> None:
    joined.start("k1", msgspec.structs.replace(ASKED, secrets=()))
    assert not here[0][2].ca.parent.exists()
    assert joined.stop("k1")


def test_a_host_with_another_qemu_is_refused(here: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(revision, "facts", lambda _: Facts("1" * 16, {"qemu-system-x86_64": "none"}))
    asked = msgspec.structs.replace(ASKED, facts=Facts("1" * 16, {"qemu-system-x86_64": "QEMU emulator version 7.2.22"}))
    with pytest.raises(RigError, match=r"has another qemu-system-x86_64 \('none'\) than the client"):
        joined.start("k1", asked)
    assert not here
    assert not certificates.place(daemons.cache("k1") / certificates.FOLDER).key.exists()


def test_a_worker_that_ended_has_last_words(here: list[Any]) -> None:
    joined.start("k1", ASKED)
    daemon = joined._known("k1")
    assert daemon
    process.kill(daemon.pid, daemon.started)
    daemon.log.write_text(f"one\n{daemons.REFUSED}the host has another QEMU.\nlast\n")
    assert joined.look("k1") == Looked(False, "the host has another QEMU.")


def test_it_is_a_program(here: list[Any], monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(msgspec.json.encode(ASKED))))
    out = io.TextIOWrapper(io.BytesIO())
    monkeypatch.setattr(sys, "stdout", out)
    for does in ("start", "look", "stop", "stop", "tidy"):
        joined.main(does, "k1")
    said = out.buffer.getvalue().splitlines()
    assert msgspec.json.decode(said[0], type=Looked).runs
    assert said[1:] == [b"true", b"false", b"0"]
