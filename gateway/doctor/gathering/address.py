"""Calls the public address."""

from __future__ import annotations

import asyncio
import ssl
from typing import Final

from gateway.doctor.gathering.tls import Origin, call
from gateway.doctor.judging.address import AddressFacts
from gateway.kernel.clock import utc_now
from gateway.settings import Settings

_PATHS: Final = ("/livez", "/metrics", "/admin/v1/merchants")


async def gather_address(settings: Settings, trust: ssl.SSLContext | None = None) -> AddressFacts:
    """What is for the public, and what is not."""
    origin = Origin.of(settings.public_url)
    live, metrics, admin = await asyncio.gather(*(call(origin, path, trust) for path in _PATHS))
    return AddressFacts(settings.public_url, live.reached, live.status, metrics.status, admin.status, utc_now())
