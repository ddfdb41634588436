"""Reads a simulator's books over its control API, page by page."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Final, NamedTuple

import httpx
import orjson

from gateway.audit.findings import CannotAudit
from gateway.audit.rows import Refund, Trade

PAGE: Final = 5_000
"""A page takes a simulator some 50 ms, in which it answers nobody else."""
_TIMEOUT_S: Final = 20.0


class SimulatorHealth(NamedTuple):
    """How many orders stand in each state, and how many notifications are due now or under way."""

    trades: dict[str, int]
    due: int


class SimulatorBooks:
    """The books of one simulator.  Every method raises CannotAudit where they cannot be read."""

    def __init__(self, channel: str, base_url: str, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self.channel = channel
        self._base_url = base_url
        self._client = httpx.AsyncClient(
            base_url=f"{base_url.rstrip('/')}/_simulator/", timeout=_TIMEOUT_S, trust_env=False, transport=transport
        )

    async def aclose(self) -> None:
        """Close the connection."""
        await self._client.aclose()

    async def health(self) -> SimulatorHealth:
        """What it counts."""
        answer = await self._get("health", {})
        return SimulatorHealth(answer["trades"], answer["notifications"]["due"])

    async def trades(self) -> AsyncIterator[list[Trade]]:
        """All orders, a page at a time."""
        async for rows in self._pages("trades"):
            yield [
                Trade(
                    row["order_no"],
                    self.channel,
                    row["amount"],
                    row["refunded"],
                    row["status"],
                    row["captured_at"],
                    row["pay_until"],
                )
                for row in rows
            ]

    async def refunds(self) -> AsyncIterator[list[Refund]]:
        """All that was given back, a page at a time; a refund that was closed has moved nothing."""
        async for rows in self._pages("refunds"):
            yield [
                Refund(row["order_no"], self.channel, row["refund_no"], row["amount"], row["kind"])
                for row in rows
                if row["status"] != "closed"
            ]

    async def _pages(self, what: str) -> AsyncIterator[list[dict[str, Any]]]:
        after: int | None = 0
        while after is not None:
            page = await self._get(what, {"after": after, "limit": PAGE})
            yield page[what]
            after = page["next"] if page["has_more"] else None

    async def _get(self, what: str, query: dict[str, int]) -> dict[str, Any]:
        try:
            answer = await self._client.get(what, params=query)
            answer.raise_for_status()
            document: dict[str, Any] = orjson.loads(answer.content)
        except (httpx.HTTPError, orjson.JSONDecodeError) as error:
            reason = str(error) or type(error).__name__
            raise CannotAudit(f"the {self.channel} simulator at {self._base_url} cannot be read: {reason}") from error
        return document
