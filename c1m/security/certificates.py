"""Makes a certificate authority and issues certificates: the functions behind ``c1m-coord pki``, on values.

Keys are ECDSA over P-256, which every TLS library in use supports. A node's certificate names the hosts by which
coordinators call it, as TLS requires. Roles are URIs (``c1m.security.roles``). As far as TLS is concerned, certificates of
both roles may open and accept connections: a node that calls another node as an operator gets a sentence as its answer, not
a closed socket.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from c1m.errors import UsageError

from .roles import Bearer, Role, Validity, bearer_of

AUTHORITY_DAYS = 3650
CERTIFICATE_DAYS = 365
BACKDATED = timedelta(minutes=5)  # for machines whose clocks are slow

Key = ec.EllipticCurvePrivateKey


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate and its private key."""

    certificate: x509.Certificate
    key: Key

    @property
    def certificate_pem(self) -> bytes:
        """The certificate as PEM."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def key_pem(self) -> bytes:
        """The private key as PEM, unencrypted."""
        return self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )

    @property
    def pem(self) -> bytes:
        """The private key followed by the certificate, as PEM."""
        return self.key_pem + self.certificate_pem


# The errors of cryptography that are not ValueErrors.
FOREIGN = (UnsupportedAlgorithm, x509.InvalidVersion, x509.DuplicateExtension, x509.UnsupportedGeneralNameType)


@contextmanager
def known() -> Iterator[None]:
    """Return a context in which cryptography's errors for unsupported input are raised as ValueError, as for all other invalid
    input.
    """
    try:
        yield
    except FOREIGN as error:
        raise ValueError(str(error)) from None


def read_pair(certificate_pem: bytes, key_pem: bytes) -> Pair:
    """Return a certificate and its private key, parsed from PEM.

    Raises ValueError unless they are a certificate and an elliptic curve key that belongs to it, and TypeError for a key with a
    password.
    """
    certificate = read_certificate(certificate_pem)
    with known():
        key = serialization.load_pem_private_key(key_pem, None)
        if not isinstance(key, Key) or key.public_key() != certificate.public_key():
            raise ValueError("the private key does not belong to the certificate")
    return Pair(certificate, key)


def read_certificate(pem: bytes) -> x509.Certificate:
    """Return a certificate, parsed from PEM.

    Raises ValueError for anything else. cryptography parses names and dates only on access, so they are accessed here.
    """
    with known():
        certificate = x509.load_pem_x509_certificate(pem)
        term_of(certificate)
    return certificate


def make_authority(now: datetime, days: int = AUTHORITY_DAYS) -> Pair:
    """Return a new self-signed certificate that can issue others, and its private key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"c1m authority {now:%Y-%m-%d}")])
    certificate = (
        builder(name, name, key, now, now + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage(signs=True), critical=True)
        .sign(key, hashes.SHA256())
    )
    return Pair(certificate, key)


def issue(authority: Pair, bearer: Bearer, hosts: Sequence[str], now: datetime, days: int = CERTIFICATE_DAYS) -> Pair:
    """Return a new certificate, which does not outlive the authority, and its private key.

    ``hosts`` are the names and addresses by which coordinators call a node. Raises UsageError if the authority has expired or a
    node has no host.
    """
    if bearer.role is Role.NODE and not hosts:
        raise UsageError(f"{bearer} needs the names or addresses by which coordinators call it: pki issue node a 10.0.0.2")
    if (term := term_of(authority.certificate)).ends <= now:
        raise UsageError(term.warning(now))
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, bearer.name)])
    ends = min(now + timedelta(days=days), authority.certificate.not_valid_after_utc)
    names = [x509.UniformResourceIdentifier(bearer.uri), *(general_name(host) for host in hosts)]
    certificate = (
        builder(subject, authority.certificate.subject, key, now, ends)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage(signs=False), critical=True)
        .add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH]), critical=False
        )
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key()), critical=False)
        .sign(authority.key, hashes.SHA256())
    )
    return Pair(certificate, key)


def renew(authority: Pair, certificate: x509.Certificate, now: datetime, days: int = CERTIFICATE_DAYS) -> Pair:
    """Return a new certificate with the names and role of an old one, and its new private key.

    Raises UsageError if c1m did not issue the old one.
    """
    bearer = bearer_of(names_of(certificate))
    if bearer is None:
        raise UsageError("the certificate names no role of c1m; issue another one with c1m-coord pki issue")
    return issue(authority, bearer, hosts_of(certificate), now, days)


def builder(subject: x509.Name, issuer: x509.Name, key: Key, begins: datetime, ends: datetime) -> x509.CertificateBuilder:
    """Return a certificate builder with the fields that every certificate has.

    The certificate is valid from BACKDATED before ``begins``.
    """
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(min(begins, ends) - BACKDATED)
        .not_valid_after(ends)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def usage(*, signs: bool) -> x509.KeyUsage:
    """Return the key usage extension for the certificate of an authority (``signs``) or of an operator or node."""
    return x509.KeyUsage(
        digital_signature=not signs,
        key_cert_sign=signs,
        crl_sign=signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def general_name(host: str) -> x509.GeneralName:
    """Return a host as an alternative name of a certificate: an IP address or a DNS name."""
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def names_of(certificate: x509.Certificate) -> list[str]:
    """Return the URIs among a certificate's alternative names, which name its role. Empty if there are none."""
    return alternatives(certificate, x509.UniformResourceIdentifier)


def hosts_of(certificate: x509.Certificate) -> list[str]:
    """Return the DNS names and the IP addresses among a certificate's alternative names, as text."""
    return [*alternatives(certificate, x509.DNSName), *alternatives(certificate, x509.IPAddress)]


def alternatives(certificate: x509.Certificate, kind: type[x509.GeneralName]) -> list[str]:
    """Return a certificate's alternative names of one kind, as text. The list is empty if there are none."""
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    return [str(each.value) for each in found if isinstance(each, kind)]


def term_of(certificate: x509.Certificate) -> Validity:
    """Return the holder of a certificate and the time in which it is valid. Without a role the holder is the authority."""
    bearer = bearer_of(names_of(certificate))
    what = str(bearer) if bearer else "authority"
    return Validity(what, certificate.not_valid_before_utc, certificate.not_valid_after_utc)
