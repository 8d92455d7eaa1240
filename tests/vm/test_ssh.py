# SPDX-License-Identifier: GPL-2.0-only
"""SSH to a guest that answers only so far, with a server of the test's own."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import paramiko
import pytest

from harness.build import keys
from harness.errors import VmLost
from harness.vm import ssh
from harness.vm.ssh import Guest


class Mute(paramiko.ServerInterface):
    """Lets everybody in, opens a channel, and never answers what is asked there."""

    def __init__(self) -> None:
        self.let_go = threading.Event()

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        return paramiko.common.AUTH_SUCCESSFUL

    def get_allowed_auths(self, username: str) -> str:
        return "publickey"

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return paramiko.common.OPEN_SUCCEEDED

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        self.let_go.wait(20)
        return False


class Talker(Mute):
    """Answers every command with output without end."""

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        def talk() -> None:
            with contextlib.suppress(OSError, EOFError):
                while not self.let_go.is_set():
                    channel.sendall(b"x" * 65536)

        threading.Thread(target=talk, daemon=True).start()
        return True


class Teller(Mute):
    """Answers `cat` with bytes that are no text, and any other command with exit code 1."""

    CONTENT = bytes(range(256)) * 1000

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        def tell() -> None:
            time.sleep(0.1)  # the answer to the request goes first
            known = command == b"cat /trace.0"
            channel.sendall(self.CONTENT if known else b"cat: not there")
            channel.send_exit_status(0 if known else 1)
            channel.close()

        threading.Thread(target=tell, daemon=True).start()
        return True


@contextlib.contextmanager
def serving(cache: Path, server: Mute, refused: int = 0) -> Iterator[int]:
    """Serve with the rig's host key, after so many connections that are closed at once; yield the port."""
    listening = socket.create_server(("127.0.0.1", 0))
    key = paramiko.Ed25519Key.from_private_key_file(str(host_key(cache)))

    def serve() -> None:
        with contextlib.suppress(OSError):  # nobody came until the test was over
            for _ in range(refused):
                listening.accept()[0].close()
            transport = paramiko.Transport(listening.accept()[0])
            transport.add_server_key(key)
            transport.start_server(server=server)

    threading.Thread(target=serve, daemon=True).start()
    yield listening.getsockname()[1]
    server.let_go.set()
    listening.close()


@pytest.fixture
def port(cache: Path) -> Iterator[int]:
    """The port of a server that lets in, and answers nothing."""
    with serving(cache, Mute()) as number:
        yield number


def host_key(cache: Path) -> Path:
    """Make a host key in OpenSSH's format for the server, and have the rig expect that one."""
    pair = keys.ensure()
    key = paramiko.Ed25519Key.from_private_key_file(str(pair.login_private))
    pair.host_public.write_text(f"{key.get_name()} {key.get_base64()}\n")
    return pair.login_private


def test_a_guest_that_opens_a_channel_and_does_nothing_is_given_up(port: int, cache: Path) -> None:
    host_key(cache)
    guest = Guest(port)
    began = time.monotonic()
    assert not guest.answers(0.5)
    with pytest.raises(VmLost, match="SSH broke off"):
        guest.start("true", seconds=0.5)
    assert time.monotonic() - began < 5
    guest.close()


def test_a_guest_that_never_stops_talking_is_held_to_its_deadline(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ssh, "LONGEST_OUTPUT", 1 << 40)
    with serving(cache, Talker()) as port:
        guest = Guest(port)
        began = time.monotonic()
        with pytest.raises(VmLost, match="was not done in the guest after 1 s"):
            guest.run("yes", seconds=1.0)
        assert time.monotonic() - began < 5
        guest.close()


def test_a_guest_that_never_stops_talking_is_given_up_before_it_fills_the_memory(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ssh, "LONGEST_OUTPUT", 1 << 20)
    with serving(cache, Talker()) as port:
        guest = Guest(port)
        with pytest.raises(VmLost, match="`yes` was given up: it printed 64 MiB over SSH, which is the limit"):
            guest.run("yes")
        command = guest.start("yes")
        while not command.done:
            time.sleep(0.01)
        assert (command.flooded, command.code) == (True, -1)
        assert len(command.output()) == 1 << 20
        guest.close()


def test_a_file_of_a_guest_is_fetched_byte_by_byte(cache: Path) -> None:
    with serving(cache, Teller()) as port:
        guest = Guest(port)
        assert guest.get("/trace.0") == Teller.CONTENT
        with pytest.raises(VmLost, match=r"`cat /trace\.1` failed in the guest with exit code 1: cat: not there"):
            guest.get("/trace.1")
        guest.close()


class Paused:
    """A time of which a second was lost at each of the first looks at it."""

    def __init__(self, times: int) -> None:
        self._times, self._lost = times, 0.0

    @property
    def ran(self) -> float:
        return time.monotonic()

    @property
    def lost(self) -> float:
        self._times -= 1
        self._lost += self._times >= 0
        return self._lost


def test_a_connection_that_fails_because_the_host_stood_still_is_tried_again(cache: Path) -> None:
    with serving(cache, Mute(), refused=2) as port:
        Guest(port, vm_time=Paused(6)).close()


def test_a_connection_that_fails_by_itself_is_not(cache: Path) -> None:
    with serving(cache, Mute(), refused=1) as port, pytest.raises(VmLost, match="does not answer SSH"):
        Guest(port)


def test_nobody_at_the_port_is_said() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    with pytest.raises(VmLost, match=f"does not answer SSH at 127.0.0.1:{port}"):
        Guest(port)
