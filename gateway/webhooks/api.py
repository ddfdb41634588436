"""The endpoints of webhooks: where a merchant is told, what there was to tell, and how telling went."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter, Body, Depends, Path, Query, Request, Response

from gateway.http.answers import json_answer, no_unknown_parameters
from gateway.http.authentication import authenticated
from gateway.http.services import Services, services_of
from gateway.kernel.errors import InvalidRequest
from gateway.merchants.store import Scope
from gateway.payments.schemas import PAYMENT_ID_PATTERN, Moment
from gateway.webhooks.catalogue import WebhookType
from gateway.webhooks.events import EventFilter
from gateway.webhooks.schemas import (
    ENDPOINT_ID_PATTERN,
    EVENT_ID_PATTERN,
    REFUND_ID_PATTERN,
    EndpointChangeRequest,
    EndpointList,
    EndpointObject,
    EventList,
    EventWithDeliveries,
    MessageObject,
    NewEndpointObject,
    NewEndpointRequest,
    ResendRequest,
    RotationRequest,
)

router = APIRouter(prefix="/v1", tags=["webhooks"], dependencies=[Depends(no_unknown_parameters)])

EndpointId = Annotated[str, Path(pattern=ENDPOINT_ID_PATTERN, examples=["we_01JD5ZV8W3M0Q9C6R1T2X4Y7KB"])]
EventId = Annotated[str, Path(pattern=EVENT_ID_PATTERN, examples=["evt_01JD5ZV8X9N1S4D7F2G5H8J3KM"])]
Limit = Annotated[int, Query(ge=1, le=100)]
_ROTATION: Final = RotationRequest()
_RESEND: Final = ResendRequest()


async def _allowed(request: Request, scope: Scope) -> tuple[Services, str]:
    """The services, and the merchant whose key has the scope."""
    holder = await authenticated(request, scope)
    return services_of(request), holder.merchant.id


@router.post("/webhook_endpoints", status_code=201, response_model=NewEndpointObject, summary="Add an endpoint")
async def post_endpoint(request: Request, wanted: NewEndpointRequest) -> Response:
    """Be told of events at an address.  The secret in the answer is shown only now.

    The address must be http(s) and public; at most 16 endpoints per merchant.
    """
    services, merchant_id = await _allowed(request, Scope.WEBHOOKS)
    endpoint, secret = await services.webhooks.endpoints.add(merchant_id, wanted.url, wanted.description, wanted.types)
    return json_answer(201, {**endpoint.to_json(), "secret": secret}).to_response()


@router.get("/webhook_endpoints", response_model=EndpointList, summary="List endpoints")
async def get_endpoints(
    request: Request,
    limit: Limit = 20,
    starting_after: Annotated[str | None, Query(pattern=ENDPOINT_ID_PATTERN)] = None,
) -> Response:
    """A merchant's endpoints, newest first."""
    services, merchant_id = await _allowed(request, Scope.READ)
    found = await services.webhooks.endpoints.list(merchant_id, limit + 1, starting_after)
    return json_answer(200, _page([endpoint.to_json() for endpoint in found], limit)).to_response()


@router.get("/webhook_endpoints/{endpoint_id}", response_model=EndpointObject, summary="Read an endpoint")
async def get_endpoint(request: Request, endpoint_id: EndpointId) -> Response:
    """An endpoint by its id."""
    services, merchant_id = await _allowed(request, Scope.READ)
    return json_answer(200, (await services.webhooks.endpoints.get(merchant_id, endpoint_id)).to_json()).to_response()


@router.patch("/webhook_endpoints/{endpoint_id}", response_model=EndpointObject, summary="Change an endpoint")
async def patch_endpoint(request: Request, endpoint_id: EndpointId, change: EndpointChangeRequest) -> Response:
    """Change its description or types, or switch it on or off.

    While it is off nothing is queued for it, and what was queued is cancelled when it falls due.
    """
    services, merchant_id = await _allowed(request, Scope.WEBHOOKS)
    changes = change.model_dump(include=change.model_fields_set)
    if not changes:
        raise InvalidRequest("missing_field", "Name at least one of description, types, status.", param="body")
    endpoint = await services.webhooks.endpoints.change(merchant_id, endpoint_id, changes)
    return json_answer(200, endpoint.to_json()).to_response()


@router.delete("/webhook_endpoints/{endpoint_id}", status_code=204, summary="Delete an endpoint")
async def delete_endpoint(request: Request, endpoint_id: EndpointId) -> Response:
    """Nothing is sent there any more; what was sent stays in the log of the events."""
    services, merchant_id = await _allowed(request, Scope.WEBHOOKS)
    await services.webhooks.endpoints.delete(merchant_id, endpoint_id)
    return Response(status_code=204)


@router.post(
    "/webhook_endpoints/{endpoint_id}/rotate_secret", response_model=NewEndpointObject, summary="Rotate a secret"
)
async def post_rotation(
    request: Request, endpoint_id: EndpointId, wanted: Annotated[RotationRequest, Body()] = _ROTATION
) -> Response:
    """Make a new secret, shown only now.  For `overlap_hours` messages carry a signature of each."""
    services, merchant_id = await _allowed(request, Scope.WEBHOOKS)
    endpoint, secret = await services.webhooks.endpoints.rotate_secret(merchant_id, endpoint_id, wanted.overlap_hours)
    return json_answer(200, {**endpoint.to_json(), "secret": secret}).to_response()


@router.post("/webhook_endpoints/{endpoint_id}/test", response_model=MessageObject, summary="Send a test event")
async def post_test(request: Request, endpoint_id: EndpointId) -> Response:
    """Send a `webhook_endpoint.test` event there; `GET /v1/events/{id}` tells how it went."""
    services, merchant_id = await _allowed(request, Scope.WEBHOOKS)
    return json_answer(200, await services.webhooks.endpoints.send_test(merchant_id, endpoint_id)).to_response()


@router.get("/events", response_model=EventList, summary="List events")
async def get_events(
    request: Request,
    *,
    type_: Annotated[WebhookType | None, Query(alias="type")] = None,
    payment_id: Annotated[str | None, Query(pattern=PAYMENT_ID_PATTERN)] = None,
    refund_id: Annotated[str | None, Query(pattern=REFUND_ID_PATTERN)] = None,
    created_from: Moment | None = None,
    created_to: Moment | None = None,
    limit: Limit = 20,
    starting_after: Annotated[str | None, Query(pattern=EVENT_ID_PATTERN)] = None,
) -> Response:
    """What there was to tell, newest first: whether or not an endpoint was there to be told."""
    services, merchant_id = await _allowed(request, Scope.READ)
    wanted = EventFilter(type_, payment_id, refund_id, created_from, created_to)
    events = await services.webhooks.events.list(merchant_id, wanted, limit + 1, starting_after)
    return json_answer(200, _page(list(events), limit)).to_response()


@router.get("/events/{event_id}", response_model=EventWithDeliveries, summary="Read an event and its deliveries")
async def get_event(request: Request, event_id: EventId) -> Response:
    """An event with each delivery and each of its tries."""
    services, merchant_id = await _allowed(request, Scope.READ)
    return json_answer(200, await services.webhooks.events.get(merchant_id, event_id)).to_response()


@router.post("/events/{event_id}/resend", response_model=EventWithDeliveries, summary="Deliver an event again")
async def post_resend(
    request: Request, event_id: EventId, wanted: Annotated[ResendRequest, Body()] = _RESEND
) -> Response:
    """The same bytes under the same id, to one endpoint or to everybody who would be told of it now."""
    services, merchant_id = await _allowed(request, Scope.WEBHOOKS)
    return json_answer(
        200, await services.webhooks.events.resend(merchant_id, event_id, wanted.endpoint_id)
    ).to_response()


def _page(items: list[Any], limit: int) -> dict[str, Any]:
    return {"object": "list", "data": items[:limit], "has_more": len(items) > limit}
