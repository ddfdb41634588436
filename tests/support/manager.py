"""A campaign manager for tests: sets campaigns up over the admin API, and waits until every gateway knows them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import httpx
import pytest_asyncio

from gateway.kernel.ids import new_ulid
from tests.support.campaign_lives import CAMPAIGNS
from tests.support.gateway import GatewayStack
from tests.support.waiting import until

_KNOWN: Final = "campaigns in force"
ANY_PAYMENT: Final[Mapping[str, Any]] = {
    "name": "满20减5",
    "benefit": {"type": "amount_off", "tiers": [{"spend": 2000, "off": 500}]},
    "funding": [{"sponsor": "bank", "share": "0.7"}, {"sponsor": "merchant", "share": "0.3"}],
}
"""5.00 off from 20.00 on, for everybody, without a limit."""


@dataclass
class Manager:
    """Talks to the first gateway process."""

    stack: GatewayStack
    client: httpx.AsyncClient

    async def start(self, **fields: Any) -> str:
        """A new campaign that is active, and known; its id."""
        answer = await self.client.post(CAMPAIGNS, json={**ANY_PAYMENT, **fields})
        assert answer.status_code == 201, answer.text
        campaign_id: str = answer.json()["id"]
        await self.take(campaign_id, "activate")
        return campaign_id

    async def take(self, campaign_id: str, step: str) -> dict[str, Any]:
        """`activate`, `pause`, `resume` or `end`; it is known everywhere afterwards."""
        return await self._changed(self.client.post(f"{CAMPAIGNS}/{campaign_id}/{step}"))

    async def edit(self, campaign_id: str, **fields: Any) -> dict[str, Any]:
        """Other fields: a new version."""
        return await self._changed(self.client.patch(f"{CAMPAIGNS}/{campaign_id}", json=fields))

    async def top_up(self, campaign_id: str, amount_fen: int) -> dict[str, Any]:
        """More money."""
        headers = {"Idempotency-Key": new_ulid()}
        url = f"{CAMPAIGNS}/{campaign_id}/top_up"
        return await self._changed(self.client.post(url, json={"amount": amount_fen}, headers=headers))

    async def budget(self, campaign_id: str) -> tuple[int, int, int]:
        """Spent, held, and left or (once it has ended) returned to its sponsors; fen."""
        shown = (await self.client.get(f"{CAMPAIGNS}/{campaign_id}")).json()["budget"]
        return shown["spent"], shown["held"], shown["left"] + shown["returned_to_sponsor"]

    async def _changed(self, asked: Any) -> dict[str, Any]:
        before = self._seen()
        answer = await asked
        assert answer.status_code == 200, answer.text
        await until(lambda: all(now > then for now, then in zip(self._seen(), before, strict=True)))
        found: dict[str, Any] = answer.json()
        return found

    def _seen(self) -> list[int]:
        return [self.stack.log_of(child).count(_KNOWN) for child in self.stack.gateways]


@pytest_asyncio.fixture(loop_scope="module")
async def manager(stack: GatewayStack) -> AsyncIterator[Manager]:
    """Whatever a test starts is over with it."""
    async with stack.admin() as client:
        found = Manager(stack, client)
        yield found
        for campaign in (await client.get("/admin/v1/campaigns", params={"limit": 100})).json()["data"]:
            if campaign["status"] != "ended":
                await found.take(campaign["id"], "end")
