"""Calls a host as a channel or a customer would: TLS, one HEAD, its certificate and its clock."""

from __future__ import annotations

import asyncio
import ssl
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final, Self
from urllib.parse import urlsplit

from gateway.doctor.judging.tls import Reached

_TIMEOUT_S: Final = 6.0
_HEAD_BYTES_MAX: Final = 16_384
_PORTS: Final = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Origin:
    """Where an address leads, without its path."""

    scheme: str
    host: str
    port: int

    @classmethod
    def of(cls, url: str) -> Self:
        """Of an http(s) address."""
        parts = urlsplit(url)
        return cls(parts.scheme, parts.hostname or "", parts.port or _PORTS.get(parts.scheme, 443))

    @property
    def name(self) -> str:
        """The host, with its port where that is not the scheme's own."""
        return self.host if self.port == _PORTS.get(self.scheme) else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Answer:
    """How it went, and the HTTP status that came."""

    reached: Reached
    status: int | None = None


async def call(origin: Origin, path: str = "/", trust: ssl.SSLContext | None = None) -> Answer:
    """One HEAD.  `trust` says whose certificates are believed; the system's without it."""
    try:
        async with asyncio.timeout(_TIMEOUT_S):
            return await _call(origin, path, trust)
    except ssl.SSLCertVerificationError as error:
        why = f"its certificate is not believed: {error.verify_message}"
        return Answer(Reached(origin.name, why, is_certificate=True))
    except ssl.SSLError as error:
        return Answer(Reached(origin.name, f"TLS fails: {error.reason or error}"))
    except TimeoutError:
        return Answer(Reached(origin.name, f"no answer within {_TIMEOUT_S:g} s"))
    except (OSError, ValueError, UnicodeError) as error:
        return Answer(Reached(origin.name, str(error) or type(error).__name__))


async def _call(origin: Origin, path: str, trust: ssl.SSLContext | None) -> Answer:
    context = None if origin.scheme == "http" else trust or ssl.create_default_context()
    reader, writer = await asyncio.open_connection(origin.host, origin.port, ssl=context, limit=_HEAD_BYTES_MAX)
    try:
        writer.write(f"HEAD {path} HTTP/1.1\r\nHost: {origin.name}\r\nConnection: close\r\n\r\n".encode())
        await writer.drain()
        head = await reader.read(_HEAD_BYTES_MAX)
        arrived = time.time()
        until = _until(writer.get_extra_info("peercert"))
    finally:
        writer.close()
    status, offset_s = _read(head, arrived)
    return Answer(Reached(origin.name, until=until, clock_offset_s=offset_s), status)


def _until(certificate: dict[str, Any] | None) -> datetime | None:
    """The end of the certificate that was shown."""
    if not certificate:
        return None
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(str(certificate["notAfter"])), UTC)


def _read(head: bytes, arrived: float) -> tuple[int | None, float | None]:
    """The status, and the time of its Date line less ours; None where there is none."""
    lines = head.decode("latin-1").split("\r\n")
    words = lines[0].split(" ")
    status = int(words[1]) if len(words) > 1 and words[0].startswith("HTTP/") and words[1].isdigit() else None
    for line in lines[1:]:
        name, _, value = line.partition(":")
        if name.strip().lower() == "date":
            try:
                return status, parsedate_to_datetime(value.strip()).timestamp() - arrived
            except ValueError:
                return status, None
    return status, None
