# SPDX-License-Identifier: GPL-2.0-only
"""Workers on other hosts: who can reach the scheduler, how the rig gets there, and what is said of hosts that fail."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest

from harness.cluster import address, certificates, hosts, packed_rig
from harness.cluster.daemons import Remote
from harness.cluster.joined import Asked, Looked
from harness.cluster.revision import Facts
from harness.errors import RigError, UsageError

FACTS = Facts("1" * 16, {"qemu-system-x86_64": "QEMU emulator version 7.2.22"})
LISTEN = address.read("tls://10.0.0.1:8786", "--listen")


class Host:
    """A login on a host that answers with `said`, or fails with it."""

    def __init__(self, host: str, said: str | RigError = "", target: str = "") -> None:
        self.host, self.target, self._said = host, target or host, said
        self.calls: list[tuple[tuple[str, ...], bytes]] = []

    def __enter__(self) -> Host:
        if isinstance(self._said, RigError):
            raise self._said
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def call(self, *command: str, stdin: bytes = b"") -> str:
        self.calls.append((command, stdin))
        if isinstance(self._said, RigError):
            raise self._said
        return self._said


class Shell(Host):
    """A login that runs its commands here, with a home of its own."""

    def __init__(self, host: str, home: Path) -> None:
        super().__init__(host)
        self._home = home

    def call(self, *command: str, stdin: bytes = b"") -> str:
        env = {"HOME": str(self._home), "PATH": os.environ["PATH"]}
        done = subprocess.run(("sh", "-c", shlex.join(command)), input=stdin, env=env, capture_output=True, check=False)
        if done.returncode:
            raise RigError(f"{self.host}: {done.stderr.decode().splitlines()[-1]}.")
        return done.stdout.decode().strip()


def check(listen: str, *logins: Any) -> None:
    hosts.check_reach(logins, address.read(listen, "--listen"))


def test_hosts_that_reach_the_scheduler_are_taken() -> None:
    check("tls://10.0.0.1:8786", Host("a"), Host("b"))
    check("tls://127.0.0.1:8786", Host("me@localhost:2222", target="localhost"), Host("x", target="127.0.0.7"))


@pytest.mark.parametrize(
    ("listen", "said"),
    [
        (
            "tls://127.0.0.1:8786",
            "b cannot reach a scheduler at tls://127.0.0.1:8786; let --listen name this host as others reach it",
        ),
        ("tcp://localhost:1", "b cannot reach a scheduler at tcp://localhost:1; let --listen name this host as others reach it"),
        ("tls://0.0.0.0:8786", "--listen has tls://0.0.0.0:8786, which localhost cannot go to; name this host as others reach it"),
        ("tls://[::]:8786", "--listen has tls://[::]:8786, which localhost cannot go to; name this host as others reach it"),
    ],
)
def test_a_host_that_would_not_reach_the_scheduler_is_refused(listen: str, said: str) -> None:
    with pytest.raises(UsageError, match=f"^{re.escape(said)}"):
        check(listen, Host("localhost"), Host("b"))


@pytest.fixture
def rig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A rig whose bootstrap writes down that it ran."""
    folder = tmp_path / "rig"
    folder.mkdir()
    lines = ("#!/bin/sh", "echo ran >> ../ran", "[ ! -e ../fails ] || { echo 'bootstrap: no pip' >&2; exit 1; }")
    (folder / "bootstrap").write_text("\n".join(lines) + "\n")
    (folder / "bootstrap").chmod(0o755)
    subprocess.run(("git", "init", "-q"), cwd=folder, check=True)
    packed = packed_rig.archive(folder)
    monkeypatch.setattr(packed_rig, "archive", lambda: packed)
    return folder


def test_the_rig_is_installed_once_in_the_cache_of_the_user(rig: Path, tmp_path: Path) -> None:
    secrets, said = certificates.ensure(), list[str]()
    for _ in range(2):
        logins: list[Any] = [Shell("a", tmp_path / "home a"), Shell("b", tmp_path / "b")]
        first, second = hosts.install(logins, secrets, said.append)
    place = tmp_path / "home a/.cache/kernel-patch-rig/cluster/rigs"
    assert first.rig.startswith(f"{place}/")
    assert re.fullmatch("[0-9a-f]{16}", Path(first.rig).name)
    assert (Path(first.rig) / "bootstrap").stat().st_mode & 0o777 == 0o755
    assert sorted(file.name for file in place.iterdir()) == sorted([Path(first.rig).name, "ran"]), "nothing is left"
    assert (first.host, second.host) == ("a", "b")
    assert first.key != second.key, "their files are apart, even in one cache"
    assert "a: installing the rig" in said


def test_a_rig_that_is_asked_for_is_new_again(rig: Path, tmp_path: Path) -> None:
    secrets, logins = certificates.ensure(), [Shell("a", tmp_path / "a")]
    (remote,) = hosts.install(logins, secrets, print)  # type: ignore[arg-type]
    os.utime(remote.rig, (0, 0))
    hosts.install(logins, secrets, print)  # type: ignore[arg-type]
    assert Path(remote.rig).stat().st_mtime > time.time() - 600


@pytest.mark.parametrize(
    ("answer", "told"),
    [("0", []), ("1", ["a: 1 old rig removed"]), ("2", ["a: 2 old rigs removed"]), (RigError("a: it is read-only."), None)],
)
def test_old_rigs_are_removed_when_one_is_installed(
    rig: Path, monkeypatch: pytest.MonkeyPatch, answer: str | RigError, told: list[str] | None
) -> None:
    class Installs(Host):
        def call(self, *command: str, stdin: bytes = b"") -> str:
            if command[0] == "sh":
                return "/rigs/1"
            assert command[:4] == ("/rigs/1/.venv/bin/python", "-m", "harness.cluster.joined", "tidy")
            return super().call(*command)

    said: list[str] = []
    logins: list[Any] = [Installs("a", answer)]
    assert [remote.rig for remote in hosts.install(logins, certificates.ensure(), said.append)] == ["/rigs/1"]
    assert said[2:] == (["a: old rigs were not removed: a: it is read-only."] if told is None else told)


def test_a_bootstrap_that_fails_is_said_and_nobody_takes_the_rig_for_installed(rig: Path, tmp_path: Path) -> None:
    logins: Any = [Shell("a", tmp_path / "a")]
    fails = tmp_path / "a/.cache/kernel-patch-rig/cluster/rigs/fails"
    fails.parent.mkdir(parents=True)
    fails.touch()
    with pytest.raises(RigError, match=r"^a: bootstrap: no pip\.$"):
        hosts.install(logins, certificates.ensure(), lambda _: None)
    fails.unlink()
    hosts.install(logins, certificates.ensure(), lambda _: None)
    assert (fails.parent / "ran").read_text() == "ran\nran\n", "it is called each time"


def test_a_worker_gets_its_certificates_on_standard_input() -> None:
    secrets, login = certificates.ensure(), Host("a")
    hosts.start(login, Remote("a", "/rigs/1", "k1"), LISTEN, secrets, FACTS)  # type: ignore[arg-type]
    ((command, stdin),) = login.calls
    assert command == ("/rigs/1/.venv/bin/python", "-m", "harness.cluster.joined", "start", "k1")
    asked = msgspec.json.decode(stdin, type=Asked)
    assert asked == Asked("a", LISTEN, FACTS, tuple(file.read_text() for file in (secrets.ca, secrets.certificate, secrets.key)))
    assert not any("PRIVATE KEY" in word for word in command), "the words of a command are seen by all users of a host"


def test_a_scheduler_without_tls_needs_none() -> None:
    login = Host("localhost")
    at = address.read("tcp://127.0.0.1:1", "--listen")
    hosts.start(login, Remote("localhost", "/rigs/1", "k1"), at, certificates.ensure(), FACTS)  # type: ignore[arg-type]
    assert msgspec.json.decode(login.calls[0][1], type=Asked).secrets == ()


def test_an_answer_is_the_last_line_behind_what_a_login_prints() -> None:
    login: Any = Host("a", 'Welcome!\n{"runs":false,"said":"it fell"}')
    assert hosts.look(login, Remote("a", "/rigs/1", "k1")) == Looked(False, "it fell")


def test_all_workers_are_ended_and_hosts_that_do_not_answer_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    answers: dict[str, str | RigError] = {"a": "true", "b": RigError("b does not answer: timed out."), "c": "false"}
    monkeypatch.setattr(hosts, "Login", lambda host: Host(host, answers[host]))
    remotes = [Remote(host, "/rigs/1", "k") for host in answers]
    assert hosts.stop_all(remotes) == (1, ("The worker on b may still run: b does not answer: timed out.",))
    assert hosts.stop_all([]) == (0, ())
