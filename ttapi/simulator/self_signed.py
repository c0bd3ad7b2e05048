# SPDX-License-Identifier: Apache-2.0
"""A certificate for loopback that nobody signed, for clients that insist on TLS."""

from __future__ import annotations

import datetime as dt
import ssl
import tempfile
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_VALID_FROM, _VALID_TO = (
    dt.datetime(2020, 1, 1, tzinfo=dt.UTC),
    dt.datetime(2049, 1, 1, tzinfo=dt.UTC),
)


@dataclass(frozen=True)
class Certificate:
    """Both parts as PEM."""

    certificate: bytes
    private_key: bytes = field(repr=False)

    def server_context(self) -> ssl.SSLContext:
        """TLS for a server; the key touches the disk for the moment `ssl` needs to read it, 0600."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        with tempfile.TemporaryDirectory() as folder:
            both = Path(folder) / "both.pem"
            both.touch(mode=0o600)
            both.write_bytes(self.private_key + self.certificate)
            context.load_cert_chain(both)
        return context


def make_certificate(host: str) -> Certificate:
    """A fresh key and a certificate for `host` and localhost."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "ttapi simulator")])
    names = x509.SubjectAlternativeName(
        [x509.DNSName("localhost"), x509.IPAddress(ip_address(host))]
    )
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(_VALID_FROM)
        .not_valid_after(_VALID_TO)
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    encoding = serialization.Encoding.PEM
    return Certificate(
        made.public_bytes(encoding),
        key.private_bytes(
            encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ),
    )
