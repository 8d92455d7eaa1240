# SPDX-License-Identifier: GPL-2.0-only
"""Addresses of schedulers: TLS anywhere, plain TCP on this host alone."""

from __future__ import annotations

import contextlib
import ipaddress
import re
import socket

import msgspec

from harness.errors import RigError, UsageError

_FORM = re.compile(r"(tls|tcp)://(\[[0-9a-fA-F:.]+\]|[^\s\[\]:/]+):(\d{1,5})/?")
_HIGHEST = 65535
"""port"""


class Address(msgspec.Struct, frozen=True):
    """Place at which a scheduler listens, or is to listen."""

    protocol: str
    """``tls`` or ``tcp``"""
    host: str
    """name or number; one of IPv6 without brackets"""
    port: int
    """0 for one that nobody uses"""

    def __str__(self) -> str:
        """Return it as an option has it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.protocol}://{host}:{self.port}"

    @property
    def encrypted(self) -> bool:
        """True if both sides show a certificate."""
        return self.protocol == "tls"

    @property
    def local(self) -> bool:
        """True if only this host reaches it."""
        return loopback(self.host)

    @property
    def anywhere(self) -> bool:
        """True if it is all addresses of a host, at which it listens but to which nobody can go."""
        try:
            return ipaddress.ip_address(self.host).is_unspecified
        except ValueError:
            return False

    @property
    def near(self) -> str:
        """The number of the interface by which this host reaches it; RigError if there is no such host."""
        try:
            found = socket.getaddrinfo(self.host, self.port or 1, type=socket.SOCK_DGRAM)
        except OSError as error:
            raise RigError(f"{socket.gethostname()} does not know the host of {self}: {error.strerror}.") from error
        for family, kind, _, _, at in found:
            with contextlib.suppress(OSError), socket.socket(family, kind) as probe:  # another address may do
                probe.connect(at)  # of this kind of socket, it sends nothing
                return str(probe.getsockname()[0])
        raise RigError(f"{socket.gethostname()} has no way to {self}.")


def read(given: str, by: str) -> Address:
    """Return the address that an option or a variable `by` names; UsageError if it is none, or everybody could run code there."""
    found = _FORM.fullmatch(given.strip())
    if not found or int(found[3]) > _HIGHEST:
        raise UsageError(f"{by} has to be the address of a scheduler such as tls://host:8786, not '{given}'.")
    address = Address(found[1], found[2].strip("[]"), int(found[3]))
    if not address.encrypted and not address.local:
        raise UsageError(
            f"{by} names {address}, but whoever reaches a port without TLS runs code there; use tls://, or an address of this host"
            " alone such as tcp://127.0.0.1:8786."
        )
    return address


def loopback(host: str) -> bool:
    """Return True if a name or a number is that of the host itself, whichever that is."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
