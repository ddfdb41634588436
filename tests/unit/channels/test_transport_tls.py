"""The transport over real TLS: the certificate must be the host's, and one connection serves many calls."""

from __future__ import annotations

import asyncio
import ipaddress
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import uvloop
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from routing.channels.base import CallLimits, ChannelUnsent
from routing.channels.transport import HttpTransport, TransportSettings
from tests.unit.channels.peer import Peer, answers_ok

LIMITS = CallLimits(timeout_s=5.0)


@dataclass(frozen=True)
class Certificate:
    """A self-signed certificate: for the peer to show, and for the transport to trust."""

    pem: Path

    def serving(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.pem)
        return context

    def trusted(self) -> TransportSettings:
        return TransportSettings(ssl_context=ssl.create_default_context(cafile=str(self.pem)))


def _certificate(folder: Path, address: str) -> Certificate:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "peer")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = folder / f"{address}.pem"
    path.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return Certificate(path)


@asynccontextmanager
async def _listening(certificate: Certificate) -> AsyncIterator[Peer]:
    peer = Peer(answers_ok)
    server = await asyncio.start_server(peer.visit, "127.0.0.1", 0, ssl=certificate.serving())
    peer.port = server.sockets[0].getsockname()[1]
    try:
        yield peer
    finally:
        server.close()


def test_one_tls_connection_serves_many_calls(tmp_path: Path) -> None:
    certificate = _certificate(tmp_path, "127.0.0.1")

    async def run() -> None:
        transport = HttpTransport(certificate.trusted())
        async with _listening(certificate) as peer:
            for _ in range(5):
                url = f"https://127.0.0.1:{peer.port}/pay"
                assert (await transport.send("POST", url, {}, b"{}", LIMITS)).body == b"ok"
                await asyncio.sleep(0.01)  # session tickets of TLS 1.3 come after the handshake, unasked
            assert (peer.connections, len(peer.requests)) == (1, 5)
            await transport.aclose()

    asyncio.run(run())
    uvloop.run(run())


@pytest.mark.parametrize("is_trusted", [True, False], ids=["another host's", "of an unknown authority"])
def test_nothing_is_sent_to_a_peer_whose_certificate_is(is_trusted: bool, tmp_path: Path) -> None:
    certificate = _certificate(tmp_path, "127.0.0.2" if is_trusted else "127.0.0.1")

    async def run() -> None:
        transport = HttpTransport(certificate.trusted() if is_trusted else TransportSettings())
        async with _listening(certificate) as peer:
            with pytest.raises(ChannelUnsent) as caught:
                await transport.send("POST", f"https://127.0.0.1:{peer.port}/pay", {}, b"{}", LIMITS)
            assert (caught.value.code, peer.requests) == ("connect_failed", [])
            await transport.aclose()

    asyncio.run(run())
    uvloop.run(run())
