# SPDX-License-Identifier: GPL-2.0-only
"""The certificates of a cluster: made once, readable by their owner alone, and signed by a CA that signs nothing else."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from harness.cluster import certificates
from harness.errors import UsageError


def test_they_are_made_once_and_are_their_owners_alone(cache: Path) -> None:
    made = certificates.ensure()
    files = (made.ca, made.certificate, made.key)
    assert sorted(file.name for file in made.ca.parent.iterdir()) == ["ca.pem", "certificate.pem", "key.pem"]
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}
    assert made.ca.parent.stat().st_mode & 0o777 == 0o700
    before = [file.read_bytes() for file in files]
    assert certificates.ensure() == certificates.known() == made
    assert [file.read_bytes() for file in files] == before


def test_the_ca_signed_the_certificate_and_its_key_is_gone(cache: Path) -> None:
    made = certificates.ensure()
    ca, own = (x509.load_pem_x509_certificate(file.read_bytes()) for file in (made.ca, made.certificate))
    own.verify_directly_issued_by(ca)
    assert ca.extensions.get_extension_for_class(x509.BasicConstraints).value == x509.BasicConstraints(ca=True, path_length=0)
    assert isinstance(own.public_key(), ec.EllipticCurvePublicKey)
    assert b"PRIVATE KEY" not in made.ca.read_bytes() + made.certificate.read_bytes()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(made.ca))
    context.load_cert_chain(made.certificate, made.key)


def test_a_client_without_certificates_is_told_where_to_have_them_from(cache: Path) -> None:
    with pytest.raises(UsageError, match=r"There are no certificates in .*certificates: copy that folder from the host on which"):
        certificates.known()
    made = certificates.ensure()
    made.key.unlink()
    with pytest.raises(UsageError, match="There are no certificates"):
        certificates.known()
