# SPDX-License-Identifier: GPL-2.0-only
"""Certificates by which scheduler, workers and clients of a cluster know each other: a CA of the rig's own, and one of it."""

from __future__ import annotations

import datetime
from pathlib import Path

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from harness import paths
from harness.errors import UsageError
from harness.host import files

FOLDER = "certificates"
_LASTS = datetime.timedelta(days=3650)
_SKEW = datetime.timedelta(days=1)
"""by which another host's clock may be behind"""


class Certificates(msgspec.Struct, frozen=True):
    """Paths of a cluster's certificates. Whoever has the key may run code on each of its hosts."""

    ca: Path
    certificate: Path
    key: Path


def place(folder: Path | None = None) -> Certificates:
    """Return the paths of the certificates in `folder`, by default this host's own, whether there are any or not."""
    own = folder or paths.cache() / "cluster" / FOLDER
    return Certificates(own / "ca.pem", own / "certificate.pem", own / "key.pem")


def ensure() -> Certificates:
    """Return this host's certificates; they are made if there are none."""
    own = place()
    with files.locked(own.ca.parent):
        if not _there(own):
            _make(own)
    return own


def store(own: Certificates, ca: str, certificate: str, key: str) -> None:
    """Write down certificates that another host made, for their owner alone."""
    for file, content in ((own.ca, ca), (own.certificate, certificate), (own.key, key)):
        files.write(file, content, 0o600)
    own.ca.parent.chmod(0o700)


def forget(own: Certificates) -> None:
    """Remove certificates."""
    for file in (own.ca, own.certificate, own.key):
        file.unlink(missing_ok=True)


def known() -> Certificates:
    """Return this host's certificates; UsageError if there are none."""
    own = place()
    if not _there(own):
        raise UsageError(
            f"There are no certificates in {own.ca.parent}: copy that folder from the host on which `invoke cluster.up` was called."
        )
    return own


def _there(own: Certificates) -> bool:
    return all(file.exists() for file in (own.ca, own.certificate, own.key))


def _make(own: Certificates) -> None:
    """Make a CA, have it sign one certificate, and forget its key: nobody can make another one for this cluster."""
    ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    issuer = _name("kernel-patch-rig CA")
    ca = _begun(issuer, issuer, ca_key.public_key()).add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH])
    own_part = _begun(_name("kernel-patch-rig cluster"), issuer, key.public_key()).add_extension(usage, critical=False)
    secret = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    files.write(own.ca, ca.sign(ca_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM), 0o600)
    files.write(own.certificate, own_part.sign(ca_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM), 0o600)
    files.write(own.key, secret, 0o600)
    own.ca.parent.chmod(0o700)


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _begun(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    made = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key)
    return made.serial_number(x509.random_serial_number()).not_valid_before(now - _SKEW).not_valid_after(now + _LASTS)
