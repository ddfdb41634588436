"""The baseline's two ways to call the channel: aiohttp and httpx, each with one keep-alive pool for the process."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

import aiohttp
import httpx

from routing.channels.base import CallLimits, ChannelUnknown, ChannelUnsent, Transport, TransportResponse

_CONNECTIONS_MAX: Final = 256


class AiohttpTransport:
    """Over aiohttp."""

    def __init__(self) -> None:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=_CONNECTIONS_MAX, limit_per_host=_CONNECTIONS_MAX)
        )

    async def send(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes, limits: CallLimits
    ) -> TransportResponse:
        """See routing.channels.base.Transport."""
        if limits.too_late_to_send:
            raise ChannelUnsent("too_late_to_send")
        timeout = aiohttp.ClientTimeout(total=limits.timeout_s)
        try:
            async with self._session.request(method, url, headers=headers, data=body, timeout=timeout) as answer:
                received = {name.lower(): value for name, value in answer.headers.items()}
                return TransportResponse(answer.status, received, await answer.read())
        except aiohttp.ClientConnectorError as error:
            raise ChannelUnsent("connect") from error
        except (aiohttp.ClientError, TimeoutError) as error:
            raise ChannelUnknown(type(error).__name__) from error

    async def aclose(self) -> None:
        """Close every connection."""
        await self._session.close()


class HttpxTransport:
    """Over httpx."""

    def __init__(self) -> None:
        self._client = httpx.AsyncClient(
            limits=httpx.Limits(max_connections=_CONNECTIONS_MAX, max_keepalive_connections=_CONNECTIONS_MAX),
            trust_env=False,
        )

    async def send(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes, limits: CallLimits
    ) -> TransportResponse:
        """See routing.channels.base.Transport."""
        if limits.too_late_to_send:
            raise ChannelUnsent("too_late_to_send")
        try:
            answer = await self._client.request(
                method, url, headers=dict(headers), content=body, timeout=limits.timeout_s
            )
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            raise ChannelUnsent("connect") from error
        except httpx.TransportError as error:
            raise ChannelUnknown(type(error).__name__) from error
        return TransportResponse(answer.status_code, answer.headers, answer.content)

    async def aclose(self) -> None:
        """Close every connection."""
        await self._client.aclose()


def make_transport(name: Literal["aiohttp", "httpx"]) -> Transport:
    """The transport of that name; call it where an event loop runs."""
    return AiohttpTransport() if name == "aiohttp" else HttpxTransport()
