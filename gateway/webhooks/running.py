"""Composes the webhooks: what the HTTP service answers with, and what a worker runs, on connections of its own."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Final

import asyncpg

from gateway.composition import Base
from gateway.coupons.telling import coupons_renderer
from gateway.database.batches import BROKEN
from gateway.database.pool import open_pool
from gateway.kernel.clock import utc_now
from gateway.kernel.ids import ulid_time
from gateway.kernel.metrics import WEBHOOK_BACKLOG, WEBHOOK_OLDEST_AGE
from gateway.settings import Environment, Settings
from gateway.webhooks.addresses import AddressRefused, AddressRules
from gateway.webhooks.announcing import SQL
from gateway.webhooks.disabling import Disabling
from gateway.webhooks.dispatch import Dispatch
from gateway.webhooks.endpoints import Endpoints, address_refused, endpoints_renderer
from gateway.webhooks.events import Events
from gateway.webhooks.posting import Poster
from gateway.webhooks.relay import Relay
from gateway.webhooks.rendering import Renderers, payments_renderer, refunds_renderer
from gateway.webhooks.resolving import LookUp, Resolver, look_up
from gateway.webhooks.results import results
from gateway.webhooks.sending import Sender

_log = logging.getLogger("mashang.webhooks")
_CONNECTIONS: Final = 4
"""For the relay, the leases and the results one each, and one for what is switched off meanwhile."""
_GAUGES_S: Final = 2.0
_COUNTED_MAX: Final = 100_000
"""The gauge of what waits stops here: counting more would cost more than it tells."""


def address_rules(settings: Settings) -> AddressRules:
    """The rules of this installation: in production webhooks go to the ports of HTTP, or to unprivileged ones."""
    any_port = settings.environment is not Environment.PRODUCTION
    return AddressRules(settings.webhook_networks, any_port=any_port)


def renderers(base: Base) -> Renderers:
    """Who renders what."""
    return {
        "payment": payments_renderer(base.pool, base.store),
        "refund": refunds_renderer(base.refunds.store.find),
        "coupon": coupons_renderer(base.pool),
        "webhook_endpoint": endpoints_renderer(base.pool),
    }


@dataclass(frozen=True, slots=True)
class WebhookDesk:
    """What the HTTP service needs."""

    endpoints: Endpoints
    events: Events
    rules: AddressRules

    def check_address(self, url: str, param: str) -> None:
        """Raises the 400 for an address that points inside as it is written; names are resolved before they are used.

        Looking a name up would keep a till waiting for somebody else's name server.
        """
        try:
            self.rules.target(url)
        except AddressRefused as error:
            raise address_refused(error, param) from None


@contextmanager
def webhook_desk(base: Base) -> Iterator[WebhookDesk]:
    """The desk of one process."""
    rules = address_rules(base.settings)
    resolver = Resolver(rules)
    try:
        endpoints = Endpoints(base.pool, base.vault, rules, resolver)
        yield WebhookDesk(endpoints, Events(base.pool, renderers(base)), rules)
    finally:
        resolver.close()


@asynccontextmanager
async def webhooks_delivered(
    base: Base, *, look_up: LookUp = look_up, ssl_context: ssl.SSLContext | None = None
) -> AsyncIterator[Dispatch]:
    """Relay and deliver while this is open; at its end what is under way is finished or left to its lease."""
    settings, rules = base.settings, address_rules(base.settings)
    pool = await open_pool(settings, size=_CONNECTIONS)
    resolver = Resolver(rules, look_up)
    poster = Poster(resolver, ssl_context)
    dispatch = Dispatch(
        pool,
        base.vault,
        Sender(poster, rules, settings.webhook_timeout_s),
        results(pool),
        Disabling(pool, settings.webhook_disable_after_days),
        hands_max=settings.webhook_concurrency_max,
        interval_s=settings.webhook_interval_s,
        lease_s=settings.webhook_lease_s,
        tracing=base.tracing,
    )
    relay = Relay(pool, renderers(base), settings.webhook_interval_s, dispatch.wake)
    dispatching = asyncio.create_task(dispatch.run())
    aside = [asyncio.create_task(relay.run()), asyncio.create_task(_measuring(pool))]
    try:
        yield dispatch
    finally:
        dispatch.stop()
        for loop in aside:
            loop.cancel()
        await asyncio.gather(dispatching, *aside, return_exceptions=True)
        await dispatch.finish(settings.webhook_timeout_s)
        await poster.aclose()
        resolver.close()
        await pool.close()


async def measure(pool: asyncpg.Pool) -> None:
    """Set the gauges of what waits, by what is in the database: a dispatch that stands still would say nothing."""
    row = await pool.fetchrow(SQL["backlog"], _COUNTED_MAX)
    assert row is not None
    first = row["first_event"]
    untold_s = 0.0 if first is None else (utc_now() - ulid_time(first.rpartition("_")[2])).total_seconds()
    WEBHOOK_BACKLOG.set(row["waiting"])
    WEBHOOK_OLDEST_AGE.set(max(0.0, untold_s, row["overdue_s"]))


async def _measuring(pool: asyncpg.Pool) -> None:
    """The gauges of what waits, until cancelled."""
    while True:
        try:
            await measure(pool)
        except (*BROKEN, asyncpg.PostgresError) as error:
            _log.warning("the webhooks' gauges were put off", extra={"error": type(error).__name__})
        except Exception:  # a gauge is no reason to stop delivering
            _log.exception("the webhooks' gauges were put off")
        await asyncio.sleep(_GAUGES_S)
