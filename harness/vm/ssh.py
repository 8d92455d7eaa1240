# SPDX-License-Identifier: GPL-2.0-only
"""Connects to the guest by SSH: Fabric on Paramiko, with the host key that the rig made."""

from __future__ import annotations

import base64
import shlex
import threading
import time
from pathlib import Path

import fabric
import paramiko

from harness.build import keys
from harness.errors import VmLost
from harness.host import files
from harness.host.deadline import POLL, Deadline

_CONNECT_SECONDS = 30.0
# Leaves the key exchange that is fastest on an emulated CPU, among those of both Dropbear and Paramiko.
_SLOW = {
    "kex": [
        "diffie-hellman-group-exchange-sha256",
        "diffie-hellman-group14-sha256",
        "diffie-hellman-group16-sha512",
        "ecdh-sha2-nistp256",
        "ecdh-sha2-nistp384",
        "ecdh-sha2-nistp521",
    ]
}


class Command:
    """A command that runs in the guest."""

    def __init__(self, channel: paramiko.Channel) -> None:
        """Wrap the SSH channel that it runs in."""
        self._channel = channel
        self._output = b""

    @property
    def done(self) -> bool:
        """True if the command or its connection has ended."""
        self._drain()
        return self._channel.exit_status_ready() or self._channel.closed

    @property
    def code(self) -> int:
        """The exit code of a command that is done; -1 if the connection ended first."""
        return self._channel.recv_exit_status()

    def output(self) -> str:
        """Return the output so far."""
        self._drain()
        return self._output.decode(errors="replace")

    def _drain(self) -> None:
        while self._channel.recv_ready():
            self._output += self._channel.recv(1 << 16)


class Guest:
    """An SSH connection to a guest, as root."""

    def __init__(self, port: int, pace: float = 1.0) -> None:
        """Connect to the guest at `port` of 127.0.0.1, which is `pace` times slower than usual.

        Raises VmLost if it does not answer, or has another host key.
        """
        pair = keys.ensure()
        self._patience = _CONNECT_SECONDS * pace
        self._connection = fabric.Connection(
            "127.0.0.1",
            user="root",
            port=port,
            config=fabric.Config(ssh_config=paramiko.SSHConfig()),
            connect_timeout=int(self._patience),
            connect_kwargs={
                "pkey": paramiko.Ed25519Key.from_private_key_file(str(pair.login_private)),
                "allow_agent": False,
                "look_for_keys": False,
                "banner_timeout": self._patience,
                "auth_timeout": self._patience,
                "disabled_algorithms": _SLOW,
            },
        )
        kind, encoded = pair.host_public.read_text().split()[:2]
        client = self._connection.client
        client.set_missing_host_key_policy(paramiko.RejectPolicy())
        client.get_host_keys().add(f"[127.0.0.1]:{port}", kind, paramiko.Ed25519Key(data=base64.b64decode(encoded)))
        try:
            self._connection.open()
        except (paramiko.SSHException, OSError, EOFError) as error:
            raise VmLost(f"The guest does not answer SSH at 127.0.0.1:{port}: {error or type(error).__name__}.") from error

    def close(self) -> None:
        """End the connection."""
        self._connection.close()

    def answers(self, seconds: float) -> bool:
        """Return whether it still does a command, within `seconds`."""
        try:
            self.run("true", seconds=seconds)
        except VmLost:
            return False
        return True

    def start(self, *words: str, stdin: bytes = b"", seconds: float | None = None) -> Command:
        """Start a command, hand it `stdin`, and return without waiting for it.

        Raises VmLost when the guest has not started it within `seconds`, by default those of a connection.
        """
        most = seconds or self._patience
        try:
            channel = self._connection.transport.open_session(timeout=most)
            channel.settimeout(most)
            channel.set_combine_stderr(True)
            # Paramiko waits for the answer to this one for ever, unless the channel is closed.
            late = threading.Timer(most, channel.close)
            late.start()
            try:
                channel.exec_command(shlex.join(words))
            finally:
                late.cancel()
            channel.sendall(stdin)
            channel.shutdown_write()
        except (paramiko.SSHException, OSError, EOFError) as error:
            raise VmLost(f"The guest's SSH broke off: {error or type(error).__name__}.") from error
        return Command(channel)

    def run(self, *words: str, stdin: bytes = b"", seconds: float | None = None) -> str:
        """Run a command to its end and return what it printed, errors included.

        Raises VmLost when it fails, or is not done after `seconds`.
        """
        most = seconds or self._patience
        deadline = Deadline(most)
        command = self.start(*words, stdin=stdin, seconds=most)
        while not command.done:
            if deadline.over:
                raise VmLost(f"`{shlex.join(words)}` was not done in the guest after {most:.0f} s.")
            time.sleep(POLL / 2)
        if command.code:
            raise VmLost(f"`{shlex.join(words)}` failed in the guest with exit code {command.code}: {command.output().strip()}")
        return command.output()

    def put(self, content: bytes, path: str) -> None:
        """Write a file in the guest; Dropbear has no SFTP."""
        self.run("sh", "-c", f"cat > {shlex.quote(path)}", stdin=content)


def command(port: int, folder: Path) -> tuple[str, ...]:
    """Return the ssh command that a person reaches the guest behind `port` with.

    It trusts only the rig's host key, which is written to a file in `folder`.
    """
    pair = keys.ensure()
    known = folder / "known_hosts"
    files.write(known, f"[127.0.0.1]:{port} {pair.host_public.read_text()}")
    options = {
        "UserKnownHostsFile": known,
        "StrictHostKeyChecking": "yes",
        "IdentitiesOnly": "yes",
        "LogLevel": "ERROR",
        "ConnectTimeout": int(_CONNECT_SECONDS),
    }
    return (
        "ssh",
        *("-F", "none", "-i", str(pair.login_private), "-p", str(port)),
        *(f"-o{name}={value}" for name, value in options.items()),
        "root@127.0.0.1",
    )
