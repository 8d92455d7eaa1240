# SPDX-License-Identifier: GPL-2.0-only
"""Workers on other hosts, by SSH: this host's rig is installed there, and starts, looks after and ends them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import msgspec

from harness import text
from harness.cluster import address, joined, packed_rig
from harness.cluster.address import Address
from harness.cluster.certificates import Certificates
from harness.cluster.daemons import Remote
from harness.cluster.joined import Asked, Looked
from harness.cluster.login import Login
from harness.cluster.revision import Facts
from harness.errors import RigError, UsageError
from harness.host import files, parallel, stored
from harness.host.shell import Line

Kind = TypeVar("Kind")
# A constant program of the shell, whose words are arguments. A folder without a whole rig never has the rig's name. All input is
# read: SSH has room for 2 MiB that nobody reads, and sends no more. The time of the folder says when it was last wanted.
_INSTALL = """
set -e
place="${RIG_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/kernel-patch-rig}/cluster/rigs"
if [ ! -d "$place/$1" ]; then
    mkdir -p "$place"
    new=$(mktemp -d "$place/.new.XXXXXX")
    gzip -dc | tar -x -f - -C "$new"
    mv -T "$new" "$place/$1"
fi
cat >/dev/null
cd "$place/$1"
./bootstrap --list </dev/null >/dev/null
touch .
pwd
"""


def check_reach(logins: Sequence[Login], listen: Address) -> None:
    """Raise UsageError if a host cannot reach a scheduler that listens at `listen`."""
    for login in logins:
        if listen.anywhere:
            raise UsageError(
                f"--listen has {listen}, which {login.host} cannot go to; name this host as others reach it,"
                f" such as {listen.protocol}://NAME:{listen.port}."
            )
        if listen.local and not address.loopback(login.target):
            raise UsageError(
                f"{login.host} cannot reach a scheduler at {listen}; let --listen name this host as others reach it,"
                f" such as tls://NAME:{listen.port}."
            )


def install(logins: Sequence[Login], secrets: Certificates, say: Line) -> tuple[Remote, ...]:
    """Install this host's rig on others, side by side, where it is not yet, and have them remove those that nobody uses any more.

    Raises RigError with the words of its bootstrap if that fails.
    """
    packed = packed_rig.archive()
    name = files.digest(packed)[:16]

    def one(login: Login) -> Remote:
        say(f"{login.host}: installing the rig")
        rig = _last(login, login.call("sh", "-c", _INSTALL, "sh", name, stdin=packed))
        say(f"{login.host}: the rig is in {rig}")
        remote = Remote(login.host, rig, files.digest(secrets.ca, login.host)[:16])
        _tidy(login, remote, say)
        return remote

    return tuple(parallel.side_by_side(one, logins, len(logins), stop=lambda: None))


def _tidy(login: Login, remote: Remote, say: Line) -> None:
    try:
        if removed := _answer(login, _program(login, remote, "tidy"), int):
            say(f"{login.host}: {text.counted(removed, 'old rig')} removed")
    except RigError as error:  # a worker can be started nevertheless
        say(f"{login.host}: old rigs were not removed: {error}")


def start(login: Login, remote: Remote, at: Address, secrets: Certificates, facts: Facts) -> None:
    """Start a worker that joins the scheduler at `at`; RigError if its host refuses, as where its QEMU is another one."""
    own = (secrets.ca, secrets.certificate, secrets.key) if at.encrypted else ()
    asked = Asked(remote.host, at, facts, tuple(file.read_text() for file in own))
    _program(login, remote, "start", msgspec.json.encode(asked))


def look(login: Login, remote: Remote) -> Looked:
    """Return how a worker is."""
    return _answer(login, _program(login, remote, "look"), Looked)


def stop(remote: Remote) -> bool:
    """End a worker; return whether it ran. Raises RigError if its host does not answer."""
    with Login(remote.host) as login:
        return _answer(login, _program(login, remote, "stop"), bool)


def _program(login: Login, remote: Remote, does: str, stdin: bytes = b"") -> str:
    return login.call(f"{remote.rig}/.venv/bin/python", "-m", joined.__name__, does, remote.key, stdin=stdin)


def _answer(login: Login, said: str, kind: type[Kind]) -> Kind:
    """Return the last line of what a host said; RigError if it is none of the rig's."""
    try:
        return stored.decode(_last(login, said), kind)
    except msgspec.DecodeError as error:
        raise RigError(f"{login.host} does not answer as a rig, but '{_last(login, said)}'.") from error


def _last(login: Login, said: str) -> str:
    if not said:
        raise RigError(f"{login.host} runs no commands: it said nothing; it has to give its user a shell.")
    return said.splitlines()[-1]


def stop_all(remotes: Sequence[Remote]) -> tuple[int, tuple[str, ...]]:
    """End workers side by side; return how many of them ran, and a sentence for each host that did not answer."""

    def one(remote: Remote) -> bool | str:
        try:
            return stop(remote)
        except RigError as error:
            return f"The worker on {remote.host} may still run: {error}"

    ends = parallel.side_by_side(one, remotes, max(1, len(remotes)), stop=lambda: None)
    return sum(end is True for end in ends), tuple(end for end in ends if isinstance(end, str))
