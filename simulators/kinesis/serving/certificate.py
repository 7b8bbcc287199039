"""The certificate with which the simulator serves TLS: made by itself, kept in a folder, made anew before it expires.

An authority is made for the one certificate that it signs, and its private key is never written: whoever trusts it
trusts this server and nothing else. So a new certificate comes with a new authority, which clients read when they
start.
"""

import fcntl
import ipaddress
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
    pkcs12,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from simulators.kinesis.errors import ListenError

LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1")
"""What every certificate is good for."""

VALID_FOR = timedelta(days=397)
"""Under the 398 days beyond which some clients refuse a certificate."""

RENEW_BEFORE = timedelta(days=30)
"""A certificate with less than this left is made anew, so that a long run does not outlive it."""

CLOCK_SKEW = timedelta(days=1)
"""How far a client's clock may be behind."""

TRUSTSTORE_PASSWORD = "changeit"  # noqa: S105 Java's usual one; what it locks is public
"""Java wants a password even where nothing is secret."""

_LOCK_FILE = ".lock"


@dataclass(frozen=True, slots=True)
class Certificate:
    """The files: `chain` and `key` for the server, `authority` (PEM) and `truststore` (PKCS 12) for its clients."""

    chain: Path
    key: Path
    authority: Path
    truststore: Path

    @classmethod
    def within(cls, folder: Path) -> "Certificate":
        """Where the files of a folder are, or are to be."""
        return cls(folder / "server.pem", folder / "server.key", folder / "ca.pem", folder / "truststore.p12")


def ensure_certificate(folder: Path, names: Sequence[str], now: datetime) -> Certificate:
    """A certificate for these host names and addresses besides the loopback ones, from the folder or new in it.

    ListenError if the folder cannot be read or written.
    """
    wanted = frozenset(map(_general_name, (*LOOPBACK_NAMES, *names)))
    files = Certificate.within(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _locked(folder):
            if not _is_usable(files, wanted, now):
                _make(files, wanted, now)
    except OSError as error:
        raise ListenError(
            f"cannot keep a certificate in {folder}: {error.strerror}", "name a folder of yours with --tls-folder"
        ) from None
    return files


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Two simulators that start at once make one certificate. Whoever holds the lock works for milliseconds."""
    with (folder / _LOCK_FILE).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _is_usable(files: Certificate, wanted: frozenset[x509.GeneralName], now: datetime) -> bool:
    try:
        leaf = x509.load_pem_x509_certificate(files.chain.read_bytes())
        authority = x509.load_pem_x509_certificate(files.authority.read_bytes())
        key = load_pem_private_key(files.key.read_bytes(), None)
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        leaf.verify_directly_issued_by(authority)
    except (FileNotFoundError, ValueError, TypeError, x509.ExtensionNotFound, InvalidSignature):
        return False
    return (
        wanted <= frozenset(names)
        and leaf.not_valid_before_utc <= now < leaf.not_valid_after_utc - RENEW_BEFORE
        and key.public_key() == leaf.public_key()
        and not files.key.stat().st_mode & 0o077  # whoever could read it may have
        and files.truststore.is_file()
    )


def _make(files: Certificate, wanted: frozenset[x509.GeneralName], now: datetime) -> None:
    authority_key, leaf_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    authority = _sign_authority(authority_key, now)
    leaf = _sign_leaf(leaf_key, authority_key, authority, wanted, now)
    key_pem = leaf_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    trusted = [pkcs12.PKCS12Certificate(authority, b"floodmark kinesis simulator")]
    truststore = pkcs12.serialize_java_truststore(trusted, BestAvailableEncryption(TRUSTSTORE_PASSWORD.encode()))
    _write(files.key, key_pem, 0o600)
    _write(files.truststore, truststore, 0o644)
    _write(files.chain, leaf.public_bytes(Encoding.PEM), 0o644)
    _write(files.authority, authority.public_bytes(Encoding.PEM), 0o644)


def _sign_authority(key: ec.EllipticCurvePrivateKey, now: datetime) -> x509.Certificate:
    name = _common_name(f"floodmark kinesis simulator, {now.astimezone(UTC):%Y-%m-%d %H:%M:%S}")
    return (
        _builder(name, name, key, now)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(signs_certificates=True), critical=True)
        .sign(key, hashes.SHA256())
    )


def _sign_leaf(
    key: ec.EllipticCurvePrivateKey,
    authority_key: ec.EllipticCurvePrivateKey,
    authority: x509.Certificate,
    names: frozenset[x509.GeneralName],
    now: datetime,
) -> x509.Certificate:
    identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key())
    in_order = sorted(names, key=lambda name: str(name.value))
    return (
        _builder(_common_name("localhost"), authority.subject, key, now)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(in_order), critical=False)
        .add_extension(identifier, critical=False)
        .sign(authority_key, hashes.SHA256())
    )


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, now: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCK_SKEW)
        .not_valid_after(now - CLOCK_SKEW + VALID_FOR)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _common_name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name.lower())


def _write(path: Path, content: bytes, mode: int) -> None:
    """Write a file so that nobody ever sees half of it, nor a private one with the wrong mode."""
    part = path.with_name(f".{path.name}.part")
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(content)
    part.replace(path)
