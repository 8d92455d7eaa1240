# SPDX-License-Identifier: GPL-2.0-only
"""Connects to the guest by SSH: Fabric on Paramiko, with the host key that the rig made."""

from __future__ import annotations

import base64
import contextlib
import shlex
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import fabric
import paramiko

from harness.build import keys
from harness.errors import VmLost
from harness.host import deadline, files
from harness.host.deadline import POLL, Deadline, Timed
from harness.vm.vm_time import StoodStill

_CONNECT_SECONDS = 30.0
LONGEST_OUTPUT = 64 << 20
"""maximum bytes that a command may print; one that prints more is given up"""
FLOODED = f"{LONGEST_OUTPUT >> 20} MiB over SSH, which is the limit"
"""words for the output of a command that was given up"""
_PAUSE = 0.5
"""seconds in which nothing could run that are no ordinary delay of a busy host"""
_CHUNK = 1 << 16
"""bytes that are read from a channel at a time"""
_CHUNKS = 16
"""maximum number of chunks that are read before deadlines are looked at again"""
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

KNOWN = "known_hosts"
"""file in a VM's folder with its host key, for ssh"""

_T = TypeVar("_T")


class Command:
    """A command that runs in the guest."""

    def __init__(self, channel: paramiko.Channel) -> None:
        """Wrap the SSH channel that it runs in."""
        self._channel = channel
        self._output = bytearray()

    @property
    def done(self) -> bool:
        """True if the command or its connection has ended."""
        self._drain()
        return self._channel.exit_status_ready() or self._channel.closed

    @property
    def code(self) -> int:
        """The exit code of a command that is done; -1 if the connection ended first."""
        return -1 if self.flooded else self._channel.recv_exit_status()

    @property
    def flooded(self) -> bool:
        """True if it has printed more than the limit, after which it was given up."""
        return len(self._output) >= LONGEST_OUTPUT

    def output(self) -> str:
        """Return the output so far."""
        return self.content().decode(errors="replace")

    def content(self) -> bytes:
        """Return the output so far as it is."""
        while self._drain():
            pass
        return bytes(self._output)

    def _drain(self) -> bool:
        """Take what has arrived, up to a limit, because a guest may never stop; return whether there may be more."""
        for _ in range(_CHUNKS):
            if self.flooded:
                self._channel.close()
                return False
            if not self._channel.recv_ready():
                return False
            self._output += self._channel.recv(min(_CHUNK, LONGEST_OUTPUT - len(self._output)))
        return True


class Guest:
    """An SSH connection to a guest, as root."""

    def __init__(self, port: int, pace: float = 1.0, vm_time: Timed | None = None) -> None:
        """Connect to the guest at `port` of 127.0.0.1, which is `pace` times slower than usual.

        Its deadlines count `vm_time`, by default the time of this process. Raises VmLost if it does not answer,
        or has another host key.
        """
        pair = keys.ensure()
        self._time = vm_time or deadline.own_time()
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
        client.get_host_keys().add(host(port), kind, paramiko.Ed25519Key(data=base64.b64decode(encoded)))
        late = Deadline(self._patience, self._time)
        try:
            self._again(self._connection.open, late)
        except (paramiko.SSHException, OSError, EOFError) as error:
            raise VmLost(f"The guest does not answer SSH at 127.0.0.1:{port}: {error or type(error).__name__}.") from error

    def _again(self, act: Callable[[], _T], late: Deadline) -> _T:
        """Return what `act` returns; do it again if it fails after nothing could run for a while, until it is `late`.

        Paramiko's own timeouts count the time in which the host or QEMU stood still as the guest's.
        """
        while True:
            lost = self._time.lost
            try:
                return act()
            except (paramiko.SSHException, OSError, EOFError):
                if late.over or self._time.lost - lost < _PAUSE:
                    raise

    def close(self) -> None:
        """End the connection."""
        self._connection.close()

    def answers(self, seconds: float) -> bool:
        """Return whether it still does a command, within `seconds`."""
        try:
            self.run("true", seconds=seconds)
        except StoodStill:
            raise
        except VmLost:
            return False
        return True

    def start(self, *words: str, stdin: bytes = b"", seconds: float | None = None) -> Command:
        """Start a command, hand it `stdin`, and return without waiting for it.

        Raises VmLost when the guest has not started it within `seconds`, by default those of a connection.
        """
        most = seconds or self._patience
        late = Deadline(most, self._time)
        try:
            channel: paramiko.Channel = self._again(lambda: self._connection.transport.open_session(timeout=most), late)
            channel.set_combine_stderr(True)
            with _closed_when(late, channel):
                channel.exec_command(shlex.join(words))
                channel.sendall(stdin)
                channel.shutdown_write()
        except (paramiko.SSHException, OSError, EOFError) as error:
            why = "it did not answer in time" if late.over else str(error) or type(error).__name__
            raise VmLost(f"The guest's SSH broke off: {why}.") from error
        return Command(channel)

    def run(self, *words: str, stdin: bytes = b"", seconds: float | None = None) -> str:
        """Run a command to its end and return what it printed, errors included.

        Raises VmLost when it fails, or is not done after `seconds`.
        """
        return self._done(words, stdin, seconds).output()

    def get(self, path: str, seconds: float | None = None) -> bytes:
        """Return the content of a file in the guest; raises VmLost if it cannot be read, or not within `seconds`."""
        return self._done(("cat", path), b"", seconds).content()

    def _done(self, words: tuple[str, ...], stdin: bytes, seconds: float | None) -> Command:
        most = seconds or self._patience
        late = Deadline(most, self._time)
        command = self.start(*words, stdin=stdin, seconds=most)
        while not command.done:
            if late.over:
                raise VmLost(f"`{shlex.join(words)}` was not done in the guest after {most:.0f} s.")
            time.sleep(POLL / 2)
        if command.flooded:
            raise VmLost(f"`{shlex.join(words)}` was given up: it printed {FLOODED}.")
        if command.code:
            raise VmLost(f"`{shlex.join(words)}` failed in the guest with exit code {command.code}: {command.output().strip()}")
        return command

    def put(self, content: bytes, path: str) -> None:
        """Write a file in the guest; Dropbear has no SFTP."""
        self.run(*writing(path), stdin=content)


def writing(path: str) -> tuple[str, ...]:
    """Return the command of a guest that writes its input to a file."""
    return "sh", "-c", f"cat > {shlex.quote(path)}"


@contextlib.contextmanager
def _closed_when(late: Deadline, channel: paramiko.Channel) -> Iterator[None]:
    """Close the channel if the deadline passes in the with block: Paramiko waits there for ever, or by the host's clock."""
    done = threading.Event()

    def close() -> None:
        while not done.wait(POLL):
            with contextlib.suppress(StoodStill):
                if not late.over:
                    continue
            channel.close()
            return

    threading.Thread(target=close, daemon=True).start()
    try:
        yield
    finally:
        done.set()


def command(port: int, folder: Path) -> tuple[str, ...]:
    """Return the ssh command that a person reaches the guest behind `port` with.

    It trusts only the rig's host key, which is written to a file in `folder`.
    """
    pair = keys.ensure()
    known = folder / KNOWN
    files.write(known, f"{host(port)} {pair.host_public.read_text()}")
    return words(port, known, pair)


def host(port: int | str) -> str:
    """Return how a file of known hosts names the guest behind `port`."""
    return f"[127.0.0.1]:{port}"


def words(port: int | str, known: Path, pair: keys.Keys) -> tuple[str, ...]:
    """Return the ssh command that reaches the guest behind `port`, whose host key is in the file `known`."""
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
