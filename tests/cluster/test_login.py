# SPDX-License-Identifier: GPL-2.0-only
"""Names of hosts as ssh has them, and the sentences for hosts that are not known, let nobody in, or do not answer."""

from __future__ import annotations

import io
import re
from pathlib import Path

import paramiko
import pytest

from harness.cluster import login
from harness.cluster.login import Login
from harness.errors import RigError, UsageError

KEY = paramiko.ECDSAKey.generate()


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home without keys and configuration of ssh."""
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def test_hosts_are_named_as_for_ssh() -> None:
    assert login.names("a, user@b.example,me@10.0.0.7:2222,") == ("a", "user@b.example", "me@10.0.0.7:2222")
    assert login.command("a") == "ssh a"
    assert login.command("me@10.0.0.7:2222") == "ssh -p 2222 me@10.0.0.7"


@pytest.mark.parametrize("given", ["-oProxyCommand=x", "a b", "a;b", "a:", "a:port", "@a", "a/b", "tls://a:1"])
def test_what_is_no_host_is_said(given: str) -> None:
    with pytest.raises(UsageError, match=rf"^--hosts has to be hosts such as a,user@b,c:2222, but '{re.escape(given)}' is none\.$"):
        login.names(f"a,{given}")


def test_a_host_has_one_worker_and_there_has_to_be_one() -> None:
    with pytest.raises(UsageError, match=r"^--hosts names b twice, but a host has one worker\.$"):
        login.names("a,b,b")
    with pytest.raises(UsageError, match=r"^--hosts names no host;"):
        login.names(" , ")


@pytest.mark.parametrize(
    ("error", "kind", "said"),
    [
        (
            paramiko.AuthenticationException("no"),
            UsageError,
            "me@a:7 does not let you in: `ssh -p 7 me@a` has to work without a question.",
        ),
        (
            paramiko.BadHostKeyException("a", KEY, KEY),
            UsageError,
            "me@a:7 has another key than the one that known_hosts has for it; ask who looks after it before you trust it.",
        ),
        (
            TimeoutError("timed out"),
            RigError,
            "me@a:7 does not answer: timed out; see whether `ssh -p 7 me@a` works.",
        ),
        (
            paramiko.ssh_exception.NoValidConnectionsError({("127.0.0.1", 7): OSError(111, "refused")}),
            RigError,
            "me@a:7 does not answer: Unable to connect to port 7 on 127.0.0.1; see whether `ssh -p 7 me@a` works.",
        ),
        (EOFError(), RigError, "me@a:7 does not answer: EOFError; see whether `ssh -p 7 me@a` works."),
    ],
)
def test_a_host_that_cannot_be_used_is_said(
    monkeypatch: pytest.MonkeyPatch, error: Exception, kind: type[RigError], said: str
) -> None:
    def fail() -> None:
        raise error

    there = Login("me@a:7")
    monkeypatch.setattr(there._connection, "open", fail)
    with pytest.raises(kind, match=f"^{re.escape(said)}$") as raised, there:
        pass
    assert type(raised.value) is kind


def test_a_key_that_nobody_knows_is_refused_and_known_ones_are_read(home: Path) -> None:
    (home / ".ssh").mkdir()
    (home / ".ssh/known_hosts").write_text(f"[a]:7 {KEY.get_name()} {KEY.get_base64()}\n")
    client = Login("me@a:7")._connection.client
    assert client._system_host_keys.check("[a]:7", KEY)
    with pytest.raises(UsageError, match=r"^The key of me@a:7 is not known: call `ssh -p 7 me@a` once, and look at the key it"):
        client._policy.missing_host_key(client, "b", KEY)


class Channel:
    """A command of another host, which prints `out` and `err` and ends with `code`."""

    def __init__(self, code: int = 0, out: bytes = b"", err: bytes = b"") -> None:
        self._code, self._out, self._err = code, out, err
        self.command, self.stdin = "", b""

    def settimeout(self, seconds: float) -> None:
        assert seconds > 0

    def exec_command(self, command: str) -> None:
        self.command = command

    def sendall(self, content: bytes) -> None:
        self.stdin += content

    def shutdown_write(self) -> None:
        pass

    def makefile(self, _: str) -> io.BytesIO:
        return io.BytesIO(self._out)

    def makefile_stderr(self, _: str) -> io.BytesIO:
        return io.BytesIO(self._err)

    def recv_exit_status(self) -> int:
        return self._code


class Transport:
    """A connection that is there, or broke off."""

    def __init__(self, channel: Channel | None) -> None:
        self._channel = channel

    def open_session(self, timeout: float) -> Channel:
        if self._channel is None:
            raise paramiko.SSHException("Timeout opening channel.")
        return self._channel


def there(channel: Channel | None) -> Login:
    made = Login("a")
    made._connection.__dict__["transport"] = Transport(channel)
    return made


def test_a_command_is_words_and_what_it_printed_comes_back() -> None:
    channel = Channel(out=b"one\ntwo\n", err=b"a warning\n")
    assert there(channel).call("sh", "-c", "cat $1", "sh", "a b", stdin=b"in") == "one\ntwo"
    assert (channel.command, channel.stdin) == ("sh -c 'cat $1' sh 'a b'", b"in")


@pytest.mark.parametrize(
    ("channel", "said"),
    [
        (Channel(1, b"out\n", b"bootstrap: there is no sudo.\n"), "a: there is no sudo."),
        (Channel(1, b"last\n"), "a: last."),
        (Channel(137), "a: it said nothing."),
        (None, "The connection to a broke off: Timeout opening channel."),
    ],
)
def test_a_command_that_fails_says_its_last_words(channel: Channel | None, said: str) -> None:
    with pytest.raises(RigError, match=rf"{re.escape(said.removeprefix('a: '))}$") as raised:
        there(channel).call("false")
    assert str(raised.value).startswith(said.partition(":")[0])
