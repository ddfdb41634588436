"""A merchant's endpoints: where it is told, of what, and with which secret the messages are signed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

import asyncpg

from gateway.database.pool import Connection
from gateway.kernel.clock import rfc3339, utc_now
from gateway.kernel.errors import Conflict, InvalidRequest, not_found
from gateway.kernel.ids import new_id
from gateway.kernel.secrets import Vault
from gateway.webhooks.addresses import AddressRefused, AddressRules
from gateway.webhooks.announcing import SQL
from gateway.webhooks.catalogue import WebhookType
from gateway.webhooks.rendering import EventRecord, JsonObject, Renderer, body_of, message_of
from gateway.webhooks.resolving import NameUnknown, Resolver
from gateway.webhooks.signing import new_secret

ENDPOINTS_MAX: Final = 16
_HOUR_S: Final = 3_600


class EndpointStatus(StrEnum):
    """Whether messages are sent to an endpoint."""

    ENABLED = "enabled"
    DISABLED = "disabled"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An endpoint as it stands; `types` is None where it is told of everything."""

    id: str
    merchant_id: str
    url: str
    description: str | None
    types: Sequence[str] | None
    status: EndpointStatus
    disabled_reason: str | None
    previous_until: datetime | None
    failing_since: datetime | None
    created_at: datetime
    updated_at: datetime

    def to_json(self) -> dict[str, Any]:
        """The endpoint object of the API (schemas.EndpointObject); its secret is not part of it."""
        return {
            "id": self.id,
            "object": "webhook_endpoint",
            "url": self.url,
            "description": self.description,
            "types": None if self.types is None else list(self.types),
            "status": self.status,
            "disabled_reason": self.disabled_reason,
            "previous_secret_until": None if self.previous_until is None else rfc3339(self.previous_until),
            "failing_since": None if self.failing_since is None else rfc3339(self.failing_since),
            "created_at": rfc3339(self.created_at),
            "updated_at": rfc3339(self.updated_at),
        }


@dataclass(frozen=True, slots=True)
class EndpointChange:
    """What is to become of an endpoint's three changeable facts."""

    description: str | None
    types: Sequence[str] | None
    status: EndpointStatus


class Endpoints:
    """Every call is scoped to a merchant: another merchant's endpoint is not found."""

    def __init__(self, pool: asyncpg.Pool, vault: Vault, rules: AddressRules, resolver: Resolver) -> None:
        self._pool = pool
        self._vault = vault
        self._rules = rules
        self._resolver = resolver

    async def add(
        self, merchant_id: str, url: str, description: str | None, types: Sequence[str] | None
    ) -> tuple[Endpoint, str]:
        """A new endpoint and its secret, which is told only now.

        Raises InvalidRequest `address_refused`, Conflict `too_many_endpoints`.
        """
        await self._check(url)
        endpoint_id, secret = new_id("we"), new_secret()
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute(SQL["lock_merchant"], merchant_id)
            if await connection.fetchval(SQL["count_endpoints"], merchant_id) >= ENDPOINTS_MAX:
                raise Conflict(
                    "too_many_endpoints", f"A merchant has at most {ENDPOINTS_MAX} endpoints: delete one.", param="url"
                )
            row = await connection.fetchrow(
                SQL["add_endpoint"],
                endpoint_id,
                merchant_id,
                url,
                description,
                types,
                self._sealed(endpoint_id, secret),
            )
        return _found(row), secret

    async def list(self, merchant_id: str, limit: int, starting_after: str | None) -> Sequence[Endpoint]:
        """The newest first, at most `limit`, after that id."""
        rows = await self._pool.fetch(SQL["list_endpoints"], merchant_id, starting_after, limit)
        return [_endpoint(row) for row in rows]

    async def get(self, merchant_id: str, endpoint_id: str) -> Endpoint:
        """By its id.  Raises the 404, like all below."""
        return _found(await self._pool.fetchrow(SQL["find_endpoint"], endpoint_id, merchant_id))

    async def change(self, merchant_id: str, endpoint_id: str, changes: Mapping[str, Any]) -> Endpoint:
        """Change the named ones of `description`, `types` and `status`; the others stay."""
        async with self._pool.acquire() as connection, connection.transaction():
            now = await _locked(connection, merchant_id, endpoint_id)
            wanted = EndpointChange(
                changes.get("description", now.description),
                changes.get("types", now.types),
                EndpointStatus(changes.get("status", now.status)),
            )
            reason = None if wanted.status is EndpointStatus.ENABLED else now.disabled_reason or "merchant"
            row = await connection.fetchrow(
                SQL["change_endpoint"],
                endpoint_id,
                merchant_id,
                wanted.description,
                wanted.types,
                wanted.status,
                reason,
            )
        return _found(row)

    async def delete(self, merchant_id: str, endpoint_id: str) -> None:
        """Nothing is sent there any more; what was sent stays in the log."""
        deleted = await self._pool.execute(SQL["delete_endpoint"], endpoint_id, merchant_id)
        if deleted != "UPDATE 1":
            raise not_found("webhook endpoint")

    async def rotate_secret(self, merchant_id: str, endpoint_id: str, overlap_hours: float) -> tuple[Endpoint, str]:
        """A new secret.  For so many hours messages are signed with the one before too."""
        secret = new_secret()
        row = await self._pool.fetchrow(
            SQL["rotate_secret"],
            endpoint_id,
            merchant_id,
            self._sealed(endpoint_id, secret),
            float(overlap_hours * _HOUR_S),
        )
        return _found(row), secret

    async def send_test(self, merchant_id: str, endpoint_id: str) -> JsonObject:
        """Send a `webhook_endpoint.test` event there, whatever types the endpoint has chosen; gives the message.

        Raises Conflict `endpoint_disabled`.
        """
        event_id = new_id("evt")
        async with self._pool.acquire() as connection, connection.transaction():
            endpoint = await _locked(connection, merchant_id, endpoint_id)
            if endpoint.status is not EndpointStatus.ENABLED:
                raise Conflict("endpoint_disabled", "This endpoint is disabled: enable it first.", param="id")
            seq = await connection.fetchval(SQL["next_seq"], endpoint_id, merchant_id)
            event = (endpoint_id, merchant_id, seq, WebhookType.ENDPOINT_TEST, endpoint.status, event_id)
            at = await connection.fetchval(SQL["add_event"], *event)
            record = EventRecord(
                event_id, merchant_id, WebhookType.ENDPOINT_TEST, endpoint_id, None, seq, endpoint.status, at
            )
            message = message_of(record, endpoint.to_json())
            delivery = ([event_id], [merchant_id], [endpoint_id], [endpoint.url], [body_of(message)])
            await connection.execute(SQL["add_deliveries"], *delivery)
        return message

    def _sealed(self, endpoint_id: str, secret: str) -> bytes:
        return self._vault.seal(secret.encode(), endpoint_id.encode())

    async def _check(self, url: str) -> None:
        """A name that has no address yet is taken: it is looked at again before each connection."""
        try:
            await self._resolver.addresses(self._rules.target(url))
        except AddressRefused as error:
            raise address_refused(error, "url") from None
        except NameUnknown:
            pass


def address_refused(error: AddressRefused, param: str) -> InvalidRequest:
    """The 400 for an address to which nothing is sent."""
    return InvalidRequest("address_refused", f"“{param}” {error}.", param=param)


def endpoints_renderer(pool: asyncpg.Pool) -> Renderer:
    """Renders endpoints, with the status that the event gave them."""

    async def endpoints_of(events: Sequence[EventRecord]) -> Mapping[str, JsonObject]:
        rows = await pool.fetch(SQL["endpoints_by_id"], [event.payment_id for event in events])
        found = {row["id"]: _endpoint(row).to_json() for row in rows}
        return {
            event.id: {**found[event.payment_id], "status": event.to_status}
            for event in events
            if event.payment_id in found
        }

    return endpoints_of


async def _locked(connection: Connection, merchant_id: str, endpoint_id: str) -> Endpoint:
    return _found(await connection.fetchrow(SQL["lock_endpoint"], endpoint_id, merchant_id))


def _found(row: asyncpg.Record | None) -> Endpoint:
    if row is None:
        raise not_found("webhook endpoint")
    return _endpoint(row)


def _endpoint(row: asyncpg.Record) -> Endpoint:
    """A row; one that was deleted shows as disabled, where an old event tells of it."""
    status = EndpointStatus.ENABLED if row["status"] == "enabled" else EndpointStatus.DISABLED
    previous_until = row["previous_until"]
    return Endpoint(
        id=row["id"],
        merchant_id=row["merchant_id"],
        url=row["url"],
        description=row["description"],
        types=row["types"],
        status=status,
        disabled_reason=row["disabled_reason"],
        previous_until=None if previous_until is None or previous_until <= utc_now() else previous_until,
        failing_since=row["failing_since"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )
