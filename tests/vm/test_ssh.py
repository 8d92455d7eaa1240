# SPDX-License-Identifier: GPL-2.0-only
"""SSH to a guest that answers only so far, with a server of the test's own."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import paramiko
import pytest

from harness.build import keys
from harness.errors import VmLost
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


@pytest.fixture
def port(cache: Path) -> Iterator[int]:
    """The port of a server with the rig's host key that lets in, and answers nothing."""
    listening = socket.create_server(("127.0.0.1", 0))
    mute = Mute()

    def serve() -> None:
        connection, _ = listening.accept()
        transport = paramiko.Transport(connection)
        transport.add_server_key(paramiko.Ed25519Key.from_private_key_file(str(host_key(cache))))
        transport.start_server(server=mute)

    threading.Thread(target=serve, daemon=True).start()
    yield listening.getsockname()[1]
    mute.let_go.set()
    listening.close()


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


def test_nobody_at_the_port_is_said() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    with pytest.raises(VmLost, match=f"does not answer SSH at 127.0.0.1:{port}"):
        Guest(port)
