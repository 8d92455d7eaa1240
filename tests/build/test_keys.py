# SPDX-License-Identifier: GPL-2.0-only
"""The SSH keys: in formats that others read, for nobody else's eyes, made once."""

from __future__ import annotations

import base64
import stat
import struct
from pathlib import Path

import paramiko
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from harness.build import keys


def strings(data: bytes) -> list[bytes]:
    """Split a row of SSH strings (RFC 4251, section 5); all of `data` has to be used up."""
    found = []
    while data:
        (size,) = struct.unpack(">I", data[:4])
        assert len(data) >= 4 + size
        found.append(data[4 : 4 + size])
        data = data[4 + size :]
    return found


def test_dropbears_host_key_is_the_one_that_clients_are_told(cache: Path) -> None:
    pair = keys.ensure()
    kind, both = strings(pair.host_private.read_bytes())
    assert kind == b"ssh-ed25519"
    assert len(both) == 64
    public = Ed25519PrivateKey.from_private_bytes(both[:32]).public_key().public_bytes_raw()
    assert public == both[32:]
    word, encoded = pair.host_public.read_text().split()
    assert word == "ssh-ed25519"
    assert strings(base64.b64decode(encoded)) == [b"ssh-ed25519", public]


def test_the_login_key_is_the_one_that_guests_let_in() -> None:
    pair = keys.ensure()
    login = paramiko.Ed25519Key.from_private_key_file(str(pair.login_private))
    assert pair.login_public.read_text().split() == ["ssh-ed25519", login.get_base64()]


def test_private_keys_are_for_their_owner_alone(cache: Path) -> None:
    pair = keys.ensure()
    for path in (pair.host_private, pair.login_private):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert path.is_relative_to(cache)


def test_keys_are_made_once() -> None:
    first = keys.ensure()
    content = [Path(path).read_bytes() for path in (first.host_private, first.login_private)]
    again = keys.ensure()
    assert again == first
    assert [Path(path).read_bytes() for path in (again.host_private, again.login_private)] == content
    assert content[0] != content[1]


@pytest.mark.parametrize("lost", ["host_private", "login_public"])
def test_a_lost_key_is_made_again_with_its_other_half(lost: str) -> None:
    getattr(keys.ensure(), lost).unlink()
    test_dropbears_host_key_is_the_one_that_clients_are_told(Path())
    test_the_login_key_is_the_one_that_guests_let_in()
