"""A host on this machine that answers over TLS with a certificate of our own making, good or ended."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat


@dataclass(frozen=True, slots=True)
class Pair:
    """A self-signed certificate of `localhost` and its key, both in PEM."""

    certificate_pem: str
    key_pem: str


@dataclass(frozen=True, slots=True)
class TlsHost:
    """Where it is, and a context that believes its certificate."""

    url: str
    trust: ssl.SSLContext


def made_pair(days_left: float) -> Pair:
    """A pair whose certificate ends so many days from now."""
    key: RSAPrivateKey = generate_private_key(public_exponent=65_537, key_size=2_048)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    until = datetime.now(UTC) + timedelta(days=days_left)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(until - timedelta(days=400))
        .not_valid_after(until)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, SHA256())
    )
    key_pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return Pair(certificate.public_bytes(Encoding.PEM).decode(), key_pem.decode())


@contextmanager
def tls_host(folder: Path, pair: Pair, *, clock_offset_s: float = 0.0) -> Iterator[TlsHost]:
    """Answers every request with 200 and a Date that is so far from ours."""
    folder.mkdir(parents=True, exist_ok=True)
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    certificate.write_text(pair.certificate_pem)
    key.write_text(pair.key_pem)
    server = ThreadingHTTPServer(("localhost", 0), _handler(clock_offset_s))
    server.daemon_threads = True
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    serving = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    serving.start()
    try:
        trust = ssl.create_default_context(cadata=pair.certificate_pem)
        yield TlsHost(f"https://localhost:{server.server_address[1]}", trust)
    finally:
        server.shutdown()
        server.server_close()
        serving.join()


def _handler(clock_offset_s: float) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.send_response_only(200)
            self.send_header("Date", format_datetime(datetime.now(UTC) + timedelta(seconds=clock_offset_s)))
            self.end_headers()

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
            """Say nothing."""

        def handle(self) -> None:
            try:
                super().handle()
            except OSError:  # a caller that does not believe the certificate hangs up
                self.close_connection = True

    return Handler
