# SPDX-License-Identifier: GPL-2.0-only
"""Logs in on another host by SSH, as the user's own ssh does: keys, agent and configuration are the user's."""

from __future__ import annotations

import logging
import re
import shlex
from pathlib import Path
from typing import NoReturn

import fabric
import paramiko

from harness.errors import RigError, UsageError
from harness.host import shell

_FORM = re.compile(r"(?:[\w.-]+@)?\w[\w.-]*(?::(\d{1,5}))?")
_HIGHEST = 65535
"""port"""
_CONNECT = 20
"""seconds in which a host has to answer"""
_SILENCE = 900.0
"""seconds without a word after which a command is given up: packages are installed by some of them"""
_KNOWN_HERE = Path("/etc/ssh/ssh_known_hosts")
"""keys of hosts that all users of this host know"""


def names(given: str) -> tuple[str, ...]:
    """Return the hosts that ``--hosts`` names; UsageError for one that is no [user@]host[:port], or is there twice."""
    found = tuple(name for part in given.split(",") if (name := part.strip()))
    for name in found:
        form = _FORM.fullmatch(name)
        if not form or not 0 < int(form[1] or 22) <= _HIGHEST:
            raise UsageError(f"--hosts has to be hosts such as a,user@b,c:2222, but '{name}' is none.")
    if twice := next((name for name in found if found.count(name) > 1), ""):
        raise UsageError(f"--hosts names {twice} twice, but a host has one worker.")
    if not found:
        raise UsageError("--hosts names no host; it has to be hosts such as a,user@b,c:2222.")
    return found


def command(host: str) -> str:
    """Return how a person logs in on a host."""
    name, _, port = host.partition(":")
    return shell.quote(("ssh", *(("-p", port) if port else ()), name))


class Login:
    """A context manager: a login on another host. A host whose key the user does not know is refused."""

    def __init__(self, host: str) -> None:
        """Describe a login on `host`, a name as `names` returns it; nothing is connected.

        Raises UsageError if the user's files of ssh cannot be read.
        """
        logging.getLogger("paramiko").setLevel(logging.CRITICAL)  # what it would say is said in the rig's words
        self.host = host
        try:
            self._connection = fabric.Connection(host, connect_timeout=_CONNECT)
            hop = self._connection
            while isinstance(hop, fabric.Connection):  # each host of a ProxyJump too
                _distrust(hop.client, host if hop is self._connection else hop.original_host)
                hop = hop.gateway
        except paramiko.hostkeys.InvalidHostKey as error:
            raise UsageError(f"known_hosts has a line without a key: '{error.line}'; remove that line.") from error
        except (paramiko.SSHException, ValueError) as error:
            raise UsageError(f"The configuration of ssh cannot be read: {_words(error)}; `{command(host)}` has to work.") from error

    @property
    def target(self) -> str:
        """Name or number of the host, as the user's configuration of ssh has it."""
        return str(self._connection.host)

    def __enter__(self) -> Login:
        """Connect; UsageError if the host is not known or does not let this user in, RigError if it does not answer."""
        try:
            self._connection.open()
        except paramiko.BadHostKeyException as error:
            raise UsageError(
                f"{self.host} has another key than the one that known_hosts has for it; ask who looks after it before you trust it."
            ) from error
        except paramiko.AuthenticationException as error:
            raise UsageError(f"{self.host} does not let you in: `{command(self.host)}` has to work without a question.") from error
        except (paramiko.SSHException, OSError, EOFError) as error:
            raise RigError(f"{self.host} does not answer: {_words(error)}; see whether `{command(self.host)}` works.") from error
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def call(self, *command: str, stdin: bytes = b"") -> str:
        """Run a command there and return what it printed, stripped; RigError with its last words if it fails."""
        try:
            channel = self._connection.transport.open_session(timeout=_CONNECT)
            channel.settimeout(_SILENCE)
            channel.exec_command(shlex.join(command))
            channel.sendall(stdin)
            channel.shutdown_write()
            said: str = channel.makefile("rb").read().decode(errors="replace").strip()
            complaint = channel.makefile_stderr("rb").read().decode(errors="replace").strip()
            code = channel.recv_exit_status()
        except (paramiko.SSHException, OSError, EOFError) as error:
            raise RigError(f"The connection to {self.host} broke off: {_words(error)}.") from error
        if code:
            last = (complaint or said or "it said nothing").splitlines()[-1].rstrip(".")
            raise RigError(f"{self.host}: {last}.")
        return said


def _distrust(client: paramiko.SSHClient, host: str) -> None:
    """Have a client refuse a host that is not known: Fabric itself takes any key, and reads none of the known ones."""
    client.set_missing_host_key_policy(_Refused(host))
    client.load_system_host_keys()
    if _KNOWN_HERE.exists():
        client.load_system_host_keys(str(_KNOWN_HERE))


class _Refused(paramiko.RejectPolicy):
    """Refuses a host that is not known, in the rig's words."""

    def __init__(self, host: str) -> None:
        self._host = host

    def missing_host_key(self, *_: object) -> NoReturn:
        raise UsageError(f"The key of {self._host} is not known: call `{command(self._host)}` once, and look at the key it shows.")


def _words(error: Exception) -> str:
    said = (error.strerror if isinstance(error, OSError) else "") or str(error)  # Paramiko's own OSError has no number
    return said.rstrip(".") or type(error).__name__
