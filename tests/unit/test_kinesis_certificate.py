"""The simulator's certificate: what it is good for, when it is made anew, who can read its key."""

import os
import ssl
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

from simulators.kinesis.errors import ListenError
from simulators.kinesis.serving.certificate import RENEW_BEFORE, VALID_FOR, Certificate, ensure_certificate

NOW = datetime(2026, 11, 20, tzinfo=UTC)


def names(files: Certificate) -> set[str]:
    leaf = x509.load_pem_x509_certificate(files.chain.read_bytes())
    held = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return {str(name.value) for name in held}


def handshake(files: Certificate, host: str, trusted: Path) -> None:
    """Shake hands in memory, with everything checked that OpenSSL can check."""
    server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_context.load_cert_chain(files.chain, files.key)
    client_context = ssl.create_default_context(cafile=str(trusted))
    client_context.verify_flags |= ssl.VERIFY_X509_STRICT
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = server_context.wrap_bio(to_server, to_client, server_side=True)
    client = client_context.wrap_bio(to_client, to_server, server_hostname=host)
    waiting: list[Callable[[], None]] = [client.do_handshake, server.do_handshake]
    while waiting:
        step = waiting.pop(0)
        try:
            step()
        except ssl.SSLWantReadError:
            waiting.append(step)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "::1", "kinesis", "192.0.2.7"])
def test_clients_that_trust_the_authority_accept_every_name(tmp_path: Path, host: str) -> None:
    files = ensure_certificate(tmp_path, ["Kinesis", "192.0.2.7"], datetime.now(UTC))
    handshake(files, host, files.authority)


def test_clients_refuse_other_names_and_other_authorities(tmp_path: Path) -> None:
    files = ensure_certificate(tmp_path / "one", [], datetime.now(UTC))
    other = ensure_certificate(tmp_path / "other", [], datetime.now(UTC))
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        handshake(files, "kinesis", files.authority)
    with pytest.raises(ssl.SSLCertVerificationError, match="unable to get local issuer"):
        handshake(files, "localhost", other.authority)


def test_the_key_is_for_the_owner_alone_and_nothing_unfinished_is_left(tmp_path: Path) -> None:
    files = ensure_certificate(tmp_path, [], NOW)
    assert files.key.stat().st_mode & 0o777 == 0o600
    private = [path for path in tmp_path.iterdir() if b"PRIVATE KEY" in path.read_bytes()]
    assert private == [files.key]
    assert {path.name for path in tmp_path.iterdir()} == {
        *(".lock", "ca.pem", "server.key", "server.pem", "truststore.p12")
    }


def test_it_is_kept_until_a_month_before_its_end(tmp_path: Path) -> None:
    files = ensure_certificate(tmp_path, [], NOW)
    made = files.chain.read_bytes()
    last = x509.load_pem_x509_certificate(made).not_valid_after_utc - RENEW_BEFORE
    ensure_certificate(tmp_path, [], last - timedelta(seconds=1))
    assert files.chain.read_bytes() == made
    ensure_certificate(tmp_path, [], last)
    renewed = x509.load_pem_x509_certificate(files.chain.read_bytes())
    assert renewed.not_valid_after_utc > last + VALID_FOR - timedelta(days=2)


def test_another_name_makes_it_anew_and_fewer_names_do_not(tmp_path: Path) -> None:
    files = ensure_certificate(tmp_path, [], NOW)
    ensure_certificate(tmp_path, ["kinesis"], NOW)
    assert names(files) == {"localhost", "127.0.0.1", "::1", "kinesis"}
    made = files.chain.read_bytes()
    ensure_certificate(tmp_path, [], NOW)
    assert files.chain.read_bytes() == made


def _garble(path: Path) -> None:
    path.write_bytes(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")


def _loosen(path: Path) -> None:
    path.chmod(0o644)


@pytest.mark.parametrize(
    ("file", "damage"),
    [
        ("server.pem", _garble),
        ("server.key", _garble),
        ("ca.pem", _garble),
        ("server.pem", os.unlink),
        ("server.key", os.unlink),
        ("ca.pem", os.unlink),
        ("truststore.p12", os.unlink),
        ("server.key", _loosen),
    ],
)
def test_what_is_damaged_or_was_readable_by_others_is_made_anew(
    tmp_path: Path, file: str, damage: Callable[[Path], None]
) -> None:
    files = ensure_certificate(tmp_path, [], datetime.now(UTC))
    before = files.key.read_bytes()
    damage(tmp_path / file)
    ensure_certificate(tmp_path, [], datetime.now(UTC))
    assert files.key.read_bytes() != before
    assert files.key.stat().st_mode & 0o777 == 0o600
    handshake(files, "localhost", files.authority)


def test_parts_of_two_certificates_are_not_taken_for_one(tmp_path: Path) -> None:
    files = ensure_certificate(tmp_path / "one", [], datetime.now(UTC))
    other = ensure_certificate(tmp_path / "other", [], datetime.now(UTC))
    files.key.write_bytes(other.key.read_bytes())
    ensure_certificate(tmp_path / "one", [], datetime.now(UTC))
    handshake(files, "localhost", files.authority)


def test_simulators_that_start_at_once_share_one_certificate(tmp_path: Path) -> None:
    seen: list[bytes] = []

    def start() -> None:
        files = ensure_certificate(tmp_path, [], NOW)
        seen.append(files.chain.read_bytes() + files.key.read_bytes() + files.authority.read_bytes())

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 8
    assert len(set(seen)) == 1


def test_a_folder_that_cannot_be_is_one_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ListenError, match="cannot keep a certificate in") as caught:
        ensure_certificate(tmp_path / "file", [], NOW)
    assert "--tls-folder" in caught.value.remedy
