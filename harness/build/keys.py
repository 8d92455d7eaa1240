# SPDX-License-Identifier: GPL-2.0-only
"""The SSH keys of the guests and of the user who logs in, made once per cache and never stored in git."""

from __future__ import annotations

import struct
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from harness import paths
from harness.host import files

_TYPE = b"ssh-ed25519"


class Keys(msgspec.Struct, frozen=True):
    """Paths of the keys."""

    host_private: Path
    """in Dropbear's own format"""
    host_public: Path
    login_private: Path
    """in OpenSSH's format"""
    login_public: Path


def ensure() -> Keys:
    """Return the keys; they are made if they do not exist."""
    folder = paths.cache() / "keys"
    pair = Keys(*(folder / name for name in ("host_ed25519", "host_ed25519.pub", "login_ed25519", "login_ed25519.pub")))
    with files.locked(folder):
        if not all(path.exists() for path in (pair.host_private, pair.host_public, pair.login_private, pair.login_public)):
            host, login = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
            files.write(pair.host_private, _dropbear(host), 0o600)
            files.write(pair.host_public, _public(host))
            files.write(pair.login_private, _openssh(login), 0o600)
            files.write(pair.login_public, _public(login))
    return pair


def _public(key: Ed25519PrivateKey) -> bytes:
    return key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH) + b"\n"


def _openssh(key: Ed25519PrivateKey) -> bytes:
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption())


def _dropbear(key: Ed25519PrivateKey) -> bytes:
    """Encode a host key in Dropbear's format: two SSH strings, the type, and the private and public halves."""
    both = key.private_bytes_raw() + key.public_key().public_bytes_raw()
    return struct.pack(">I", len(_TYPE)) + _TYPE + struct.pack(">I", len(both)) + both
