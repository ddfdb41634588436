"""The calls of a merchant's server about webhooks: where to be told, what there was to tell, telling it again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from gateway.client.call import Call, Moment, json_body, moment, part, target
from gateway.client.objects import (
    Event,
    EventWithDeliveries,
    Message,
    NewWebhookEndpoint,
    Page,
    WebhookEndpoint,
)

_ENDPOINTS = "/v1/webhook_endpoints"


def create_webhook_endpoint(
    url: str, *, types: Sequence[str] | None = None, description: str | None = None
) -> Call[NewWebhookEndpoint]:
    """Be told of events; the answer holds the `secret` for verify_webhook, shown only now."""
    fields = {"url": url, "types": None if types is None else list(types), "description": description}
    return Call("POST", _ENDPOINTS, json_body(fields), repeatable=False)


def webhook_endpoints(*, limit: int | None = None, starting_after: str | None = None) -> Call[Page[WebhookEndpoint]]:
    """List endpoints, newest first."""
    return Call("GET", target(_ENDPOINTS, limit=limit, starting_after=starting_after))


def find_webhook_endpoint(endpoint_id: str) -> Call[WebhookEndpoint]:
    """Read an endpoint."""
    return Call("GET", _path(endpoint_id))


def change_webhook_endpoint(endpoint_id: str, **changes: Any) -> Call[WebhookEndpoint]:
    """Change `status` ("enabled", "disabled"), `types` (None: all of them) or `description`."""
    return Call("PATCH", _path(endpoint_id), json.dumps(changes).encode())


def delete_webhook_endpoint(endpoint_id: str) -> Call[None]:
    """Nothing is sent there any more.  Deleting what is deleted is ApiError `not_found`."""
    return Call("DELETE", _path(endpoint_id))


def rotate_webhook_secret(endpoint_id: str, *, overlap_hours: float | None = None) -> Call[NewWebhookEndpoint]:
    """Make a new secret, shown only now; for so many hours (24) messages are signed with the one before too."""
    return Call(
        "POST", f"{_path(endpoint_id)}/rotate_secret", json_body({"overlap_hours": overlap_hours}), repeatable=False
    )


def test_webhook_endpoint(endpoint_id: str) -> Call[Message]:
    """Have a `webhook_endpoint.test` sent there; `find_event` tells how it went."""
    return Call("POST", f"{_path(endpoint_id)}/test")


def events(
    *,
    type: str | None = None,  # noqa: A002  the parameter's name in the API
    payment_id: str | None = None,
    refund_id: str | None = None,
    created_from: Moment | None = None,
    created_to: Moment | None = None,
    limit: int | None = None,
    starting_after: str | None = None,
) -> Call[Page[Event]]:
    """List events, newest first: what a server that was away has missed."""
    return Call(
        "GET",
        target(
            "/v1/events",
            type=type,
            payment_id=payment_id,
            refund_id=refund_id,
            created_from=moment(created_from),
            created_to=moment(created_to),
            limit=limit,
            starting_after=starting_after,
        ),
    )


def find_event(event_id: str) -> Call[EventWithDeliveries]:
    """Read an event with each of its deliveries and their tries."""
    return Call("GET", f"/v1/events/{part(event_id)}")


def resend_event(event_id: str, *, endpoint_id: str | None = None) -> Call[EventWithDeliveries]:
    """Have an event delivered once more: to one endpoint, or to everybody who would be told of it now."""
    return Call("POST", f"/v1/events/{part(event_id)}/resend", json_body({"endpoint_id": endpoint_id}))


def _path(endpoint_id: str) -> str:
    return f"{_ENDPOINTS}/{part(endpoint_id)}"
