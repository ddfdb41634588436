"""The webhooks on a real database: merchants, endpoints, payments to tell of, and the worker's steps."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import asyncpg
import pytest

from gateway.composition import Base, compose
from gateway.database.intents import intent_batch
from gateway.database.outcomes import outcome_batch
from gateway.kernel.ids import new_id
from gateway.merchants.store import NewMerchant, create_merchant
from gateway.payments.states import Event
from gateway.webhooks.disabling import Disabling
from gateway.webhooks.dispatch import Dispatch
from gateway.webhooks.endpoints import Endpoint, Endpoints
from gateway.webhooks.events import Events
from gateway.webhooks.posting import Poster
from gateway.webhooks.relay import Relay
from gateway.webhooks.resolving import Resolver
from gateway.webhooks.results import results
from gateway.webhooks.running import address_rules, renderers
from gateway.webhooks.sending import Delivery, Sender
from tests.support.receivers import Receiver, start_receiver
from tests.support.rows import intent, outcome, settings

NOWHERE: Final = "http://127.0.0.1:1/hook"
"""An address of this machine at which nobody listens."""


@dataclass(frozen=True, slots=True)
class Told:
    """A payment, and the event of it that its merchant is to be told of."""

    payment_id: str
    event_id: str
    merchant_id: str


@dataclass
class Hooks:
    """One merchant's webhooks."""

    base: Base
    resolver: Resolver
    merchant: NewMerchant
    closing: list[Poster] = field(default_factory=list)

    @property
    def pool(self) -> asyncpg.Pool:
        return self.base.pool

    @property
    def merchant_id(self) -> str:
        return self.merchant.merchant.id

    @property
    def endpoints(self) -> Endpoints:
        return Endpoints(self.pool, self.base.vault, address_rules(self.base.settings), self.resolver)

    @property
    def events(self) -> Events:
        return Events(self.pool, renderers(self.base))

    @property
    def relay(self) -> Relay:
        return Relay(self.pool, renderers(self.base), 0.05, lambda: None)

    async def endpoint(self, url: str = NOWHERE, types: list[str] | None = None) -> tuple[Endpoint, str]:
        """A new endpoint of this merchant and its secret."""
        return await self.endpoints.add(self.merchant_id, url, None, types)

    async def captured(self, merchant_id: str | None = None, **changes: Any) -> Told:
        """A payment that succeeded."""
        told = Told(new_id("pay"), new_id("evt"), merchant_id or self.merchant_id)
        row = intent(told.payment_id, told.merchant_id, **changes)
        await written(intent_batch(self.pool).flush([row]))
        await written(outcome_batch(self.pool).flush([outcome(row, Event.CAPTURED, event_id=told.event_id)]))
        return told

    async def shown(self, **changes: Any) -> Told:
        """A payment whose code is on display."""
        told = Told(new_id("pay"), new_id("evt"), self.merchant_id)
        code = {"status": "requires_action", "account_id": None, "qr_code": "code", "method": "qrcode"}
        fields = {**code, "failure_code": None, "event_id": told.event_id, **changes}
        await written(intent_batch(self.pool).flush([intent(told.payment_id, told.merchant_id, **fields)]))
        return told

    def dispatch(self, *, disable_after_days: float = 5.0, hands_max: int = 64, lease_s: float = 30.0) -> Dispatch:
        """A worker's dispatch, of which the test takes the steps."""
        poster, rules = Poster(self.resolver), address_rules(self.base.settings)
        self.closing.append(poster)
        return Dispatch(
            self.pool,
            self.base.vault,
            Sender(poster, rules, 5.0),
            results(self.pool),
            Disabling(self.pool, disable_after_days),
            hands_max=hands_max,
            interval_s=0.05,
            lease_s=lease_s,
        )

    async def leased(self, dispatch: Dispatch, told: Told | str, endpoint_id: str | None = None) -> Delivery:
        """Lease one event's delivery, whenever it is due."""
        event_id = told if isinstance(told, str) else told.event_id
        await self.due_now(event_id)
        found = [one for one in await dispatch.lease() if one.event_id == event_id]
        wanted = [one for one in found if endpoint_id in {None, one.line.endpoint_id}]
        assert len(wanted) == 1, found
        return wanted[0]

    async def due_now(self, event_id: str) -> None:
        """Whatever waits for this event's next try, and whoever held it, waits no longer."""
        await self.pool.execute(
            "UPDATE webhook_queue SET next_at = now(), lease_until = NULL WHERE event_id = $1", event_id
        )

    async def tried(self, told: Told | str, dispatch: Dispatch | None = None) -> dict[str, Any]:
        """Try one event's delivery once; the delivery as it stands then."""
        dispatch = dispatch or self.dispatch()
        delivery = await self.leased(dispatch, told)
        await dispatch.deliver(delivery)
        return await self.delivery(delivery.event_id, delivery.line.endpoint_id)

    async def delivery(self, event_id: str, endpoint_id: str) -> dict[str, Any]:
        row = await self.pool.fetchrow(
            "SELECT * FROM webhook_deliveries WHERE event_id = $1 AND endpoint_id = $2", event_id, endpoint_id
        )
        assert row is not None
        return dict(row)

    async def message(self, event_id: str, endpoint_id: str) -> dict[str, Any]:
        """What is sent, read."""
        read: dict[str, Any] = json.loads((await self.delivery(event_id, endpoint_id))["body"])
        return read

    async def deliveries(self, told: Told) -> dict[str, str]:
        """Status by endpoint."""
        rows = await self.pool.fetch(
            "SELECT endpoint_id, status FROM webhook_deliveries WHERE event_id = $1", told.event_id
        )
        return {row["endpoint_id"]: row["status"] for row in rows}

    async def attempts(self, event_id: str) -> list[tuple[int, int | None, str | None]]:
        """Number, HTTP status and error of every try."""
        rows = await self.pool.fetch(
            "SELECT try, http_status, error FROM webhook_attempts WHERE event_id = $1 ORDER BY try", event_id
        )
        return [tuple(row) for row in rows]

    async def queued(self, event_id: str) -> list[dict[str, Any]]:
        rows = await self.pool.fetch(
            "SELECT *, extract(epoch FROM next_at - now())::float8 AS wait_s FROM webhook_queue WHERE event_id = $1",
            event_id,
        )
        return [dict(row) for row in rows]

    async def outbox(self) -> int:
        found: int = await self.pool.fetchval(
            "SELECT count(*) FROM webhook_outbox WHERE merchant_id = $1", self.merchant_id
        )
        return found


async def written(flushed: Any) -> None:
    """Every row of a batch was written."""
    for result in await flushed:
        assert getattr(result, "inserted", None) or getattr(result, "applied", None), result


@pytest.fixture(scope="module")
async def base(database_url: str, redis_url: str) -> AsyncIterator[Base]:
    """The composition of a worker that may send to this machine."""
    async with compose(settings(database_url, redis_url, webhook_allowed_networks="127.0.0.0/8"), "test") as opened:
        yield opened


@pytest.fixture
async def hooks(base: Base) -> AsyncIterator[Hooks]:
    """A new merchant's webhooks; nothing of other tests is in the queue or the outbox."""
    await base.pool.execute("DELETE FROM webhook_queue")
    await base.pool.execute("DELETE FROM webhook_outbox")
    resolver = Resolver(address_rules(base.settings))
    made = Hooks(base, resolver, await create_merchant(base.pool, base.vault, "shop"))
    yield made
    for poster in made.closing:
        await poster.aclose()
    resolver.close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A merchant's server."""
    with start_receiver() as running:
        yield running
