# SPDX-License-Identifier: GPL-2.0-only
"""Addresses of schedulers: TLS anywhere, plain TCP on this host alone."""

from __future__ import annotations

import ipaddress
import re

import msgspec

from harness.errors import UsageError

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
        return _loopback(self.host)


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


def _loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
